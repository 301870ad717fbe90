//! Carries: operators of one data input that a factor passes through, and the new axis of the factor.

use crate::onnx::{AttributeValue, DataType, NodeId};
use crate::semantics::operator::{Data, Elements, Linear, Operator, Role, Shape};

use super::axes::{Axes, Way, moved};
use super::factor::Factor;
use super::factors::is_zero;
use super::targets::{Refusal, View};
use super::weights::is_scalable;

/// What becomes of a factor on the other side of a node with one data input; `None` if the operator
/// is not one of the table.
pub(super) fn carry(
    view: &View<'_>,
    (id, output): (NodeId, usize),
    way: Way,
    factor: &Factor,
) -> Option<Result<Factor, Refusal>> {
    let operator = Operator::of(view.model, id).filter(|operator| operator.data == Data::First)?;
    let op = operator.name;
    match operator.linear {
        Linear::Any => {}
        Linear::Positive if factor.is_positive() => {}
        Linear::Positive => {
            return Some(Err(format!("{op} does not commute with a negative factor")));
        }
        _ => return None,
    }
    let obstacle = match op {
        _ if operator.role == Role::Cast => cast(view, id, way, factor),
        "Clip" if !clips_at_zero(view, id) => Some("Clip has a bound other than 0".to_string()),
        "Pad" if !pads_zeros(view, id) => Some("Pad inserts unscaled values".to_string()),
        _ => None,
    };
    if let Some(why) = obstacle {
        return Some(Err(why));
    }
    if factor.axis.is_none() {
        return Some(Ok(factor.clone()));
    }
    let moved = moved(view, (id, output), way, factor, axes(operator));
    Some(moved.ok_or_else(|| format!("{op} does not preserve the factor's axis")))
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
fn cast(view: &View<'_>, id: NodeId, way: Way, factor: &Factor) -> Option<String> {
    let data = view.input(id, 0)?;
    let output = view.values.output(view.model, id, 0)?;
    let of = |value| view.model.element_type(view.values, value);
    let (Some(from), Some(to)) = (of(data), of(output)) else {
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
fn clips_at_zero(view: &View<'_>, id: NodeId) -> bool {
    let node = view.model.node(id);
    let bounds = [("min", 1), ("max", 2)].map(|(name, input)| {
        let attribute = node.attribute(name).map(|a| &a.value);
        match attribute {
            Some(AttributeValue::Float(0.0)) => Some(true),
            Some(_) => Some(false),
            None => view.input(id, input).map(|_| is_zero(view, id, input)),
        }
    });
    bounds.iter().flatten().all(|&zero| zero)
}

/// True of a Pad that puts in zeros, or what is there already. A value is looked at in any mode:
/// runtimes differ.
fn pads_zeros(view: &View<'_>, id: NodeId) -> bool {
    let value = match view.model.node(id).attribute("value").map(|a| &a.value) {
        Some(AttributeValue::Float(f)) => *f,
        _ => 0.0,
    };
    let given = view.input(id, 2).is_some();
    value == 0.0 && (!given || is_zero(view, id, 2))
}
