//! What a plan reads: the model, the facts about its values, and its constants.

use crate::onnx::ValueId;
use crate::semantics::facts::Facts;
use crate::semantics::view::{NodeRef, ValueRef, View};

use super::operand::{self, Operand};

/// A model and the facts about its values.
#[derive(Clone, Copy)]
pub(super) struct Context<'m> {
    pub view: View<'m>,
    pub facts: Facts<'m>,
}

/// The constant at an input, unless something prevents that it is changed.
pub(super) fn constant_at(node: NodeRef<'_>, input: usize) -> Option<Operand<'_>> {
    operand::constant(node.input(input)?).ok().flatten()
}

/// True of an input that no run computes: its elements are in the file, even if something prevents that
/// they are changed.
pub(super) fn is_constant(node: NodeRef<'_>, input: usize) -> bool {
    node.input(input).is_some_and(|value| {
        !matches!(operand::constant(value), Ok(None)) || dequantized(value).is_some()
    })
}

/// The shape of a constant input.
pub(super) fn dims(node: NodeRef<'_>, input: usize) -> Option<Vec<i64>> {
    let operand = constant_at(node, input).or_else(|| {
        let quantised = dequantized(node.input(input)?)?;
        constant_at(quantised, 0)
    });
    Some(operand?.tensor.dims.clone())
}

/// The DequantizeLinear that computes a value from a constant.
pub(super) fn dequantized(value: ValueRef<'_>) -> Option<NodeRef<'_>> {
    let node = value
        .node()
        .filter(|node| node.op() == "DequantizeLinear")?;
    constant_at(node, 0).map(|_| node)
}

/// True if nothing but this input of this node reads the constant there.
pub(super) fn is_alone(node: NodeRef<'_>, input: usize) -> bool {
    let value = node.input(input);
    value.is_none_or(|value| value.uses().nth(1).is_none())
}

impl Context<'_> {
    /// The number of axes of an input.
    pub fn rank(&self, node: NodeRef<'_>, input: usize) -> Option<usize> {
        self.facts.rank(node.input(input)?.id)
    }

    /// The size of an axis, counted from the last one.
    pub fn size(&self, value: ValueId, from_end: usize) -> Option<i64> {
        let sizes = self.facts.sizes(value)?;
        sizes[sizes.len().checked_sub(from_end + 1)?]
    }
}

/// True of arithmetic before opset 7, which can declare where its second input begins.
pub(super) fn has_own_axis(node: NodeRef<'_>) -> bool {
    matches!(node.op(), "Add" | "Div" | "Mul" | "Sub") && node.attribute("axis").is_some()
}
