//! Which node, value and graph of one model is which of the other.

use std::collections::VecDeque;

use super::structural;
use crate::error::Result;
use crate::hash::HashMap;
use crate::onnx::{Attribute, GraphId, Model, Name, Node, NodeId, Producer, ValueId, Values};

/// A model and its values.
#[derive(Clone, Copy)]
pub(super) struct Side<'m> {
    pub model: &'m Model,
    pub values: &'m Values,
}

impl<'m> Side<'m> {
    pub fn node(&self, id: NodeId) -> &'m Node {
        self.model.node(id)
    }

    pub fn lookup(&self, graph: GraphId, name: &Name) -> Option<ValueId> {
        self.values.lookup(self.model, graph, name)
    }

    /// The node that produces a value, and which of its outputs that is.
    pub fn producer(&self, value: ValueId) -> Option<(NodeId, u32)> {
        match self.values[value].producer {
            Producer::Node { node, output } => Some((node, output)),
            _ => None,
        }
    }

    /// True of weights that are no inputs of their graph.
    pub fn is_weight(&self, value: ValueId) -> bool {
        let producer = self.values[value].producer;
        matches!(
            producer,
            Producer::Initializer(_) | Producer::SparseInitializer(_)
        )
    }

    fn outputs(&self, id: NodeId) -> impl Iterator<Item = Option<ValueId>> {
        (0..self.node(id).outputs.len()).map(move |i| self.values.output(self.model, id, i))
    }
}

/// The matches found so far.
#[derive(Default)]
pub(super) struct Matching {
    pub graphs: Vec<(GraphId, GraphId)>,
    pub nodes: HashMap<NodeId, NodeId>,
    pub nodes_back: HashMap<NodeId, NodeId>,
    pub values: HashMap<ValueId, ValueId>,
    pub values_back: HashMap<ValueId, ValueId>,
    /// Pairs of nodes whose inputs are still to be followed.
    fresh: Vec<(NodeId, NodeId)>,
}

impl Matching {
    /// Matches these graphs, and then those inside their nodes.
    pub fn new(before: Side<'_>, after: Side<'_>, roots: Vec<(GraphId, GraphId)>) -> Result<Self> {
        let mut matching = Matching::default();
        let mut queue = VecDeque::from(roots);
        while let Some((a, b)) = queue.pop_front() {
            matching.graphs.push((a, b));
            matching.graph(before, after, a, b)?;
            for (index, node) in before.model.graph(a).nodes() {
                let id = NodeId { graph: a, index };
                let Some(&other) = matching.nodes.get(&id) else {
                    continue;
                };
                for attribute in &node.attributes {
                    let graphs = attribute.graphs();
                    let of_name = (after.node(other).attributes.iter().rev())
                        .find(|o| o.name == attribute.name)
                        .map_or(&[][..], Attribute::graphs);
                    queue.extend(graphs.iter().copied().zip(of_name.iter().copied()));
                }
            }
        }
        Ok(matching)
    }

    fn graph(&mut self, before: Side<'_>, after: Side<'_>, a: GraphId, b: GraphId) -> Result<()> {
        self.interface(before, after, a, b);
        self.by_name(before, after, a, b);
        self.by_output(before, after, a, b);
        self.follow(before, after);
        structural::match_nodes(self, before, after, a, b)
    }

    /// Inputs by name, then by place; weights by name.
    fn interface(&mut self, before: Side<'_>, after: Side<'_>, a: GraphId, b: GraphId) {
        let (graph, other) = (before.model.graph(a), after.model.graph(b));
        for info in &graph.inputs {
            if other.inputs.iter().any(|input| input.name == info.name) {
                self.names(before, after, (a, &info.name), (b, &info.name));
            }
        }
        for (info, other) in graph.inputs.iter().zip(&other.inputs) {
            self.names(before, after, (a, &info.name), (b, &other.name));
        }
        let weights = (graph.initializers().map(|(_, tensor)| &tensor.name))
            .chain((graph.sparse_initializers().iter()).map(|sparse| &sparse.values.name));
        for name in weights {
            let value = after.lookup(b, name);
            let own = value.filter(|&value| after.values[value].graph == b);
            if own.is_some_and(|value| after.is_weight(value)) {
                self.names(before, after, (a, name), (b, name));
            }
        }
    }

