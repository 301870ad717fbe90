//! Nodes that lead to an output; only these determine what a draw is.

use crate::hash::HashSet;
use crate::onnx::{GraphId, GraphKind, NodeId, Use, ValueId};
use crate::semantics::calls::Calls;
use crate::semantics::control_flow::results;
use crate::semantics::view::{ValueRef, View};

/// What leads to an output of the model or of a function that nothing calls, or has an unknown effect.
#[derive(Debug, Default)]
pub(super) struct Reachable {
    nodes: HashSet<NodeId>,
    /// Results of branches and functions that do.
    results: HashSet<(GraphId, u32)>,
    /// Graphs all results of which do.
    graphs: HashSet<GraphId>,
}

impl Reachable {
    pub fn contains(&self, node: NodeId) -> bool {
        self.nodes.contains(&node)
    }

    pub fn leads(&self, at: Use) -> bool {
        match at {
            Use::Input { node, .. } => self.contains(node),
            Use::Output { graph, output } => {
                self.graphs.contains(&graph) || self.results.contains(&(graph, output))
            }
            _ => true,
        }
    }
}

pub(super) fn reachable(view: View<'_>, calls: &Calls) -> Reachable {
    let mut reachable = Reachable::default();
    let mut open: Vec<ValueRef<'_>> = Vec::new();
    for (id, graph) in view.model.graphs() {
        let alone = match graph.kind {
            GraphKind::Attribute { .. } => false,
            GraphKind::Function(function) => !calls.is_reached(function),
            _ => true,
        };
        if alone {
            reachable.graphs.insert(id);
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
    let unknown: Vec<_> = view.nodes().filter(|node| node.is_opaque()).collect();
    open.extend(unknown.iter().flat_map(|node| node.inputs().flatten()));
    for body in unknown.iter().flat_map(|node| node.bodies()) {
        reachable.graphs.insert(body);
        open.extend(view.graph_outputs(body).flatten());
    }
    reachable.nodes.extend(unknown.iter().map(|node| node.id));
    let mut seen: HashSet<ValueId> = HashSet::default();
    while let Some(value) = open.pop() {
        let Some((node, output)) = value.producer().filter(|_| seen.insert(value.id)) else {
            continue;
        };
        for (graph, place, result) in results(node, output) {
            reachable.results.insert((graph, place as u32));
            open.extend(result);
        }
        if reachable.nodes.insert(node.id) {
            open.extend(node.inputs().flatten());
        }
    }
    reachable
}
