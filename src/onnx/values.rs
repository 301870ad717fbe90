//! The producer, the uses and the scope of each value.
//!
//! A value is (graph, name). A graph inside an attribute also sees the names of the graphs around
//! it; a function body sees none but its own; `training_info`'s algorithm sees the main graph's.

mod edits;

use std::collections::hash_map::Entry;
use std::ops::Index;
use std::sync::OnceLock;

use crate::hash::HashMap;

use super::data_type::DataType;
use super::graph::{Graph, GraphId, GraphKind};
use super::model::Model;
use super::name::Name;
use super::node::{Node, NodeId};

/// A value of a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ValueId(u32);

impl ValueId {
    /// Its index among all values of the model.
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

const NONE: u32 = u32::MAX;

/// A value: its producer and its uses.
#[derive(Clone, Debug)]
pub struct Value {
    /// The graph that defines it.
    pub graph: GraphId,
    /// Its name there.
    pub name: Name,
    /// Where it comes from.
    pub producer: Producer,
    /// The initializer of this name, if there is one: the value itself, or the default of an input.
    pub initializer: Option<u32>,
    /// The sparse initializer that is the default of an input, if there is one.
    pub(crate) sparse: Option<u32>,
    /// Its uses; entries may be stale, see [`Values::uses`].
    uses: Vec<Use>,
    /// How many entries are not stale.
    live: u32,
}

impl Value {
    /// True of an input that has no default yet.
    fn takes_default(&self) -> bool {
        let has_default = self.initializer.is_some() || self.sparse.is_some();
        matches!(self.producer, Producer::Input(_)) && !has_default
    }
}

/// Where a value comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Producer {
    /// An output of a node.
    Node {
        /// The node.
        node: NodeId,
        /// Which output.
        output: u32,
    },
    /// An input of its graph, by index; it may have an initializer as default.
    Input(u32),
    /// An initializer that is no graph input.
    Initializer(u32),
    /// A sparse initializer.
    SparseInitializer(u32),
    /// Nothing any more: an edit took its producer out.
    Gone,
}

/// A use of a value. If the graph is inside the one that defines the value, the value is captured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Use {
    /// An input of a node.
    Input {
        /// The node.
        node: NodeId,
        /// Which input.
        input: u32,
    },
    /// An output of a graph.
    Output {
        /// The graph.
        graph: GraphId,
        /// Which output.
        output: u32,
    },
    /// Named as scale or zero point by a quantisation annotation of this graph.
    Annotation(GraphId),
    /// Named by a binding of this `training_info`.
    Binding(usize),
    /// Named by an attribute of this node, see [`Node::named_values`].
    Attribute(NodeId),
}

/// The element type of a value, and how many sequences and optionals are around it.
pub(crate) type ElementType = (DataType, u8);

/// The values of a model, by scope.
#[derive(Clone, Debug)]
pub struct Values {
    values: Vec<Value>,
    scopes: Vec<HashMap<Name, u32>>,
    /// For each graph, for each node, what its inputs are.
    inputs: Vec<Vec<Box<[u32]>>>,
    /// Names defined twice in one graph, with the later definition.
    pub(super) duplicates: Vec<(GraphId, Name, Option<NodeId>)>,
    /// Uses of names that nothing defines.
    pub(super) undefined: Vec<(Use, Name)>,
    /// Worked out at the first question, by `semantics`; edits change no types.
    pub(crate) element_types: OnceLock<Box<[Option<ElementType>]>>,
}

impl Values {
    /// Finds all values of a model. Linear in its size.
    pub fn new(model: &Model) -> Values {
        let mut values = Values {
            values: Vec::new(),
            scopes: vec![HashMap::default(); model.graph_slots()],
            inputs: vec![Vec::new(); model.graph_slots()],
            duplicates: Vec::new(),
            undefined: Vec::new(),
            element_types: OnceLock::new(),
        };
        for (id, graph) in model.graphs() {
            values.define(id, graph);
        }
        for (id, graph) in model.graphs() {
            values.resolve(model, id, graph);
        }
        for (index, training) in model.training().iter().enumerate() {
            for name in &training.bound {
                for graph in [
                    training.algorithm,
                    training.initialization,
                    Some(model.main()),
                ] {
                    if let Some(value) = graph.and_then(|g| values.lookup(model, g, name)) {
                        values.add_use(value, Use::Binding(index));
                    }
                }
            }
        }
        values
    }

    fn define(&mut self, id: GraphId, graph: &Graph) {
        for (index, input) in graph.inputs.iter().enumerate() {
            self.add(id, &input.name, Producer::Input(index as u32));
        }
        for (index, tensor) in graph.initializers() {
            let scope = &self.scopes[id.0 as usize];
            let input = scope.get(&tensor.name).copied();
            match input.map(|value| &mut self.values[value as usize]) {
                Some(value) if value.takes_default() => value.initializer = Some(index),
                _ => {
                    if let Some(value) = self.add(id, &tensor.name, Producer::Initializer(index)) {
                        self.values[value.0 as usize].initializer = Some(index);
                    }
                }
            }
        }
        for (index, sparse) in graph.sparse_initializers().iter().enumerate() {
            let name = &sparse.values.name;
            let input = self.scopes[id.0 as usize].get(name).copied();
            match input.map(|value| &mut self.values[value as usize]) {
                Some(value) if value.takes_default() => value.sparse = Some(index as u32),
                _ => {
                    self.add(id, name, Producer::SparseInitializer(index as u32));
                }
            }
        }
        for (index, node) in graph.nodes() {
            let node_id = NodeId { graph: id, index };
            for (output, name) in node.outputs.iter().enumerate() {
                let output = output as u32;
                self.add(
                    id,
                    name,
                    Producer::Node {
                        node: node_id,
                        output,
                    },
                );
            }
        }
    }

