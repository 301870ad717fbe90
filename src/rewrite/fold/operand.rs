//! Constant inputs of nodes: which tensor they are, and why they cannot be changed.

use crate::error::Result;
use crate::onnx::{
    AttributeValue, DataType, GraphId, GraphKind, Model, NodeId, Producer, Tensor, Use, floats,
};
use crate::rewrite::Reason;
use crate::semantics::view::{NodeRef, ValueRef, View};

use super::factor::Factor;
use super::weights::is_scalable;

/// Constants of more elements are not read.
const MOST: u64 = 1 << 16;

/// Where a constant is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Holder {
    /// An initializer.
    Initializer(GraphId, u32),
    /// A `Constant` node.
    Constant(NodeId),
}

impl Holder {
    /// The value of the constant.
    pub fn value<'m>(&self, view: View<'m>) -> Option<ValueRef<'m>> {
        match *self {
            Holder::Initializer(graph, index) => {
                view.lookup(graph, &view.model.graph(graph).initializer(index).name)
            }
            Holder::Constant(id) => view.node(id).output(0),
        }
    }
}

/// A constant input of a node.
#[derive(Clone, Copy, Debug)]
pub(super) struct Operand<'m> {
    /// The input's value.
    pub value: ValueRef<'m>,
    pub holder: Holder,
    pub tensor: &'m Tensor,
}

/// The constant that a value is; `None` if a run computes it. The model must be free of cycles.
///
/// # Errors
/// Why it is no constant although its elements are in the file.
pub(super) fn constant(value: ValueRef<'_>) -> Result<Option<Operand<'_>>, Reason> {
    let (view, mut at) = (value.view(), value);
    loop {
        let graph = view.model.graph(at.graph);
        let initializer = |index: u32| Operand {
            value,
            holder: Holder::Initializer(at.graph, index),
            tensor: graph.initializer(index),
        };
        let name = &at.get().name;
        match (at.get().producer, at.node()) {
            (Producer::Initializer(index), _) => return Ok(Some(initializer(index))),
            // before IR version 4 every initializer had to be an input as well
            (Producer::Input(_), _) => match at.initializer {
                Some(index) if view.model.ir_version < 4 && graph.kind == GraphKind::Main => {
                    return Ok(Some(initializer(index)));
                }
                Some(_) => {
                    let why = format!("`{name}` is also a graph input");
                    return Err(Reason::Shared(why.into()));
                }
                None => return Ok(None),
            },
            (Producer::SparseInitializer(_), _) => {
                return Err(Reason::Type(format!("`{name}` is sparse").into()));
            }
            (_, Some(node)) => match node.input(0).filter(|_| node.op() == "Identity") {
                Some(input) => at = input,
                None => {
                    return Ok(tensor(node).map(|tensor| Operand {
                        value,
                        holder: Holder::Constant(node.id),
                        tensor,
                    }));
                }
            },
            (_, None) => return Ok(None),
        }
    }
}

/// The tensor of a `Constant` node.
fn tensor(node: NodeRef<'_>) -> Option<&Tensor> {
    match &node.get().attribute("value")?.value {
        AttributeValue::Tensor(tensor) if node.op() == "Constant" => Some(tensor),
        _ => None,
    }
}

impl Operand<'_> {
    /// Why its elements cannot be multiplied.
    pub fn obstacle(&self) -> Option<Reason> {
        let (value, element) = (self.value, self.tensor.data_type);
        if !is_scalable(element) {
            let quantised = matches!(element.bits(), Some(..=8)) || element == DataType::INT16;
            let what = if quantised { "quantised: " } else { "" };
            let why = format!("`{}` is {what}of type {element}", value.name);
            return Some(Reason::Type(why.into()));
        }
        let is_trained = |value: &ValueRef<'_>| {
            let trained = |at| matches!(at, Use::Binding(_) | Use::Attribute(_));
            value.uses().any(trained)
        };
        let stored = self.holder.value(value.view());
        let stored = stored.filter(|_| matches!(self.holder, Holder::Initializer(..)));
        let trained = [Some(value), stored]
            .into_iter()
            .flatten()
            .find(is_trained)?;
        let why = format!("`{}` is trained by the model itself", trained.name);
        Some(Reason::Shared(why.into()))
    }
}

/// The numbers of a constant.
pub(super) struct Numbers {
    pub dims: Vec<i64>,
    pub data_type: DataType,
    pub elements: Vec<f64>,
}

/// The numbers of a constant of a float type; `None` if it is no constant, or a large one.
pub(super) fn numbers(value: ValueRef<'_>) -> Result<Option<Numbers>> {
    if let Ok(Some(operand)) = constant(value) {
        return read(value.view().model, operand.tensor);
    }
    let Some(node) = value.node().filter(|node| node.op() == "Constant") else {
        return Ok(None);
    };
    let float = |dims, elements| Numbers {
        dims,
        data_type: DataType::FLOAT,
        elements,
    };
    Ok(match node.get().attributes.first().map(|a| &a.value) {
        Some(AttributeValue::Float(f)) => Some(float(vec![], vec![f64::from(*f)])),
        Some(AttributeValue::Floats(all)) => {
            let elements = all.iter().map(|&f| f64::from(f)).collect();
            Some(float(vec![all.len() as i64], elements))
        }
        _ => None,
    })
}

fn read(model: &Model, tensor: &Tensor) -> Result<Option<Numbers>> {
    let count = tensor.elements().filter(|count| (1..=MOST).contains(count));
    if count.is_none() || !is_scalable(tensor.data_type) {
        return Ok(None);
    }
    let bytes = model.small_elements(tensor, 8 * MOST)?;
    let elements = bytes.and_then(|bytes| floats(tensor.data_type, &bytes));
    let whole = elements.filter(|elements| Some(elements.len() as u64) == count);
    Ok(whole.map(|elements| Numbers {
        dims: tensor.dims.clone(),
        data_type: tensor.data_type,
        elements,
    }))
}

/// True of a constant input with this property of all its elements.
fn is_all(node: NodeRef<'_>, input: usize, is: impl Fn(f64) -> bool) -> bool {
    let numbers = node.input(input).map(numbers);
    matches!(numbers, Some(Ok(Some(constant))) if constant.elements.iter().all(|&n| is(n)))
}

/// True of an input that is a constant 0.
pub(super) fn is_zero(node: NodeRef<'_>, input: usize) -> bool {
    is_all(node, input, |number| number == 0.0)
}

/// True of a constant input that stays what it is when it is multiplied: zeros, and infinities by what
/// is positive.
pub(super) fn is_unmoved(node: NodeRef<'_>, input: usize, factor: &Factor) -> bool {
    let positive = factor.is_positive();
    is_all(node, input, |n| n == 0.0 || positive && n.is_infinite())
}
