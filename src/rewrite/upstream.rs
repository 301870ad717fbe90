//! What is upstream of something: one backward pass over a whole model.

use crate::hash::HashSet;
use crate::onnx::{GraphId, GraphKind, NodeId, Producer, ValueId};
use crate::semantics::calls::Calls;
use crate::semantics::view::{NodeRef, ValueRef, View};

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
    pub fn of<'m>(
        view: View<'m>,
        ends: impl IntoIterator<Item = (NodeId, ValueId)>,
        reads: impl Fn(NodeRef<'m>, usize) -> bool,
    ) -> Upstream {
        let mut pass = Pass {
            view,
            reads,
            calls: Calls::new(view.model),
            expanded: HashSet::default(),
            reached: vec![None; view.values.len()],
            level: Vec::new(),
        };
        for (node, value) in ends {
            pass.reach(Some(view.value(value)), node);
        }
        while !pass.level.is_empty() {
            for value in std::mem::take(&mut pass.level) {
                pass.back(view.value(value));
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
    view: View<'m>,
    reads: F,
    calls: Calls,
    /// Nodes whose inputs were reached already.
    expanded: HashSet<NodeId>,
    reached: Vec<Option<NodeId>>,
    /// Values to continue from, all at the same distance from an end.
    level: Vec<ValueId>,
}

impl<'m, F: Fn(NodeRef<'m>, usize) -> bool> Pass<'m, F> {
    fn reach(&mut self, value: Option<ValueRef<'m>>, end: NodeId) {
        let Some(value) = value else { return };
        let known = &mut self.reached[value.id.index()];
        if known.is_none() {
            *known = Some(end);
            self.level.push(value.id);
        }
    }

    /// Reaches what a value is computed from.
    fn back(&mut self, value: ValueRef<'m>) {
        let Some(end) = self.reached[value.id.index()] else {
            return;
        };
        if let Some((node, output)) = value.producer() {
            match node.callee() {
                Some(function) => {
                    let body = self.view.model.functions()[function].body;
                    self.output(body, output, end);
                }
                None => self.expand(node, end),
            }
        } else if let Producer::Input(input) = value.get().producer {
            match self.view.model.graph(value.graph).kind {
                GraphKind::Attribute { node, .. } => self.expand(self.view.node(node), end),
                GraphKind::Function(function) => {
                    for call in self.calls.of(function).to_vec() {
                        self.reach(self.view.node(call).input(input as usize), end);
                    }
                }
                _ => {}
            }
        }
    }

    /// Reaches all that a node uses, and the outputs of the graphs inside it.
    fn expand(&mut self, node: NodeRef<'m>, end: NodeId) {
        if !self.expanded.insert(node.id) {
            return;
        }
        for (input, value) in node.inputs().enumerate() {
            if (self.reads)(node, input) {
                self.reach(value, end);
            }
        }
        for graph in node.bodies() {
            for output in self.view.graph_outputs(graph) {
                self.reach(output, end);
            }
        }
    }

    fn output(&mut self, graph: GraphId, output: usize, end: NodeId) {
        let value = self.view.graph_outputs(graph).nth(output).flatten();
        self.reach(value, end);
    }
}
