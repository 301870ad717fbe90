//! Attributes of nodes.

use std::ops::Range;

use crate::wire::Field;

use super::ids::GraphId;
use super::name::Name;
use super::tensor::{SparseInitializer, Tensor};

/// An attribute of a node, or the default of a function's attribute.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Attribute {
    /// Its name.
    pub name: Name,
    /// Its value.
    pub value: AttributeValue,
    /// Its position in the file; `None` if an edit created it.
    pub(crate) field: Option<Field>,
}

/// What an attribute holds. By its `type` field; by what is there in files of IR version 1, which
/// have no `type`.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum AttributeValue {
    /// A 32-bit float.
    Float(f32),
    /// A 64-bit integer.
    Int(i64),
    /// A string of bytes.
    String(Vec<u8>),
    /// A tensor.
    Tensor(Box<Tensor>),
    /// A tensor that no file had: its encoded `TensorProto`.
    NewTensor(Vec<u8>),
    /// A graph: the body of an If, Loop, Scan or any other operator.
    Graph(GraphId),
    /// Floats.
    Floats(Vec<f32>),
    /// Integers.
    Ints(Vec<i64>),
    /// Strings.
    Strings(Vec<Vec<u8>>),
    /// Tensors.
    Tensors(Vec<Tensor>),
    /// Graphs.
    Graphs(Vec<GraphId>),
    /// The value of the calling node's attribute of this name (in functions only), with the type
    /// declared number.
    Reference(Name, i32),
    /// A sparse tensor.
    Sparse(Box<SparseInitializer>),
    /// Anything else (types, lists of sparse tensors, very large values): the attribute's bytes.
    Other(Range<u64>),
}

impl AttributeValue {
    /// True of two numbers, strings or lists of them that are the same to the bit, and of two tensors of the
    /// same bytes that no file had.
    pub(crate) fn is_same(&self, other: &AttributeValue) -> bool {
        use AttributeValue::{Float, Floats, Int, Ints, NewTensor, String, Strings};
        match (self, other) {
            (Float(one), Float(other)) => one.to_bits() == other.to_bits(),
            (Floats(one), Floats(other)) => one
                .iter()
                .map(|f| f.to_bits())
                .eq(other.iter().map(|f| f.to_bits())),
            (Int(one), Int(other)) => one == other,
            (Ints(one), Ints(other)) => one == other,
            (String(one), String(other)) | (NewTensor(one), NewTensor(other)) => one == other,
            (Strings(one), Strings(other)) => one == other,
            _ => false,
        }
    }
}

impl Attribute {
    /// An attribute that no file had.
    pub fn new(name: &str, value: AttributeValue) -> Attribute {
        Attribute {
            name: name.into(),
            value,
            field: None,
        }
    }

    /// The graphs it holds.
    pub fn graphs(&self) -> &[GraphId] {
        match &self.value {
            AttributeValue::Graph(graph) => std::slice::from_ref(graph),
            AttributeValue::Graphs(graphs) => graphs,
            _ => &[],
        }
    }

    /// The tensors it holds.
    pub fn tensors(&self) -> Vec<&Tensor> {
        match &self.value {
            AttributeValue::Tensor(tensor) => vec![tensor],
            AttributeValue::Tensors(tensors) => tensors.iter().collect(),
            AttributeValue::Sparse(sparse) => vec![&sparse.values, &sparse.indices],
            _ => Vec::new(),
        }
    }
}
