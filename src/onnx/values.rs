//! The producer, the uses and the scope of each value.
//!
//! A value is (graph, name). A graph inside an attribute also sees the names of the graphs around
//! it; a function body sees none but its own; `training_info`'s algorithm sees the main graph's.

mod edits;
mod states;
mod uses;

use std::hash::BuildHasher;
use std::ops::Index;
use std::sync::OnceLock;

use foldhash::fast::RandomState;
use hashbrown::HashTable;

use crate::hash::HashMap;

use super::data_type::DataType;
use super::graph::{Graph, GraphKind};
use super::ids::{GraphId, NodeId};
use super::model::Model;
use super::name::{Name, Recent};
use super::node::Node;
use uses::Uses;

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
#[non_exhaustive]
pub struct Value {
    /// The graph that defines it.
    pub graph: GraphId,
    /// Its name there.
    pub name: Name,
    /// Where it comes from.
    pub producer: Producer,
    /// The initializer of this name, if there is one: the value itself, or the default of an input.
    pub initializer: Option<u32>,
    uses: Uses,
}

/// Where a value comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
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
#[non_exhaustive]
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
///
/// Flat tables: a value, a name, a node, an input and a use are an entry each.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Values {
    values: Vec<Value>,
    /// Values by graph and name.
    names: HashTable<u32>,
    hasher: RandomState,
    /// Values, by where their names are.
    recent: Recent<u32>,
    /// For each graph, for each node, where its values are in `at_ports`.
    ports: Vec<Vec<Ports>>,
    /// The values at the inputs and outputs of nodes.
    at_ports: Vec<u32>,
    links: Vec<uses::Link>,
    /// The sparse initializers that are the defaults of inputs.
    sparse_defaults: HashMap<ValueId, u32>,
    /// Names defined twice in one graph, with the later definition.
    pub(super) duplicates: Vec<(GraphId, Name, Option<NodeId>)>,
    /// Uses of names that nothing defines.
    pub(super) undefined: Vec<(Use, Name)>,
    /// Worked out at the first question, by `semantics`; edits change no types.
    pub(crate) element_types: OnceLock<Box<[Option<ElementType>]>>,
}

/// The inputs of a node, then its outputs: ranges of [`Values::at_ports`].
#[derive(Clone, Copy, Debug, Default)]
struct Ports {
    first: u32,
    inputs: u32,
    outputs: u32,
}

