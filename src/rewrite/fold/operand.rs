//! Constant inputs of nodes: which tensor they are, and why they cannot be changed.

use crate::onnx::{
    AttributeValue, DataType, GraphId, GraphKind, Model, NodeId, Producer, Tensor, Use, ValueId,
    Values,
};

use super::weights::is_scalable;

/// Where a constant stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Holder {
    /// An initializer.
    Initializer(GraphId, u32),
    /// A `Constant` node.
    Constant(NodeId),
}

/// A constant input of a node.
#[derive(Clone, Copy, Debug)]
pub(super) struct Operand<'m> {
    /// The input's value.
    pub value: ValueId,
    pub holder: Holder,
    pub tensor: &'m Tensor,
}

/// What stands between a constant and the node that uses it, at most.
const DEPTH: usize = 16;

/// The constant that a value is; `None` if a run computes it.
///
/// # Errors
/// Why it is no constant although it has elements in the file.
pub(super) fn constant<'m>(
    model: &'m Model,
    values: &Values,
    value: ValueId,
) -> Result<Option<Operand<'m>>, String> {
    let mut at = value;
    for _ in 0..DEPTH {
        let known = &values[at];
        let graph = model.graph(known.graph);
        let initializer = |index: u32| Operand {
            value,
            holder: Holder::Initializer(known.graph, index),
            tensor: graph.initializer(index),
        };
        match known.producer {
            Producer::Initializer(index) => return Ok(Some(initializer(index))),
            // before IR version 4 every initializer had to be an input as well
            Producer::Input(_) => match known.initializer {
                Some(index) if model.ir_version < 4 && graph.kind == GraphKind::Main => {
                    return Ok(Some(initializer(index)));
                }
                Some(_) => {
                    let name = &known.name;
                    return Err(format!("`{name}` is also a graph input"));
                }
                None => return Ok(None),
            },
            Producer::SparseInitializer(_) => return Err(format!("`{}` is sparse", known.name)),
            Producer::Node { node: id, .. } => {
                let node = model.node(id);
                if node.is("Identity")
                    && let Some(input) = values.input(id, 0)
                {
                    at = input;
                    continue;
                }
                let value_attribute = node.attribute("value").map(|a| &a.value);
                return Ok(match value_attribute {
                    Some(AttributeValue::Tensor(tensor)) if node.is("Constant") => Some(Operand {
                        value,
                        holder: Holder::Constant(id),
                        tensor,
                    }),
                    _ => None,
                });
            }
            Producer::Gone => return Ok(None),
        }
    }
    Ok(None)
}

/// Why a constant's elements cannot be multiplied.
pub(super) fn obstacle(model: &Model, values: &Values, operand: &Operand<'_>) -> Option<String> {
    let name = &values[operand.value].name;
    let element = operand.tensor.data_type;
    if !is_scalable(element) {
        let quantised = matches!(element.bits(), Some(..=8)) || element == DataType::INT16;
        let what = if quantised { "quantised: " } else { "" };
        return Some(format!("`{name}` is {what}of type {element}"));
    }
    let trained = |at| matches!(at, Use::Binding(_) | Use::Attribute(_));
    if values.uses(operand.value).any(trained) {
        return Some(format!("`{name}` is trained by the model itself"));
    }
    match operand.holder {
        Holder::Initializer(graph, index) => {
            let name = &model.graph(graph).initializer(index).name;
            let scaled = values.lookup(model, graph, name);
            scaled
                .is_some_and(|value| values.uses(value).any(trained))
                .then(|| format!("`{name}` is trained by the model itself"))
        }
        Holder::Constant(_) => None,
    }
}
