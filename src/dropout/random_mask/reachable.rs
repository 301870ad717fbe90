//! Nodes that lead to an output; only these determine what a draw is.

use crate::hash::HashSet;
use crate::onnx::{GraphKind, NodeId};
use crate::semantics::view::{ValueRef, View};

/// The nodes that lead to an output of a model or a function, or do something that nobody knows.
pub(super) fn reachable(view: View<'_>) -> HashSet<NodeId> {
    let mut open: Vec<ValueRef<'_>> = Vec::new();
    for (id, graph) in view.model.graphs() {
        if !matches!(graph.kind, GraphKind::Attribute { .. }) {
            open.extend(view.graph_outputs(id).flatten());
        }
        let parameters = graph
            .annotations()
            .iter()
            .flat_map(|annotation| &annotation.parameters);
        open.extend(parameters.filter_map(|name| view.lookup(id, name)));
    }
    for training in view.model.training() {
        let graphs = [
            training.algorithm,
            training.initialization,
            Some(view.model.main()),
        ];
        for graph in graphs.into_iter().flatten() {
            open.extend(
                training
                    .bound
                    .iter()
                    .filter_map(|name| view.lookup(graph, name)),
            );
        }
    }
    let unknown = view
        .nodes()
        .filter(|node| !node.get().in_default_domain() && node.callee().is_none());
    let mut nodes: Vec<NodeId> = unknown.map(|node| node.id).collect();
    let mut reachable = HashSet::default();
    loop {
        let next = nodes
            .pop()
            .or_else(|| open.pop()?.node().map(|node| node.id));
        match next {
            Some(id) if reachable.insert(id) => {
                let node = view.node(id);
                open.extend(node.inputs().flatten());
                open.extend(
                    node.bodies()
                        .flat_map(|body| view.graph_outputs(body))
                        .flatten(),
                );
            }
            None if open.is_empty() && nodes.is_empty() => return reachable,
            _ => {}
        }
    }
}