    fn names(
        &mut self,
        before: Side<'_>,
        after: Side<'_>,
        (a, name): (GraphId, &Name),
        (b, other): (GraphId, &Name),
    ) {
        if let (Some(value), Some(other)) = (before.lookup(a, name), after.lookup(b, other)) {
            self.value(value, other);
        }
    }

    /// Matches two values, unless one of them is already matched.
    fn value(&mut self, a: ValueId, b: ValueId) {
        if !self.values.contains_key(&a) && !self.values_back.contains_key(&b) {
            self.values.insert(a, b);
            self.values_back.insert(b, a);
        }
    }

    /// Two nodes are the same, and so is what they produce.
    pub fn pair(&mut self, before: Side<'_>, after: Side<'_>, a: NodeId, b: NodeId) {
        if self.nodes.contains_key(&a) || self.nodes_back.contains_key(&b) {
            return;
        }
        self.nodes.insert(a, b);
        self.nodes_back.insert(b, a);
        for (a, b) in before.outputs(a).zip(after.outputs(b)) {
            if let (Some(a), Some(b)) = (a, b) {
                self.value(a, b);
            }
        }
        self.fresh.push((a, b));
    }

    /// Nodes of the same name, if no other has it, and if they have more in common than that.
    fn by_name(&mut self, before: Side<'_>, after: Side<'_>, a: GraphId, b: GraphId) {
        let (mine, theirs) = (by_name(before, a), by_name(after, b));
        for (index, node) in before.model.graph(a).nodes() {
            let id = NodeId { graph: a, index };
            let only = |names: &HashMap<&Name, Vec<NodeId>>| match names.get(&node.name) {
                Some(nodes) if nodes.len() == 1 => Some(nodes[0]),
                _ => None,
            };
            if let (Some(_), Some(other)) = (only(&mine), only(&theirs)) {
                let same = after.node(other);
                let shared = (node.outputs.iter())
                    .any(|name| !name.is_empty() && same.outputs.contains(name));
                if shared || node.op_type == same.op_type {
                    self.pair(before, after, id, other);
                }
            }
        }
    }

    /// Nodes of the same operator that produce a value of the same name.
    fn by_output(&mut self, before: Side<'_>, after: Side<'_>, a: GraphId, b: GraphId) {
        for (index, node) in before.model.graph(a).nodes() {
            let id = NodeId { graph: a, index };
            let mut outputs = node.outputs.iter().filter(|name| !name.is_empty());
            let found = outputs.find_map(|name| {
                let value = after.lookup(b, name);
                let value = value.filter(|&value| after.values[value].graph == b)?;
                let (other, _) = after.producer(value)?;
                (after.node(other).op_type == node.op_type).then_some(other)
            });
            if let Some(other) = found {
                self.pair(before, after, id, other);
            }
        }
    }

    /// Matches the inputs of matched nodes: the weights they use, and the nodes they come from,
    /// if these have the same operator.
    pub fn follow(&mut self, before: Side<'_>, after: Side<'_>) {
        while let Some((a, b)) = self.fresh.pop() {
            let inputs = before.node(a).inputs.len().min(after.node(b).inputs.len());
            for input in 0..inputs {
                let values = (before.values.input(a, input), after.values.input(b, input));
                if let (Some(from), Some(to)) = values {
                    self.same_value(before, after, from, to);
                }
            }
        }
    }

    /// Two values that are used in the same place are likely the same.
    pub fn same_value(&mut self, before: Side<'_>, after: Side<'_>, a: ValueId, b: ValueId) {
        if before.is_weight(a) && after.is_weight(b) {
            self.value(a, b);
        }
        if let (Some((a, place)), Some((b, other))) = (before.producer(a), after.producer(b))
            && place == other
            && before.node(a).op_type == after.node(b).op_type
            && before.node(a).domain == after.node(b).domain
            && self.graphs.contains(&(a.graph, b.graph))
        {
            self.pair(before, after, a, b);
        }
    }
}

fn by_name<'m>(side: Side<'m>, graph: GraphId) -> HashMap<&'m Name, Vec<NodeId>> {
    let mut names: HashMap<&Name, Vec<NodeId>> = HashMap::default();
    for (index, node) in side.model.graph(graph).nodes() {
        if !node.name.is_empty() {
            let id = NodeId { graph, index };
            names.entry(&node.name).or_default().push(id);
        }
    }
    names
}
