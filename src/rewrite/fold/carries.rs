//! Carries: operators that a factor passes through, and what becomes of its axis.
//!
//! For each of them `f(s · x) = s · f(x)`; for those of [`Sign::Positive`], where every `s > 0`.

use crate::onnx::{AttributeValue, NodeId};

use super::factor::Factor;
use super::factors::is_zero;
use super::shapes::{Shape, int, permutation};
use super::targets::{Refusal, View};

/// Which factors pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sign {
    Any,
    Positive,
}

/// What becomes of a factor's axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Axes {
    /// It stays.
    Same,
    /// It stays, if it is the batch or the channels: the others are pooled.
    Pooled,
    /// It stays, if it is not reduced and reduced axes are kept.
    Reduced,
    /// It is found again by the sizes around it.
    Reshaped,
    /// It moves as the operator says.
    Permuted,
    /// It stays, if nothing is put in along it.
    Padded,
    /// One number passes, others would be moved about.
    Mixed,
}

use Axes::{Mixed, Padded, Permuted, Pooled, Reduced, Reshaped, Same};
use Sign::{Any, Positive};

/// Operators of one data input, the first. A new one is a line.
const CARRIES: &[(&str, Sign, Axes)] = &[
    ("Abs", Positive, Same),
    ("AveragePool", Any, Pooled),
    ("DepthToSpace", Any, Mixed),
    ("Dropout", Any, Same),
    ("Expand", Any, Mixed),
    ("Flatten", Any, Reshaped),
    ("Gather", Any, Mixed),
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
    ("Slice", Any, Mixed),
    ("SpaceToDepth", Any, Mixed),
    ("Squeeze", Any, Reshaped),
    ("Tile", Any, Mixed),
    ("Transpose", Any, Permuted),
    ("Unsqueeze", Any, Reshaped),
];

/// Which way a factor is carried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// From data to output.
    Forward,
    /// From output to data.
    Backward,
}

/// What becomes of a factor on the other side of a node with one data input; `None` if the operator
/// is not one of the table.
pub(super) fn carry(
    view: &View<'_>,
    id: NodeId,
    way: Way,
    factor: &Factor,
) -> Option<Result<Factor, Refusal>> {
    let node = view.model.node(id);
    let own = node.in_default_domain();
    let (op, sign, axes) = CARRIES.iter().find(|(op, ..)| own && node.op_type == *op)?;
    if *sign == Positive && !factor.is_positive() {
        return Some(Err(format!("{op} does not commute with a factor below 0")));
    }
    if *op == "Pad" && !pads_zeros(view, id) {
        return Some(Err("Pad puts in what is not scaled".to_string()));
    }
    if factor.axis.is_none() {
        return Some(Ok(factor.clone()));
    }
    let moved = moved(view, id, way, factor, *axes);
    Some(moved.ok_or_else(|| format!("{op} mixes or moves what the factor runs along")))
}

fn moved(view: &View<'_>, id: NodeId, way: Way, factor: &Factor, axes: Axes) -> Option<Factor> {
    let node = view.model.node(id);
    let axis = factor.axis?;
    let input = view.input(id, 0)?;
    let stays = Some(factor.clone());
    match axes {
        Same => stays,
        Mixed => None,
        Pooled => (view.shapes.rank(input)? <= axis + 2).then_some(factor.clone()),
        Padded => {
            let rank = view.shapes.rank(input)?;
            let pads = view.shapes.integers(id, 1, "pads")?;
            let own = rank.checked_sub(axis + 1)?;
            // without axes, which say what the pads are about
            let plain = pads.len() == 2 * rank && view.input(id, 3).is_none();
            (plain && pads[own] == 0 && pads[own + rank] == 0).then_some(factor.clone())
        }
        Reduced => {
            let rank = view.shapes.rank(input)?;
            let axes = view.shapes.integers(id, 1, "axes")?;
            let own = rank.checked_sub(axis + 1)? as i64;
            let reduced = axes
                .iter()
                .any(|&a| a == own || a.checked_add(rank as i64) == Some(own));
            (!axes.is_empty() && !reduced && int(node, "keepdims", 1) != 0)
                .then_some(factor.clone())
        }
        Permuted => {
            let rank = view.shapes.rank(input)?;
            let permutation = permutation(node, rank)?;
            let own = rank.checked_sub(axis + 1)?;
            let to = match way {
                Way::Forward => permutation.iter().position(|&from| from == own)?,
                Way::Backward => *permutation.get(own)?,
            };
            Some(factor.along(rank - 1 - to, factor.elements.clone()))
        }
        Reshaped => {
            let output = view.values.output(view.model, id, 0)?;
            let (from, to) = (view.shapes.of(input)?, view.shapes.of(output)?);
            match way {
                Way::Forward => reshaped(factor, axis, &from, &to),
                Way::Backward => reshaped(factor, axis, &to, &from),
            }
        }
    }
}

/// The factor along the axis of another shape of the same elements: one with as many indices, or
/// one that its indices are a part of. Counted from the end, so that a batch may be of any size.
fn reshaped(factor: &Factor, axis: usize, from: &Shape, to: &Shape) -> Option<Factor> {
    let behind = |shape: &Shape, axis: usize| -> Option<i64> {
        let last = shape.len().checked_sub(axis)?;
        shape[last..]
            .iter()
            .try_fold(1i64, |all, dim| all.checked_mul((*dim)?))
    };
    let count = factor.elements.len() as i64;
    let inner = behind(from, axis)?.max(1);
    let whole = inner.checked_mul(count)?;
    for other in 0..to.len() {
        let size = to[to.len() - 1 - other];
        let (Some(own_inner), Some(size)) = (behind(to, other), size) else {
            return None;
        };
        // the new axis steps by parts of the old one's, and reaches over the whole of it
        let reach = own_inner.checked_mul(size)?;
        if own_inner < 1 || inner % own_inner != 0 || reach % whole != 0 || size < count {
            continue;
        }
        let repeat = inner / own_inner;
        let element = |index: i64| factor.elements[(index / repeat % count) as usize];
        return Some(factor.along(other, (0..size).map(element).collect()));
    }
    None
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
