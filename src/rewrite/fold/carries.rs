//! Carries: operators that a factor passes through, and what becomes of its axis.
//!
//! For each of them `f(s · x) = s · f(x)`; for those of [`Sign::Positive`], where every `s > 0`.

use crate::onnx::{AttributeValue, DataType, NodeId};

use super::axes::{Axes, Way, moved};
use super::factor::Factor;
use super::factors::is_zero;
use super::shapes::int;
use super::targets::{Refusal, View};
use super::weights::is_scalable;

/// Which factors pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sign {
    Any,
    Positive,
}

use Axes::{Mixed, Other, Padded, Permuted, Picked, Pooled, Reduced, Reshaped, Same};
use Sign::{Any, Positive};

/// Operators of one data input, the first. A new one is a line.
const CARRIES: &[(&str, Sign, Axes)] = &[
    ("Abs", Positive, Same),
    ("AveragePool", Any, Pooled),
    ("Cast", Any, Same),
    ("Clip", Positive, Same),
    ("CumSum", Any, Other),
    ("DepthToSpace", Any, Mixed),
    ("Dropout", Any, Same),
    ("Expand", Any, Picked),
    ("Flatten", Any, Reshaped),
    ("Gather", Any, Picked),
    ("GatherElements", Any, Mixed),
    ("GatherND", Any, Mixed),
    ("GlobalAveragePool", Any, Pooled),
    ("GlobalLpPool", Positive, Pooled),
    ("GlobalMaxPool", Positive, Pooled),
    ("Identity", Any, Same),
    ("LeakyRelu", Positive, Same),
    ("LpPool", Positive, Pooled),
    ("MaxPool", Positive, Pooled),
    ("Neg", Any, Same),
    ("PRelu", Positive, Same),
    ("Pad", Any, Padded),
    ("ReduceL1", Positive, Reduced),
    ("ReduceL2", Positive, Reduced),
    ("ReduceMax", Positive, Reduced),
    ("ReduceMean", Any, Reduced),
    ("ReduceMin", Positive, Reduced),
    ("ReduceSum", Any, Reduced),
    ("Relu", Positive, Same),
    ("Reshape", Any, Reshaped),
    ("ReverseSequence", Any, Mixed),
    ("Slice", Any, Picked),
    ("SpaceToDepth", Any, Mixed),
    ("Split", Any, Picked),
    ("Squeeze", Any, Reshaped),
    ("Tile", Any, Picked),
    ("Transpose", Any, Permuted),
    ("Trilu", Any, Same),
    ("Unsqueeze", Any, Reshaped),
];

/// What becomes of a factor on the other side of a node with one data input; `None` if the operator
/// is not one of the table.
pub(super) fn carry(
    view: &View<'_>,
    (id, output): (NodeId, usize),
    way: Way,
    factor: &Factor,
) -> Option<Result<Factor, Refusal>> {
    let node = view.model.node(id);
    let own = node.in_default_domain();
    let (op, sign, axes) = CARRIES.iter().find(|(op, ..)| own && node.op_type == *op)?;
    if *sign == Positive && !factor.is_positive() {
        return Some(Err(format!("{op} does not commute with a factor below 0")));
    }
    let obstacle = match *op {
        "Cast" => cast(view, id, way, factor),
        "Clip" if !clips_at_zero(view, id) => Some("Clip has a bound other than 0".to_string()),
        "Pad" if !pads_zeros(view, id) => Some("Pad puts in what is not scaled".to_string()),
        _ => None,
    };
    if let Some(why) = obstacle {
        return Some(Err(why));
    }
    if factor.axis.is_none() {
        return Some(Ok(factor.clone()));
    }
    let moved = moved(view, (id, output), way, factor, *axes);
    Some(moved.ok_or_else(|| format!("{op} mixes or moves what the factor runs along")))
}

/// Why a factor does not pass a Cast: it may only change what is rounded, not what overflows.
fn cast(view: &View<'_>, id: NodeId, way: Way, factor: &Factor) -> Option<String> {
    let data = view.input(id, 0)?;
    let to = DataType(i32::try_from(int(view.model.node(id), "to", 0)).unwrap_or(0));
    let Some(from) = view.model.element_type(view.values, data) else {
        return Some("the type that Cast takes is not known".to_string());
    };
    if !is_scalable(from) || !is_scalable(to) {
        return Some(format!(
            "what is cast from {from} to {to} is not scaled alike"
        ));
    }
    let half = DataType::FLOAT16;
    let all = |fits: fn(f64) -> bool| factor.elements.iter().all(|element| fits(element.abs()));
    let fits = match way {
        Way::Forward if to == half && from != half => all(|element| element >= 1.0),
        Way::Backward if from == half && to != half => all(|element| element <= 1.0),
        _ => true,
    };
    (!fits).then(|| format!("what is not scaled could overflow {half}"))
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
