//! Graphs: the main one, those in attributes, function bodies, training graphs.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::source::{Rope, Source};
use crate::wire::Field;

use super::ids::{GraphId, NodeId};
use super::name::Name;
use super::node::Node;
use super::tensor::{SparseInitializer, Tensor};
use super::value_type::ValueType;

/// The scope of a graph.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum GraphKind {
    /// `ModelProto.graph`.
    Main,
    /// In an attribute of a node.
    Attribute {
        /// The node.
        node: NodeId,
        /// The attribute.
        attribute: Name,
    },
    /// The body of a model-local function: an index into the model's functions.
    Function(usize),
    /// `training_info[i].initialization`, which has no outer scope.
    TrainingInitialization(usize),
    /// `training_info[i].algorithm`: sees the main graph's names.
    TrainingAlgorithm(usize),
}

/// A `GraphProto`, or the body of a `FunctionProto`.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Graph {
    /// Whether it is the main graph, a subgraph or the body of a function.
    pub kind: GraphKind,
    /// The graph whose names it also sees.
    pub parent: Option<GraphId>,
    /// Its name; empty for functions, which have theirs in [`super::Function`].
    pub name: Name,
    pub(crate) nodes: Vec<Node>,
    /// Inputs in order; of a function, names without types.
    pub inputs: Vec<ValueInfo>,
    /// Outputs in order; of a function, names without types.
    pub outputs: Vec<ValueInfo>,
    pub(crate) value_infos: Vec<ValueInfo>,
    pub(crate) initializers: Vec<Tensor>,
    pub(crate) sparse_initializers: Vec<SparseInitializer>,
    pub(crate) annotations: Vec<QuantizationAnnotation>,
    /// Everything in file order; copies of the graph share it.
    pub(crate) slots: Arc<Vec<Slot>>,
    /// For each time its field occurs in the message around it, its first slot.
    pub(crate) frames: Vec<usize>,
    pub(crate) edits: GraphEdits,
}

/// A field of the graph and what it is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Slot {
    pub field: Field,
    pub part: Part,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    Node(u32),
    Initializer(u32),
    ValueInfo(u32),
    Annotation(u32),
    Verbatim,
    /// An input or output that an edit took out.
    Removed,
}

/// What edits did to a graph, besides its nodes.
#[derive(Clone, Debug, Default)]
pub(crate) struct GraphEdits {
    /// True if it or a subgraph has edits.
    pub dirty: bool,
    /// New nodes, each with the node it precedes; `None`: at the end.
    pub inserted: Vec<(Option<u32>, u32)>,
    pub removed_initializers: BTreeSet<u32>,
    /// Encoded `TensorProto`s that replace initializers.
    pub replaced_initializers: BTreeMap<u32, Vec<u8>>,
    /// Encoded `TensorProto`s created by edits; their tensors follow the others.
    pub added_initializers: Vec<Rope>,
    /// Elements that replace those of initializers; everything else of these stays.
    pub new_elements: BTreeMap<u32, Source>,
    /// Encoded fields that no file had: inputs, outputs, types of values.
    pub added_fields: Vec<Vec<u8>>,
    pub removed_value_infos: BTreeSet<u32>,
    /// Types that are now about a value of another name.
    pub renamed_value_infos: BTreeMap<u32, Name>,
    pub removed_annotations: BTreeSet<u32>,
    /// Annotations that are now about a value of another name.
    pub renamed_annotations: BTreeMap<u32, Name>,
}

/// A `ValueInfoProto`: a name and its type, undecoded.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ValueInfo {
    /// The value's name.
    pub name: Name,
    /// Its encoded type, shared like a name: most values have the type of another.
    pub(crate) type_bytes: Option<Name>,
}

impl ValueInfo {
    /// Its type, as far as the file declares it.
    pub fn value_type(&self) -> ValueType {
        match &self.type_bytes {
            Some(bytes) => ValueType::decode(bytes.as_bytes()),
            None => ValueType::Unknown,
        }
    }

    /// Its `TypeProto`, undecoded.
    pub fn type_bytes(&self) -> Option<&[u8]> {
        self.type_bytes.as_ref().map(Name::as_bytes)
    }
}

/// A `TensorAnnotation`: how a value is quantised.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct QuantizationAnnotation {
    /// The value it is about.
    pub tensor_name: Name,
    /// The values it names as scale, zero point and the like.
    pub parameters: Vec<Name>,
}

impl Graph {
    pub(crate) fn new(kind: GraphKind, parent: Option<GraphId>) -> Graph {
        Graph {
            kind,
            parent,
            name: Name::default(),
            nodes: Vec::new(),
            inputs: Vec::new(),
            outputs: Vec::new(),
            value_infos: Vec::new(),
            initializers: Vec::new(),
            sparse_initializers: Vec::new(),
            annotations: Vec::new(),
            slots: Arc::default(),
            frames: Vec::new(),
            edits: GraphEdits::default(),
        }
    }

    /// Removes the n-th remaining field of this number.
    pub(crate) fn remove_slot(&mut self, number: u32, n: usize) {
        let mut slots = Arc::make_mut(&mut self.slots).iter_mut();
        let mut matching = slots
            .by_ref()
            .filter(|slot| slot.part == Part::Verbatim && slot.field.is_bytes(number));
        if let Some(slot) = matching.nth(n) {
            slot.part = Part::Removed;
        }
    }

    /// Its nodes with their indices, except for removed ones. In file order; nodes that edits added
    /// come last, wherever they will be written.
    pub fn nodes(&self) -> impl DoubleEndedIterator<Item = (u32, &Node)> {
        let nodes = self.nodes.iter().enumerate();
        nodes
            .filter(|(_, node)| !node.is_removed())
            .map(|(i, node)| (i as u32, node))
    }

    /// How many nodes it has, removed ones included: one more than the largest index.
    pub fn node_slots(&self) -> usize {
        self.nodes.len()
    }

    /// Its initializers with their indices, except for removed ones.
    pub fn initializers(&self) -> impl Iterator<Item = (u32, &Tensor)> {
        let all = self.initializers.iter().enumerate();
        all.map(|(i, tensor)| (i as u32, tensor))
            .filter(|(i, _)| !self.edits.removed_initializers.contains(i))
    }

    /// The initializer with this index.
    pub fn initializer(&self, index: u32) -> &Tensor {
        &self.initializers[index as usize]
    }

    /// Its sparse initializers.
    pub fn sparse_initializers(&self) -> &[SparseInitializer] {
        &self.sparse_initializers
    }

    /// Types of values between inputs and outputs.
    pub fn value_infos(&self) -> &[ValueInfo] {
        &self.value_infos
    }

    /// Quantisation annotations.
    pub fn annotations(&self) -> &[QuantizationAnnotation] {
        &self.annotations
    }
}