impl Values {
    /// Finds all values of a model. Linear in its size.
    pub fn new(model: &Model) -> Values {
        let mut values = Values {
            values: Vec::new(),
            names: HashTable::new(),
            hasher: RandomState::default(),
            recent: Recent::default(),
            ports: vec![Vec::new(); model.graph_slots()],
            at_ports: Vec::new(),
            links: Vec::new(),
            sparse_defaults: HashMap::default(),
            duplicates: Vec::new(),
            undefined: Vec::new(),
            element_types: OnceLock::new(),
        };
        values.reserve(model);
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

    fn reserve(&mut self, model: &Model) {
        let (mut values, mut inputs, mut outputs) = (0, 0, 0);
        for (_, graph) in model.graphs() {
            values += graph.inputs.len() + graph.initializers.len();
            outputs += graph.outputs.len();
            for (_, node) in graph.nodes() {
                values += node.outputs.len();
                inputs += node.inputs.len();
            }
        }
        self.values.reserve(values);
        self.at_ports.reserve(values + inputs);
        self.links.reserve(inputs + outputs);
        let values = &self.values;
        let hasher = &self.hasher;
        let rehash = |&id: &u32| hash(hasher, values[id as usize].graph, &values[id as usize].name);
        self.names.reserve(values.capacity(), rehash);
    }

    /// The value that a graph itself has under this name.
    fn find(&self, graph: GraphId, name: &Name) -> Option<ValueId> {
        let is = |&id: &u32| {
            let value = &self.values[id as usize];
            value.graph == graph && value.name == *name
        };
        let hash = hash(&self.hasher, graph, name);
        self.names.find(hash, is).copied().map(ValueId)
    }

    fn define(&mut self, id: GraphId, graph: &Graph) {
        for (index, input) in graph.inputs.iter().enumerate() {
            self.add(id, &input.name, Producer::Input(index as u32));
        }
        for (index, tensor) in graph.initializers() {
            let input = self.find(id, &tensor.name);
            match input.filter(|&value| self.takes_default(value)) {
                Some(value) => self.values[value.index()].initializer = Some(index),
                None => {
                    if let Some(value) = self.add(id, &tensor.name, Producer::Initializer(index)) {
                        self.values[value.index()].initializer = Some(index);
                    }
                }
            }
        }
        for (index, sparse) in graph.sparse_initializers().iter().enumerate() {
            let name = &sparse.values.name;
            let input = self.find(id, name);
            match input.filter(|&value| self.takes_default(value)) {
                Some(value) => {
                    self.sparse_defaults.insert(value, index as u32);
                }
                None => {
                    self.add(id, name, Producer::SparseInitializer(index as u32));
                }
            }
        }
        self.ports[id.0 as usize] = vec![Ports::default(); graph.node_slots()];
        for (index, node) in graph.nodes() {
            self.define_node(NodeId { graph: id, index }, node);
        }
    }

    /// True of an input that has no default yet.
    fn takes_default(&self, value: ValueId) -> bool {
        let is_input = matches!(self[value].producer, Producer::Input(_));
        let has_default = self[value].initializer.is_some();
        is_input && !has_default && self.sparse_default(value).is_none()
    }

    /// The sparse initializer that is the default of an input, if there is one.
    pub(crate) fn sparse_default(&self, input: ValueId) -> Option<u32> {
        self.sparse_defaults.get(&input).copied()
    }

    /// Defines the outputs of a node, and makes room for its inputs.
    fn define_node(&mut self, id: NodeId, node: &Node) {
        self.ports[id.graph.0 as usize][id.index as usize] = Ports {
            first: self.at_ports.len() as u32,
            inputs: node.inputs.len() as u32,
            outputs: node.outputs.len() as u32,
        };
        let inputs = node.inputs.iter().map(|_| NONE);
        self.at_ports.extend(inputs);
        for (output, name) in node.outputs.iter().enumerate() {
            let output = output as u32;
            let added = self.add(id.graph, name, Producer::Node { node: id, output });
            let value = added.or_else(|| self.find(id.graph, name));
            self.at_ports.push(value.map_or(NONE, |value| value.0));
        }
    }

    /// Defines a value; `None` if its name is empty or that of another.
    fn add(&mut self, graph: GraphId, name: &Name, producer: Producer) -> Option<ValueId> {
        if name.is_empty() {
            return None;
        }
        let (values, hasher) = (&self.values, &self.hasher);
        let of = |id: &u32| {
            hash(
                hasher,
                values[*id as usize].graph,
                &values[*id as usize].name,
            )
        };
        let is = |id: &u32| {
            let value = &values[*id as usize];
            value.graph == graph && value.name == *name
        };
        let next = values.len() as u32;
        let entry = self.names.entry(hash(hasher, graph, name), is, of);
        let known = *entry.or_insert(next).get();
        if known == next {
            self.values.push(Value {
                graph,
                name: name.clone(),
                producer,
                initializer: None,
                uses: Uses::default(),
            });
            return Some(ValueId(next));
        }
        let old = &mut self.values[known as usize];
        if old.producer == Producer::Gone {
            old.producer = producer;
            return Some(ValueId(known));
        }
        let node = match producer {
            Producer::Node { node, .. } => Some(node),
            _ => None,
        };
        self.duplicates.push((graph, name.clone(), node));
        None
    }

    fn resolve(&mut self, model: &Model, id: GraphId, graph: &Graph) {
        for (index, node) in graph.nodes() {
            self.resolve_node(model, NodeId { graph: id, index }, node);
        }
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

    /// Finds the values at the inputs of a node, and those that its attributes name; a name in an
    /// attribute that nothing defines is for who runs the node to report.
    fn resolve_node(&mut self, model: &Model, id: NodeId, node: &Node) {
        let first = self.ports_of(id).first as usize;
        for (input, name) in node.inputs.iter().enumerate() {
            let at = Use::Input {
                node: id,
                input: input as u32,
            };
            self.at_ports[first + input] = self.use_name(model, id.graph, name, at);
        }
        // the nodes after it are those that use what it makes
        for (output, name) in node.outputs.iter().enumerate() {
            let port = first + node.inputs.len() + output;
            *self.recent.at(name.address()) = self.at_ports[port];
        }
        for name in node.named_values() {
            if let Some(value) = self.lookup(model, id.graph, &name) {
                self.add_use(value, Use::Attribute(id));
            }
        }
    }

    fn use_name(&mut self, model: &Model, graph: GraphId, name: &Name, at: Use) -> u32 {
        if name.is_empty() {
            return NONE;
        }
        let recent = *self.recent.at(name.address());
        let is = |value: &Value| value.graph == graph && value.name.address() == name.address();
        let known = self.values.get(recent as usize).is_some_and(is);
        let value = match known {
            true => Some(ValueId(recent)),
            false => self.lookup(model, graph, name),
        };
        match value {
            Some(value) => {
                *self.recent.at(name.address()) = value.0;
                self.add_use(value, at);
                value.0
            }
            None => {
                self.undefined.push((at, name.clone()));
                NONE
            }
        }
    }

    /// What a name means in a graph: its own value, or one of a graph around it.
    pub fn lookup(&self, model: &Model, graph: GraphId, name: &Name) -> Option<ValueId> {
        let mut scope = Some(graph);
        while let Some(graph) = scope {
            if let Some(value) = self.find(graph, name) {
                return Some(value);
            }
            scope = model.graph(graph).parent;
        }
        None
    }

    /// True if the graph itself defines this name.
    pub fn defines(&self, graph: GraphId, name: &Name) -> bool {
        let value = self.find(graph, name);
        value.is_some_and(|value| self[value].producer != Producer::Gone)
    }

    /// Where the values of a node are; nowhere if it was added later than these values were found.
    fn ports_of(&self, node: NodeId) -> Ports {
        let of_graph = &self.ports[node.graph.0 as usize];
        of_graph
            .get(node.index as usize)
            .copied()
            .unwrap_or_default()
    }

    fn at_port(&self, port: usize) -> Option<ValueId> {
        let value = self.at_ports[port];
        (value != NONE).then_some(ValueId(value))
    }

    /// The value at an input of a node; `None` if absent or undefined.
    pub fn input(&self, node: NodeId, input: usize) -> Option<ValueId> {
        let ports = self.ports_of(node);
        let is_input = input < ports.inputs as usize;
        is_input.then(|| self.at_port(ports.first as usize + input))?
    }

    /// The value at an output of a node; `None` if absent.
    pub fn output(&self, _: &Model, node: NodeId, output: usize) -> Option<ValueId> {
        let ports = self.ports_of(node);
        let first = (ports.first + ports.inputs) as usize;
        let is_output = output < ports.outputs as usize;
        is_output.then(|| self.at_port(first + output))?
    }

    /// True if something uses the value.
    pub fn is_used(&self, value: ValueId) -> bool {
        self[value].uses.is_used()
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

fn hash(hasher: &RandomState, graph: GraphId, name: &Name) -> u64 {
    hasher.hash_one((graph, name))
}
