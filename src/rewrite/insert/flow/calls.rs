//! Which functions call which.

use crate::hash::HashMap;
use crate::onnx::{GraphId, GraphKind, Model, NodeId};

/// Calls, and an order of the graphs that stand on their own.
pub(in crate::rewrite::insert) struct Calls {
    /// By body: the calls of its function, but for those in functions that nobody calls.
    of: HashMap<GraphId, Vec<NodeId>>,
    /// Graphs that stand on their own; callers come first.
    pub roots: Vec<Standing>,
}

/// A graph that stands on its own.
pub(in crate::rewrite::insert) struct Standing {
    pub graph: GraphId,
    /// Its nodes and those of the graphs inside it, in the order given.
    pub nodes: Vec<NodeId>,
    /// False of functions that nobody calls, and of those that only these call.
    pub runs: bool,
}

impl Calls {
    /// `order`: all nodes, such that one comes after what it depends on.
    pub fn new(model: &Model, order: &[NodeId]) -> Self {
        let mut nodes: HashMap<GraphId, Vec<NodeId>> = HashMap::default();
        let mut calls: HashMap<GraphId, Vec<(GraphId, NodeId)>> = HashMap::default();
        for &id in order {
            let root = model.root(id.graph);
            nodes.entry(root).or_default().push(id);
            if let Some(callee) = model.callee(model.node(id)) {
                let body = model.functions[callee].body;
                calls.entry(root).or_default().push((body, id));
            }
        }
        // depth first, a graph behind all that it calls; then the other way round. Functions that call
        // themselves are in some order.
        let mut roots = Vec::new();
        let mut seen = vec![false; model.graph_slots()];
        let mut stack: Vec<(GraphId, usize)> = Vec::new();
        let mut of: HashMap<GraphId, Vec<NodeId>> = HashMap::default();
        let is = |id: GraphId, function: bool| match model.graph(id).kind {
            GraphKind::Attribute { .. } => false,
            GraphKind::Function(_) => function,
            _ => !function,
        };
        let ids = || model.graphs().map(|(id, _)| id);
        let starts = ids().filter(|&id| is(id, false));
        for start in starts.chain(ids().filter(|&id| is(id, true))) {
            if seen[start.0 as usize] {
                continue;
            }
            let runs = is(start, false);
            seen[start.0 as usize] = true;
            stack.push((start, 0));
            while let Some((graph, next)) = stack.last_mut() {
                let callee = calls.get(graph).and_then(|callees| callees.get(*next));
                *next += 1;
                if let (Some(&(callee, call)), true) = (callee, runs) {
                    of.entry(callee).or_default().push(call);
                }
                match callee.map(|&(callee, _)| callee) {
                    Some(callee) if !seen[callee.0 as usize] => {
                        seen[callee.0 as usize] = true;
                        stack.push((callee, 0));
                    }
                    Some(_) => {}
                    None => {
                        roots.push(Standing {
                            graph: *graph,
                            nodes: nodes.remove(graph).unwrap_or_default(),
                            runs,
                        });
                        stack.pop();
                    }
                }
            }
        }
        roots.reverse();
        Calls { of, roots }
    }

    /// The calls of the function with this body.
    pub fn of(&self, body: GraphId) -> &[NodeId] {
        self.of.get(&body).map_or(&[], Vec::as_slice)
    }
}
