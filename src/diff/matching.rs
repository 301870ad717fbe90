//! Which node, value and graph of one model is which of the other.

use crate::hash::HashMap;
use crate::onnx::{GraphId, Name, NodeId, ValueId};
use crate::semantics::view::{ValueRef, View};

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
    /// What can be matched by names alone, and what follows from that.
    pub fn by_names(&mut self, before: View<'_>, after: View<'_>, a: GraphId, b: GraphId) {
        self.interface(before, after, a, b);
        self.by_name(before, after, a, b);
        self.by_output(before, after, a, b);
        self.follow(before, after);
    }

    /// Inputs by name, then by place; weights by name.
    fn interface(&mut self, before: View<'_>, after: View<'_>, a: GraphId, b: GraphId) {
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
            let own = value.filter(|value| value.get().graph == b);
            if own.is_some_and(|value| value.is_weight()) {
                self.names(before, after, (a, name), (b, name));
            }
        }
    }

    fn names(
        &mut self,
        before: View<'_>,
        after: View<'_>,
        (a, name): (GraphId, &Name),
        (b, other): (GraphId, &Name),
    ) {
        if let (Some(value), Some(other)) = (before.lookup(a, name), after.lookup(b, other)) {
            self.value(value.id, other.id);
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
    pub fn pair(&mut self, before: View<'_>, after: View<'_>, a: NodeId, b: NodeId) {
        if self.nodes.contains_key(&a) || self.nodes_back.contains_key(&b) {
            return;
        }
        self.nodes.insert(a, b);
        self.nodes_back.insert(b, a);
        for (a, b) in before.node(a).outputs().zip(after.node(b).outputs()) {
            if let (Some(a), Some(b)) = (a, b) {
                self.value(a.id, b.id);
            }
        }
        self.fresh.push((a, b));
    }

    /// Nodes of the same name, if no other has it, and if they have more in common than that.
    fn by_name(&mut self, before: View<'_>, after: View<'_>, a: GraphId, b: GraphId) {
        let (mine, theirs) = (by_name(before, a), by_name(after, b));
        for node in before.nodes_of(a) {
            let only = |names: &HashMap<&Name, Vec<NodeId>>| match names.get(&node.get().name) {
                Some(nodes) if nodes.len() == 1 => Some(nodes[0]),
                _ => None,
            };
            if let (Some(_), Some(other)) = (only(&mine), only(&theirs)) {
                let same = after.node(other).get();
                let shared = (node.outputs.iter())
                    .any(|name| !name.is_empty() && same.outputs.contains(name));
                if shared || node.op_type == same.op_type {
                    self.pair(before, after, node.id, other);
                }
            }
        }
    }

    /// Nodes of the same operator that produce a value of the same name.
    fn by_output(&mut self, before: View<'_>, after: View<'_>, a: GraphId, b: GraphId) {
        for node in before.nodes_of(a) {
            let mut outputs = node.get().outputs.iter().filter(|name| !name.is_empty());
            let found = outputs.find_map(|name| {
                let value = after.lookup(b, name);
                let other = value.filter(|value| value.get().graph == b)?.node()?;
                (other.op_type == node.op_type).then_some(other.id)
            });
            if let Some(other) = found {
                self.pair(before, after, node.id, other);
            }
        }
    }

    /// Matches the inputs of matched nodes: the weights they use, and the nodes they come from,
    /// if these have the same operator.
    pub fn follow(&mut self, before: View<'_>, after: View<'_>) {
        while let Some((a, b)) = self.fresh.pop() {
            for values in before.node(a).inputs().zip(after.node(b).inputs()) {
                if let (Some(from), Some(to)) = values {
                    self.same_value(from, to);
                }
            }
        }
    }

    /// Two values that are used in the same place are likely the same.
    pub fn same_value(&mut self, a: ValueRef<'_>, b: ValueRef<'_>) {
        if a.is_weight() && b.is_weight() {
            self.value(a.id, b.id);
        }
        if let (Some((a, place)), Some((b, other))) = (a.producer(), b.producer())
            && place == other
            && a.op_type == b.op_type
            && a.domain == b.domain
            && self.graphs.contains(&(a.graph(), b.graph()))
        {
            self.pair(a.view(), b.view(), a.id, b.id);
        }
    }
}

fn by_name<'m>(side: View<'m>, graph: GraphId) -> HashMap<&'m Name, Vec<NodeId>> {
    let mut names: HashMap<&Name, Vec<NodeId>> = HashMap::default();
    for node in side.nodes_of(graph) {
        if !node.name.is_empty() {
            names.entry(&node.get().name).or_default().push(node.id);
        }
    }
    names
}