    fn add(&mut self, graph: GraphId, name: &Name, producer: Producer) -> Option<ValueId> {
        if name.is_empty() {
            return None;
        }
        let next = self.values.len() as u32;
        match self.scopes[graph.0 as usize].entry(name.clone()) {
            Entry::Occupied(entry)
                if self.values[*entry.get() as usize].producer == Producer::Gone =>
            {
                let value = *entry.get();
                self.values[value as usize].producer = producer;
                Some(ValueId(value))
            }
            Entry::Occupied(_) => {
                let node = match producer {
                    Producer::Node { node, .. } => Some(node),
                    _ => None,
                };
                self.duplicates.push((graph, name.clone(), node));
                None
            }
            Entry::Vacant(entry) => {
                entry.insert(next);
                self.values.push(Value {
                    graph,
                    name: name.clone(),
                    producer,
                    initializer: None,
                    sparse: None,
                    uses: Vec::new(),
                    live: 0,
                });
                Some(ValueId(next))
            }
        }
    }

    fn resolve(&mut self, model: &Model, id: GraphId, graph: &Graph) {
        let mut all: Vec<Box<[u32]>> = vec![Box::default(); graph.node_slots()];
        for (index, node) in graph.nodes() {
            let node_id = NodeId { graph: id, index };
            let inputs = node.inputs.iter().enumerate().map(|(input, name)| {
                let input = input as u32;
                let at = Use::Input {
                    node: node_id,
                    input,
                };
                self.use_name(model, id, name, at)
            });
            all[index as usize] = inputs.collect();
            self.use_named(model, node_id, node);
        }
        self.inputs[id.0 as usize] = all;
        for (output, info) in graph.outputs.iter().enumerate() {
            let output = output as u32;
            self.use_name(model, id, &info.name, Use::Output { graph: id, output });
        }
        for annotation in graph.annotations() {
            for name in &annotation.parameters {
                if let Some(value) = self.lookup(model, id, name) {
                    self.add_use(value, Use::Annotation(id));
                }
            }
        }
    }

    fn use_name(&mut self, model: &Model, graph: GraphId, name: &Name, at: Use) -> u32 {
        if name.is_empty() {
            return NONE;
        }
        match self.lookup(model, graph, name) {
            Some(value) => {
                self.add_use(value, at);
                value.0
            }
            None => {
                self.undefined.push((at, name.clone()));
                NONE
            }
        }
    }

    /// Takes note of the values that attributes of a node name; a name that nothing defines is for
    /// who runs the node to report.
    fn use_named(&mut self, model: &Model, id: NodeId, node: &Node) {
        for name in node.named_values() {
            if let Some(value) = self.lookup(model, id.graph, &name) {
                self.add_use(value, Use::Attribute(id));
            }
        }
    }

    fn add_use(&mut self, value: ValueId, at: Use) {
        let value = &mut self.values[value.0 as usize];
        value.uses.push(at);
        value.live += 1;
    }

    /// What a name means in a graph: its own value, or one of a graph around it.
    pub fn lookup(&self, model: &Model, graph: GraphId, name: &Name) -> Option<ValueId> {
        let mut scope = Some(graph);
        while let Some(graph) = scope {
            if let Some(&value) = self.scopes[graph.0 as usize].get(name) {
                return Some(ValueId(value));
            }
            scope = model.graph(graph).parent;
        }
        None
    }

    /// True if the graph itself defines this name.
    pub fn defines(&self, graph: GraphId, name: &Name) -> bool {
        let value = self.scopes[graph.0 as usize].get(name);
        value.is_some_and(|&value| self.values[value as usize].producer != Producer::Gone)
    }

    /// The value at an input of a node; `None` if absent or undefined.
    pub fn input(&self, node: NodeId, input: usize) -> Option<ValueId> {
        let inputs = self.inputs[node.graph.0 as usize].get(node.index as usize)?;
        let value = *inputs.get(input)?;
        (value != NONE).then_some(ValueId(value))
    }

    /// The value at an output of a node; `None` if absent.
    pub fn output(&self, model: &Model, node: NodeId, output: usize) -> Option<ValueId> {
        let name = model.node(node).output(output)?;
        let value = *self.scopes[node.graph.0 as usize].get(name)?;
        Some(ValueId(value))
    }

    /// The current uses of a value.
    pub fn uses(&self, value: ValueId) -> impl Iterator<Item = Use> + '_ {
        let uses = self[value].uses.iter().copied();
        uses.filter(move |&at| match at {
            Use::Input { node, input } => self.input(node, input as usize) == Some(value),
            _ => true,
        })
    }

    /// True if something uses the value.
    pub fn is_used(&self, value: ValueId) -> bool {
        self[value].live > 0
    }

    /// The number of values, including removed ones.
    pub fn len(&self) -> usize {
        self.values.len()
    }

    /// All of them.
    pub fn ids(&self) -> impl Iterator<Item = ValueId> + use<> {
        (0..self.values.len() as u32).map(ValueId)
    }

    /// True of a model without values.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// The graphs from `inner` out to `outer`, without `outer`.
    pub fn between<'a>(
        &self,
        model: &'a Model,
        inner: GraphId,
        outer: GraphId,
    ) -> impl Iterator<Item = GraphId> + use<'a> {
        let mut next = Some(inner);
        std::iter::from_fn(move || {
            let graph = next.filter(|&graph| graph != outer)?;
            next = match model.graph(graph).kind {
                GraphKind::Function(_) => None,
                _ => model.graph(graph).parent,
            };
            Some(graph)
        })
    }
}

impl Index<ValueId> for Values {
    type Output = Value;

    fn index(&self, id: ValueId) -> &Value {
        &self.values[id.0 as usize]
    }
}
