//! Finding the constant that an input comes from.

use crate::error::Result;
use crate::onnx::{
    AttributeValue, DataType, GraphId, NodeId, Producer, Tensor, ValueId, numbers, same,
};
use crate::semantics::operator::Operator;
use crate::semantics::scalar::epsilon;
use crate::semantics::view::{NodeRef, ValueRef};

/// Constants of more bytes are taken for weights.
const LARGEST: u64 = 1 << 16;

/// A constant input whose elements are all one number.
#[derive(Clone, Debug)]
pub(super) struct ConstantInput {
    pub value: ValueId,
    pub number: f64,
    /// The default of an input of the model: no copy can take its place.
    pub is_default: bool,
    pub stored: Stored,
    pub element: DataType,
    pub dims: Vec<i64>,
    /// True if there are nodes between it and its use.
    pub passed_on: bool,
}

/// Where a constant is stored.
#[derive(Clone, Copy, Debug)]
pub(super) enum Stored {
    Initializer(GraphId, u32),
    Node(NodeId),
}

/// The elements of a constant: the number that they all are, their type, and their shape.
type Uniform = (f64, DataType, Vec<i64>);

impl ConstantInput {
    /// How near, relatively, it is to what it was computed from.
    pub fn precision(&self) -> f64 {
        epsilon(self.element).max(1e-6)
    }
}

/// The constant that an input of a node is, if it is one.
pub(super) fn find(node: NodeRef<'_>, input: usize) -> Result<Option<ConstantInput>> {
    let Some(read) = node.input(input) else {
        return Ok(None);
    };
    let mut value = read;
    while let Some(node) = value.node()
        && let Some(passed) = (0..2).find(|&input| passes(node, input))
    {
        match node.input(passed) {
            Some(next) => value = next,
            None => return Ok(None),
        }
    }
    let model = node.view().model;
    let (stored, is_default, found, spread) = match (value.node(), value.initializer_index()) {
        (Some(node), _) if matches!(node.op(), "Constant" | "ConstantOfShape") => {
            let spread = node.op() == "ConstantOfShape";
            (Stored::Node(node.id), false, constant(node)?, spread)
        }
        (None, Some(index)) => {
            let tensor = model.graph(value.graph).initializer(index);
            let input = matches!(value.get().producer, Producer::Input(_));
            let stored = Stored::Initializer(value.graph, index);
            let is_default = input && model.ir_version >= 4;
            (stored, is_default, uniform(value, tensor)?, false)
        }
        _ => return Ok(None),
    };
    Ok(found.map(|(number, element, dims)| ConstantInput {
        value: value.id,
        number,
        is_default,
        stored,
        element,
        dims,
        passed_on: value != read || spread,
    }))
}

/// True if a node passes its input through, possibly by a product with ones.
pub(super) fn passes(node: NodeRef<'_>, input: usize) -> bool {
    if copies(node) {
        return input == 0;
    }
    node.op() == "Mul" && node.input(1 - input.min(1)).is_some_and(is_ones)
}

fn copies(node: NodeRef<'_>) -> bool {
    node.operator().is_some_and(Operator::copies)
}

/// True of ones in some shape: what Keras multiplies by a scale to have a mask for its recurrent layers.
fn is_ones(mut value: ValueRef<'_>) -> bool {
    while let Some(node) = value.node().filter(|node| copies(*node)) {
        match node.input(0) {
            Some(next) => value = next,
            None => return false,
        }
    }
    let found = match (value.node(), value.initializer()) {
        (Some(node), _) => constant(node),
        (None, Some(tensor)) => uniform(value, tensor),
        (None, None) => return false,
    };
    matches!(found, Ok(Some((number, ..))) if number == 1.0)
}

fn uniform(value: ValueRef<'_>, tensor: &Tensor) -> Result<Option<Uniform>> {
    let bytes = value.view().model.small_elements(tensor, LARGEST)?;
    let numbers = bytes.and_then(|bytes| numbers(tensor.data_type, &bytes));
    let number = numbers.and_then(|numbers| same(&numbers));
    Ok(number.map(|number| (number, tensor.data_type, tensor.dims.clone())))
}

/// The elements of a Constant or a ConstantOfShape, in the shape of its attribute.
fn constant(node: NodeRef<'_>) -> Result<Option<Uniform>> {
    let ("Constant" | "ConstantOfShape", [attribute]) = (node.op(), &node.get().attributes[..])
    else {
        return Ok(None);
    };
    match (&attribute.value, node.output(0)) {
        (AttributeValue::Float(f), _) => Ok(Some((f64::from(*f), DataType::FLOAT, Vec::new()))),
        (AttributeValue::Tensor(tensor), Some(output)) => uniform(output, tensor),
        _ => Ok(None),
    }
}
