//! The main graph and the functions, callers before the functions they call.

use crate::hash::HashMap;
use crate::onnx::{GraphId, GraphKind, NodeId};
use crate::semantics::calls::Calls;
use crate::semantics::view::{NodeRef, View};

/// The main graph, or the body of a function.
pub(super) struct Standing<'m> {
    pub graph: GraphId,
    /// Its nodes and those of the graphs inside it, in the order given.
    pub nodes: Vec<NodeRef<'m>>,
    /// False of functions that are never called, directly or through others.
    pub runs: bool,
}

/// `order`: all nodes, such that one comes after what it depends on.
pub(super) fn standing<'m>(view: View<'m>, calls: &Calls, order: &[NodeId]) -> Vec<Standing<'m>> {
    let model = view.model;
    let mut nodes: HashMap<GraphId, Vec<NodeRef<'m>>> = HashMap::default();
    for &id in order {
        let nodes = nodes.entry(model.root(id.graph)).or_default();
        nodes.push(view.node(id));
    }
    let inner = |kind: &GraphKind| {
        let inner = matches!(kind, GraphKind::Attribute { .. });
        inner || matches!(kind, GraphKind::Function(_))
    };
    let outside = model.graphs().filter(|(_, graph)| !inner(&graph.kind));
    let functions = calls.callers_first().iter().map(|&function| {
        let body = model.functions()[function].body;
        (body, calls.is_reached(function))
    });
    let all = outside.map(|(id, _)| (id, true)).chain(functions);
    all.map(|(graph, runs)| Standing {
        graph,
        nodes: nodes.remove(&graph).unwrap_or_default(),
        runs,
    })
    .collect()
}
