//! What is upstream of something: one backward pass over a whole model.

use crate::hash::HashSet;
use crate::onnx::{GraphId, GraphKind, Model, NodeId, Producer, ValueId, Values};
use crate::semantics::calls::Calls;

/// The values from which some nodes can be reached, each with the nearest of them.
///
/// Through graphs inside nodes and calls of functions without regard to how they are called: a value
/// may be listed with a node that it never reaches, but none that reaches a node is left out.
#[derive(Debug)]
pub(super) struct Upstream {
    reached: Vec<Option<NodeId>>,
}

impl Upstream {
    /// From nodes and the values they use, back. `reads` is false where the outputs of a node do not
    /// depend on the value at an input.
    pub fn of(
        model: &Model,
        values: &Values,
        ends: impl IntoIterator<Item = (NodeId, ValueId)>,
        reads: impl Fn(NodeId, usize) -> bool,
    ) -> Upstream {
        let mut pass = Pass {
            model,
            values,
            reads,
            calls: Calls::new(model),
            expanded: HashSet::default(),
            reached: vec![None; values.len()],
            level: Vec::new(),
        };
        for (node, value) in ends {
            pass.reach(value, node);
        }
        while !pass.level.is_empty() {
            for value in std::mem::take(&mut pass.level) {
                pass.back(value);
            }
        }
        Upstream {
            reached: pass.reached,
        }
    }

    /// The nearest of the nodes that can be reached from a value.
    pub fn from(&self, value: ValueId) -> Option<NodeId> {
        self.reached.get(value.index()).copied().flatten()
    }
}

struct Pass<'m, F> {
    model: &'m Model,
    values: &'m Values,
    reads: F,
    calls: Calls,
    /// Nodes whose inputs were reached already.
    expanded: HashSet<NodeId>,
    reached: Vec<Option<NodeId>>,
    /// Values to continue from, all at the same distance from an end.
    level: Vec<ValueId>,
}

impl<F: Fn(NodeId, usize) -> bool> Pass<'_, F> {
    fn reach(&mut self, value: ValueId, end: NodeId) {
        let known = &mut self.reached[value.index()];
        if known.is_none() {
            *known = Some(end);
            self.level.push(value);
        }
    }

    /// Reaches what a value is computed from.
    fn back(&mut self, value: ValueId) {
        let Some(end) = self.reached[value.index()] else {
            return;
        };
        let known = &self.values[value];
        match known.producer {
            Producer::Node { node, output } => match self.model.callee(self.model.node(node)) {
                Some(function) => {
                    let body = self.model.functions()[function].body;
                    self.output(body, output as usize, end);
                }
                None => self.expand(node, end),
            },
            Producer::Input(input) => match self.model.graph(known.graph).kind {
                GraphKind::Attribute { node, .. } => self.expand(node, end),
                GraphKind::Function(function) => {
                    for call in self.calls.of(function).to_vec() {
                        let passed = self.values.input(call, input as usize);
                        passed
                            .into_iter()
                            .for_each(|passed| self.reach(passed, end));
                    }
                }
                _ => {}
            },
            Producer::Initializer(_) | Producer::SparseInitializer(_) | Producer::Gone => {}
        }
    }

    /// Reaches all that a node uses, and what the graphs inside it end in.
    fn expand(&mut self, id: NodeId, end: NodeId) {
        if !self.expanded.insert(id) {
            return;
        }
        let node = self.model.node(id);
        for input in 0..node.inputs.len() {
            if let Some(value) = self
                .values
                .input(id, input)
                .filter(|_| (self.reads)(id, input))
            {
                self.reach(value, end);
            }
        }
        for &graph in node.attributes.iter().flat_map(|a| a.graphs()) {
            for output in 0..self.model.graph(graph).outputs.len() {
                self.output(graph, output, end);
            }
        }
    }

    fn output(&mut self, graph: GraphId, output: usize, end: NodeId) {
        let info = self.model.graph(graph).outputs.get(output);
        let value = info.and_then(|info| self.values.lookup(self.model, graph, &info.name));
        value.into_iter().for_each(|value| self.reach(value, end));
    }
}
