//! Nodes that lead to an output; only these determine what a draw is.

use crate::hash::HashSet;
use crate::onnx::{GraphId, GraphKind, Model, Name, NodeId, Producer, ValueId, Values};

/// The nodes that lead to an output of a model or a function, or do something that nobody knows.
pub(super) fn alive(model: &Model, values: &Values) -> HashSet<NodeId> {
    let mut walk = Walk {
        model,
        values,
        alive: HashSet::default(),
        open: Vec::new(),
    };
    for (id, graph) in model.graphs() {
        if !matches!(graph.kind, GraphKind::Attribute { .. }) {
            walk.named(id, graph.outputs.iter().map(|info| &info.name));
        }
        let annotations = graph.annotations().iter();
        walk.named(
            id,
            annotations.flat_map(|annotation| &annotation.parameters),
        );
    }
    for training in model.training() {
        let graphs = [training.algorithm, training.initialization];
        for graph in graphs.into_iter().flatten().chain([model.main()]) {
            walk.named(graph, training.bound.iter());
        }
    }
    for (id, node) in model.nodes() {
        if !node.in_default_domain() && model.callee(node).is_none() {
            walk.node(id);
        }
    }
    while let Some(value) = walk.open.pop() {
        if let Producer::Node { node, .. } = values[value].producer {
            walk.node(node);
        }
    }
    walk.alive
}

struct Walk<'m> {
    model: &'m Model,
    values: &'m Values,
    alive: HashSet<NodeId>,
    open: Vec<ValueId>,
}

impl Walk<'_> {
    fn node(&mut self, id: NodeId) {
        if !self.alive.insert(id) {
            return;
        }
        let node = self.model.node(id);
        let inputs = 0..node.inputs.len();
        let inputs = inputs.filter_map(|input| self.values.input(id, input));
        self.open.extend(inputs);
        for &graph in node.attributes.iter().flat_map(|a| a.graphs()) {
            let outputs = self.model.graph(graph).outputs.iter();
            self.named(graph, outputs.map(|info| &info.name));
        }
    }

    fn named<'n>(&mut self, graph: GraphId, names: impl Iterator<Item = &'n Name>) {
        let values = names.filter_map(|name| self.values.lookup(self.model, graph, name));
        self.open.extend(values);
    }
}
