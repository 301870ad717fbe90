//! The axis of a factor on the other side of an operator.

mod picked;

use crate::semantics::facts::{axis_of, permutation};
use crate::semantics::view::NodeRef;

use super::context::Context;
use super::factor::Factor;
use picked::{padded, picked};

/// The size of each axis, where it is known.
type Sizes = [Option<i64>];

/// What becomes of a factor's axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Axes {
    /// It stays.
    Same,
    /// It stays, if it is the batch or the channels: the others are pooled.
    Pooled,
    /// It stays, if it is not reduced; it moves up where later ones are removed.
    Reduced,
    /// It is found again by the sizes around it.
    Reshaped,
    /// It moves as the operator's axes define.
    Permuted,
    /// Zeros are inserted along it.
    Padded,
    /// Some of its indices are taken.
    Picked,
    /// It stays, if the operator does not run along it.
    Other,
    /// One number passes, others would be moved about.
    Mixed,
}

/// The direction in which a factor moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// From data to an output.
    Forward,
    /// From an output to data.
    Backward,
}

/// An axis of the output, counted from the last one, and the index of the input that each of its
/// indices has; `None` for all in order, and for an inserted index.
type Moved = (usize, Option<Vec<Option<usize>>>);

/// Longer axes are not followed.
const LONGEST: usize = 1 << 16;

/// The factor on the other side of a node; `None` if it is unknown, or would not be one number per
/// index of one axis.
pub(super) fn moved(
    context: &Context<'_>,
    (node, output): (NodeRef<'_>, usize),
    way: Way,
    factor: &Factor,
    axes: Axes,
) -> Option<Factor> {
    let axis = factor.axis?;
    let input = node.input(0)?.id;
    if axes == Axes::Same {
        return Some(factor.clone());
    }
    if axes == Axes::Reshaped {
        let output = node.output(output)?.id;
        let (from, to) = (context.facts.sizes(input)?, context.facts.sizes(output)?);
        return match way {
            Way::Forward => reshaped(factor, axis, &from, &to),
            Way::Backward => reshaped(factor, axis, &to, &from),
        };
    }
    let shape = context.facts.sizes(input)?;
    let follow = |axis| follow(context, (node, output), &shape, axis, axes);
    match way {
        Way::Forward => {
            let (to, indices) = follow(axis)?;
            let of = |index: &Option<usize>| match index {
                Some(index) => factor.elements.get(*index).copied(),
                None => Some(1.0),
            };
            let elements = match indices {
                None => factor.elements.clone(),
                Some(indices) => indices.iter().map(of).collect::<Option<_>>()?,
            };
            Some(factor.along(to, elements))
        }
        Way::Backward => {
            let back = |from| Some((from, follow(from)?));
            let mut all = (0..shape.len()).filter_map(back);
            let (from, (_, indices)) = all.find(|(_, (to, _))| *to == axis)?;
            let Some(indices) = indices else {
                return Some(factor.along(from, factor.elements.clone()));
            };
            let size = usize::try_from(shape[shape.len() - 1 - from]?).ok()?;
            let mut elements = vec![None; size.min(LONGEST)];
            for (index, element) in indices.iter().zip(&factor.elements) {
                let Some(index) = index else { continue };
                let old = elements.get_mut(*index)?;
                // what is taken twice can only be scaled alike
                if old.is_some_and(|old| old != *element) {
                    return None;
                }
                *old = Some(*element);
            }
            let elements = elements.into_iter().map(|element| element.unwrap_or(1.0));
            (indices.len() == factor.elements.len()).then(|| factor.along(from, elements.collect()))
        }
    }
}

/// The place of an axis of the first input in the output.
fn follow(
    context: &Context<'_>,
    (node, output): (NodeRef<'_>, usize),
    shape: &Sizes,
    axis: usize,
    axes: Axes,
) -> Option<Moved> {
    let rank = shape.len();
    let integers = |input, name| context.facts.integers(node.id, input, name);
    let own = rank.checked_sub(axis + 1)?;
    let stays = Some((axis, None));
    match axes {
        Axes::Pooled => stays.filter(|_| own < 2),
        Axes::Reduced => {
            let named = integers(1, "axes")?;
            let reduced: Option<Vec<usize>> =
                named.into_iter().map(|axis| axis_of(axis, rank)).collect();
            let reduced = reduced.filter(|axes| !axes.is_empty() && !axes.contains(&own))?;
            let gone = match node.int("keepdims", 1) {
                0 => reduced.iter().filter(|&&axis| axis > own).count(),
                _ => 0,
            };
            Some((axis.checked_sub(gone)?, None))
        }
        Axes::Permuted => {
            let perm = node.attribute("perm").map(|perm| &perm.value);
            let permutation = permutation(perm, rank)?;
            let to = permutation.iter().position(|&from| from == own)?;
            Some((rank - 1 - to, None))
        }
        Axes::Other => {
            let along = integers(1, "axis")?;
            stays.filter(|_| along.len() == 1 && axis_of(along[0], rank).is_some_and(|a| a != own))
        }
        Axes::Padded => padded(context, node, shape, own).map(|indices| (axis, indices)),
        Axes::Picked => picked(context, (node, output), shape, own),
        Axes::Same | Axes::Reshaped | Axes::Mixed => None,
    }
}

/// The factor along the axis of another shape of the same elements: one with as many indices, or
/// one that its indices are a part of. Counted from the end, so that a batch may be of any size.
fn reshaped(factor: &Factor, axis: usize, from: &Sizes, to: &Sizes) -> Option<Factor> {
    let behind = |shape: &Sizes, axis: usize| -> Option<i64> {
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
