//! Names made up for values, such that no name of the file decides them.
//!
//! Nodes are taken in the order of a walk from the outputs towards the inputs, what an output needs
//! first before the output itself. Neither names nor the order of nodes in the file decide that
//! order, except for nodes that no output needs, which come last in file order.

use crate::hash::HashMap;
use crate::onnx::{Graph, GraphId, GraphKind, NodeId, ValueId};
use crate::semantics::view::{ValueRef, View};

/// Unused weights up to this size in bytes are ordered by their elements, too.
const SMALL: u64 = 128;

/// Labels of values, and the order of nodes.
#[derive(Debug)]
pub(super) struct Labels {
    labels: Vec<Option<String>>,
    order: HashMap<GraphId, Vec<u32>>,
}

impl Labels {
    pub fn new(view: View<'_>) -> Labels {
        let model = view.model;
        let mut walk = Walk {
            view,
            labels: vec![None; view.values.len()],
            order: HashMap::default(),
            seen: (model.graphs()).fold(Vec::new(), |mut seen, (id, graph)| {
                seen.resize(seen.len().max(id.0 as usize + 1), Vec::new());
                seen[id.0 as usize] = vec![false; graph.node_slots()];
                seen
            }),
            inputs: 0,
            weights: 0,
            results: 0,
        };
        let function = |graph: &Graph| matches!(graph.kind, GraphKind::Function(_));
        let root = |graph: &Graph| !matches!(graph.kind, GraphKind::Attribute { .. });
        // training graphs see the main graph's names: they count on
        for (id, _) in (model.graphs()).filter(|(_, graph)| root(graph) && !function(graph)) {
            walk.root(id);
        }
        for (id, _) in model.graphs().filter(|(_, graph)| function(graph)) {
            // what a function's values are called does not depend on the rest of the model
            (walk.inputs, walk.weights, walk.results) = (0, 0, 0);
            walk.root(id);
        }
        Labels {
            labels: walk.labels,
            order: walk.order,
        }
    }

    /// The label of a value; `None` of one that nothing produces.
    pub fn of(&self, value: ValueId) -> Option<&str> {
        self.labels.get(value.index())?.as_deref()
    }

    /// The nodes of a graph in order.
    pub fn order(&self, graph: GraphId) -> &[u32] {
        self.order.get(&graph).map_or(&[], Vec::as_slice)
    }
}

struct Walk<'m> {
    view: View<'m>,
    labels: Vec<Option<String>>,
    order: HashMap<GraphId, Vec<u32>>,
    seen: Vec<Vec<bool>>,
    inputs: usize,
    weights: usize,
    results: usize,
}

impl Walk<'_> {
    /// Walks a top-level graph and its subgraphs.
    fn root(&mut self, graph: GraphId) {
        self.inputs(graph);
        let mut stack = Vec::new();
        for node in self.needs_of_graph(graph).into_iter().rev() {
            self.open(node, &mut stack);
            while let Some((node, needs)) = stack.last_mut() {
                match needs.pop() {
                    Some(next) => self.open(next, &mut stack),
                    None => {
                        let node = *node;
                        stack.pop();
                        self.close(node);
                    }
                }
            }
        }
        self.rest(graph);
    }

    fn open(&mut self, node: NodeId, stack: &mut Vec<(NodeId, Vec<NodeId>)>) {
        let seen = &mut self.seen[node.graph.0 as usize][node.index as usize];
        if std::mem::replace(seen, true) {
            return;
        }
        let mut needs = Vec::new();
        for graph in self.inner(node).into_iter().rev() {
            self.inputs(graph);
            needs.extend(self.needs_of_graph(graph));
        }
        let inputs = self.view.node(node).inputs().rev().flatten();
        needs.extend(inputs.filter_map(producer));
        stack.push((node, needs));
    }

    /// All it needs has a label: now its weights and outputs get theirs.
    fn close(&mut self, id: NodeId) {
        let node = self.view.node(id);
        for value in node.inputs().flatten() {
            self.weight(value);
        }
        for graph in self.inner(id) {
            self.rest(graph);
        }
        for value in node.outputs().flatten() {
            self.label(value.id, 'v', |walk| &mut walk.results);
        }
        self.order.entry(id.graph).or_default().push(id.index);
    }

    /// Labels a value that has none by a letter and the next number.
    fn label(&mut self, value: ValueId, letter: char, next: impl Fn(&mut Self) -> &mut usize) {
        if self.labels[value.index()].is_none() {
            let next = next(self);
            let label = format!("{letter}{next}");
            *next += 1;
            self.labels[value.index()] = Some(label);
        }
    }

    /// The graphs in a node's attributes, in the order in which they are shown.
    fn inner(&self, node: NodeId) -> Vec<GraphId> {
        let mut attributes: Vec<_> = self.view.node(node).get().attributes.iter().collect();
        attributes.sort_by(|a, b| a.name.cmp(&b.name));
        let graphs = attributes.iter().flat_map(|attribute| attribute.graphs());
        graphs.copied().collect()
    }

    /// The nodes that make a graph's outputs and then all others, last first.
    fn needs_of_graph(&self, id: GraphId) -> Vec<NodeId> {
        let nodes = self.view.nodes_of(id).rev();
        let mut needs: Vec<_> = nodes.map(|node| node.id).collect();
        let outputs: Vec<_> = self.view.graph_outputs(id).flatten().collect();
        needs.extend(outputs.into_iter().rev().filter_map(producer));
        needs
    }

    fn inputs(&mut self, id: GraphId) {
        for value in self.view.graph_inputs(id).flatten() {
            self.label(value.id, 'x', |walk| &mut walk.inputs);
        }
    }

    fn weight(&mut self, value: ValueRef<'_>) {
        if value.is_weight() {
            self.label(value.id, 'w', |walk| &mut walk.weights);
        }
    }

    /// Weights of a graph that no node uses.
    fn rest(&mut self, id: GraphId) {
        let graph = self.view.model.graph(id);
        let model = self.view.model;
        let mut unused: Vec<_> = graph.initializers().map(|(_, tensor)| tensor).collect();
        // not in the order of the file
        unused.sort_by_cached_key(|tensor| {
            let elements = match tensor.external {
                Some(_) => None,
                None => model.small_elements(tensor, SMALL).ok().flatten(),
            };
            (tensor.data_type.0, tensor.dims.clone(), elements)
        });
        let names = (graph.outputs.iter().map(|info| &info.name))
            .chain(unused.into_iter().map(|tensor| &tensor.name))
            .chain((graph.sparse_initializers().iter()).map(|sparse| &sparse.values.name));
        for name in names {
            if let Some(value) = self.view.lookup(id, name) {
                self.weight(value);
            }
        }
    }
}

fn producer(value: ValueRef<'_>) -> Option<NodeId> {
    value.node().map(|node| node.id)
}
