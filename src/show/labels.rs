//! Names made up for values, such that no name of the file decides them.
//!
//! Nodes are taken in the order of a walk from the outputs towards the inputs, what an output needs
//! first before the output itself. Neither names nor the order of nodes in the file decide that
//! order, except for nodes that no output needs, which come last in file order.

use crate::hash::HashMap;
use crate::onnx::{Graph, GraphId, GraphKind, Model, NodeId, Producer, ValueId, Values};

/// Labels of values, and the order of nodes.
#[derive(Debug)]
pub(super) struct Labels {
    labels: Vec<Option<String>>,
    order: HashMap<GraphId, Vec<u32>>,
}

impl Labels {
    pub fn new(model: &Model, values: &Values) -> Labels {
        let mut walk = Walk {
            model,
            values,
            labels: vec![None; values.len()],
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
    model: &'m Model,
    values: &'m Values,
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
        let inputs = 0..self.model.node(node).inputs.len();
        let values = inputs.rev().filter_map(|i| self.values.input(node, i));
        needs.extend(values.filter_map(|value| self.producer(value)));
        stack.push((node, needs));
    }

    /// All it needs has a label: now its weights and outputs get theirs.
    fn close(&mut self, id: NodeId) {
        let node = self.model.node(id);
        for input in 0..node.inputs.len() {
            if let Some(value) = self.values.input(id, input) {
                self.weight(value);
            }
        }
        for graph in self.inner(id) {
            self.rest(graph);
        }
        for output in 0..node.outputs.len() {
            let value = self.values.output(self.model, id, output);
            if let Some(value) = value.filter(|value| self.labels[value.index()].is_none()) {
                self.labels[value.index()] = Some(format!("v{}", self.results));
                self.results += 1;
            }
        }
        self.order.entry(id.graph).or_default().push(id.index);
    }

    /// The graphs in a node's attributes, in the order in which they are shown.
    fn inner(&self, node: NodeId) -> Vec<GraphId> {
        let mut attributes: Vec<_> = self.model.node(node).attributes.iter().collect();
        attributes.sort_by(|a, b| a.name.cmp(&b.name));
        let graphs = attributes.iter().flat_map(|attribute| attribute.graphs());
        graphs.copied().collect()
    }

    /// The nodes that make a graph's outputs and then all others, last first.
    fn needs_of_graph(&self, id: GraphId) -> Vec<NodeId> {
        let graph = self.model.graph(id);
        let nodes = graph.nodes().rev();
        let mut needs: Vec<_> = nodes
            .map(|(index, _)| NodeId { graph: id, index })
            .collect();
        let outputs = graph.outputs.iter().rev();
        let values = outputs.filter_map(|info| self.values.lookup(self.model, id, &info.name));
        needs.extend(values.filter_map(|value| self.producer(value)));
        needs
    }

    fn producer(&self, value: ValueId) -> Option<NodeId> {
        match self.values[value].producer {
            Producer::Node { node, .. } => Some(node),
            _ => None,
        }
    }

    fn inputs(&mut self, id: GraphId) {
        for info in &self.model.graph(id).inputs {
            let value = self.values.lookup(self.model, id, &info.name);
            if let Some(value) = value.filter(|value| self.labels[value.index()].is_none()) {
                self.labels[value.index()] = Some(format!("x{}", self.inputs));
                self.inputs += 1;
            }
        }
    }

    fn weight(&mut self, value: ValueId) {
        let producer = self.values[value].producer;
        let is_weight = matches!(
            producer,
            Producer::Initializer(_) | Producer::SparseInitializer(_)
        );
        if is_weight && self.labels[value.index()].is_none() {
            self.labels[value.index()] = Some(format!("w{}", self.weights));
            self.weights += 1;
        }
    }

    /// Weights of a graph that no node uses.
    fn rest(&mut self, id: GraphId) {
        let graph = self.model.graph(id);
        let names = (graph.outputs.iter().map(|info| &info.name))
            .chain(graph.initializers().map(|(_, tensor)| &tensor.name))
            .chain((graph.sparse_initializers().iter()).map(|sparse| &sparse.values.name));
        for name in names {
            if let Some(value) = self.values.lookup(self.model, id, name) {
                self.weight(value);
            }
        }
    }
}
