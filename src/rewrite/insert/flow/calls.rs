//! The graphs that stand on their own, callers before the functions they call.

use crate::hash::HashMap;
use crate::onnx::{GraphId, GraphKind, Model, NodeId};
use crate::semantics::calls::Calls;

/// A graph that stands on its own.
pub(super) struct Standing {
    pub graph: GraphId,
    /// Its nodes and those of the graphs inside it, in the order given.
    pub nodes: Vec<NodeId>,
    /// False of functions that nobody calls, and of those that only these call.
    pub runs: bool,
}

/// `order`: all nodes, such that one comes after what it depends on.
pub(super) fn standing(model: &Model, calls: &Calls, order: &[NodeId]) -> Vec<Standing> {
    let mut nodes: HashMap<GraphId, Vec<NodeId>> = HashMap::default();
    for &id in order {
        nodes.entry(model.root(id.graph)).or_default().push(id);
    }
    let outside = model.graphs().filter(|(_, graph)| {
        !matches!(
            graph.kind,
            GraphKind::Attribute { .. } | GraphKind::Function(_)
        )
    });
    let functions = calls.callers_first().iter().map(|&function| {
        let body = model.functions[function].body;
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
