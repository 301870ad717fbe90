//! Operators that commute with a factor, and the factor on the other side.

use crate::onnx::{AttributeValue, DataType};
use crate::rewrite::Reason;
use crate::semantics::operator::{Data, Elements, Linear, Operator, Role, Shape};
use crate::semantics::view::NodeRef;

use super::axes::{Axes, Way, moved};
use super::context::Context;
use super::factor::Factor;
use super::operand::is_zero;
use super::weights::is_scalable;

/// The factor on the other side of a node with one data input, `input` and `output` being where it
/// enters and leaves.
///
/// # Errors
/// The node does not commute with it.
pub(super) fn commuted(
    context: &Context<'_>,
    node: NodeRef<'_>,
    (input, output): (usize, usize),
    way: Way,
    factor: &Factor,
) -> Result<Factor, Reason> {
    let operator = node.operator().filter(|op| op.data == Data::First);
    let linear = operator.map_or(Linear::Nonlinear, |op| op.linear);
    let Some(operator) = operator.filter(|_| matches!(linear, Linear::Any | Linear::Positive))
    else {
        return Err(Reason::Operator("does not commute with a factor".into()));
    };
    if input != 0 {
        return Err(Reason::Operator("it is not a data input".into()));
    }
    if linear == Linear::Positive && !factor.is_positive() {
        return Err(negative(operator));
    }
    let obstacle = match operator.name {
        _ if operator.role == Role::Cast => cast(node, way, factor),
        "Clip" if !clips_at_zero(node) => Some("Clip has a bound other than 0".into()),
        "Pad" if !pads_zeros(node) => Some("Pad inserts unscaled values".into()),
        _ => None,
    };
    if let Some(why) = obstacle {
        return Err(Reason::Operator(why.into()));
    }
    if factor.axis.is_none() {
        return Ok(factor.clone());
    }
    let moved = moved(context, (node, output), way, factor, axes(operator));
    moved.ok_or_else(|| {
        let why = format!("{} does not preserve the factor's axis", operator.name);
        Reason::Shape(why.into())
    })
}

/// The refusal of an operator that commutes with positive factors only.
fn negative(operator: &Operator) -> Reason {
    let why = format!("{} does not commute with a negative factor", operator.name);
    Reason::Operator(why.into())
}

/// The operator of a node that commutes with a factor of all of its data.
pub(super) fn joint(node: NodeRef<'_>) -> Option<&'static Operator> {
    let operator = node.operator()?;
    let linear = matches!(operator.linear, Linear::Joint | Linear::JointPositive);
    let aligned = operator.elements == Elements::Map || operator.shape == Shape::Concat;
    (linear && aligned).then_some(operator)
}

/// Refuses a negative factor of an operator that commutes with positive ones.
pub(super) fn commutes_jointly(operator: &Operator, factor: &Factor) -> Result<(), Reason> {
    match operator.linear == Linear::JointPositive && !factor.is_positive() {
        true => Err(negative(operator)),
        false => Ok(()),
    }
}

/// The new axis of a factor, by the shape and the elements of the output.
fn axes(operator: &Operator) -> Axes {
    match (operator.shape, operator.elements) {
        (Shape::Same, Elements::Copy | Elements::Map) => Axes::Same,
        (Shape::Same, Elements::Along) => Axes::Other,
        (Shape::Pool | Shape::GlobalPool, _) => Axes::Pooled,
        (Shape::Reduce, _) => Axes::Reduced,
        (Shape::Permute, _) => Axes::Permuted,
        (Shape::Pad, _) => Axes::Padded,
        (Shape::Flatten | Shape::Reshape | Shape::Squeeze | Shape::Unsqueeze, _) => Axes::Reshaped,
        (Shape::Expand | Shape::Gather | Shape::Slice | Shape::Split | Shape::Tile, _) => {
            Axes::Picked
        }
        _ => Axes::Mixed,
    }
}

/// Why a factor does not pass a Cast: it may only change what is rounded, not what overflows.
fn cast(node: NodeRef<'_>, way: Way, factor: &Factor) -> Option<String> {
    let (data, output) = (node.input(0)?, node.output(0)?);
    let (Some(from), Some(to)) = (data.element_type(), output.element_type()) else {
        return Some("the types before and after the cast are not known".to_string());
    };
    if !is_scalable(from) || !is_scalable(to) {
        return Some(format!(
            "a cast from {from} to {to} does not preserve the scale"
        ));
    }
    let half = DataType::FLOAT16;
    let all = |fits: fn(f64) -> bool| factor.elements.iter().all(|element| fits(element.abs()));
    let fits = match way {
        Way::Forward if to == half && from != half => all(|element| element >= 1.0),
        Way::Backward if from == half && to != half => all(|element| element <= 1.0),
        _ => true,
    };
    (!fits).then(|| format!("unscaled values could overflow {half}"))
}

/// True of a Clip whose only bound is 0.
fn clips_at_zero(node: NodeRef<'_>) -> bool {
    let bounds = [("min", 1), ("max", 2)].map(|(name, input)| {
        let attribute = node.attribute(name).map(|a| &a.value);
        match attribute {
            Some(AttributeValue::Float(0.0)) => Some(true),
            Some(_) => Some(false),
            None => node.input(input).map(|_| is_zero(node, input)),
        }
    });
    bounds.iter().flatten().all(|&zero| zero)
}

/// True of a Pad that inserts zeros, or what is there already. A value is looked at in any mode:
/// runtimes differ.
fn pads_zeros(node: NodeRef<'_>) -> bool {
    node.float("value", 0.0) == 0.0 && (node.input(2).is_none() || is_zero(node, 2))
}
