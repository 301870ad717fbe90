//! Operators that select indices of an axis, repeat them, or put zeros between.

use crate::onnx::AttributeValue;
use crate::rewrite::fold::context::Context;
use crate::semantics::facts::axis_of;
use crate::semantics::operator;
use crate::semantics::view::NodeRef;

use super::{LONGEST, Moved, Sizes};

/// The indices of an axis after a Pad: zeros before and after, or fewer indices where a pad is negative.
#[expect(clippy::option_option, reason = "not known, or all in order")]
pub(super) fn padded(
    context: &Context<'_>,
    node: NodeRef<'_>,
    shape: &Sizes,
    own: usize,
) -> Option<Option<Vec<Option<usize>>>> {
    let rank = shape.len();
    let integers = |input, name| context.facts.integers(node.id, input, name);
    let pads = integers(1, "pads")?;
    let about: Vec<usize> = match node.input(3) {
        None => (0..rank).collect(),
        Some(_) => {
            let axes = integers(3, "")?;
            axes.into_iter()
                .map(|axis| axis_of(axis, rank))
                .collect::<Option<_>>()?
        }
    };
    if pads.len() != 2 * about.len() {
        return None;
    }
    let Some(place) = about.iter().position(|&axis| axis == own) else {
        return Some(None);
    };
    let (before, behind) = (pads[place], pads[place + about.len()]);
    if (before, behind) == (0, 0) {
        return Some(None);
    }
    let constant = node.attribute("mode").is_none_or(
        |mode| matches!(&mode.value, AttributeValue::String(text) if &text[..] == b"constant"),
    );
    let size = shape[own]?;
    let longest = LONGEST as i64;
    let fits = [before, behind, size].iter().all(|n| n.abs() < longest);
    let range = -before..size.checked_add(behind)?;
    (constant && fits).then(|| {
        let index = |at: i64| usize::try_from(at).ok().filter(|_| at < size);
        Some(range.map(index).collect())
    })
}

/// Operators that take some indices of an axis, or all of them several times.
pub(super) fn picked(
    context: &Context<'_>,
    (node, output): (NodeRef<'_>, usize),
    shape: &Sizes,
    own: usize,
) -> Option<Moved> {
    let pick = Pick {
        context,
        node,
        shape,
        own,
    };
    match node.operator()?.shape {
        // an axis of one index has no factors along it
        operator::Shape::Expand => pick
            .all()
            .filter(|_| shape[own].is_some_and(|size| size != 1)),
        operator::Shape::Tile => pick.tiled(),
        operator::Shape::Gather => pick.gathered(),
        operator::Shape::Slice => pick.cut_out(),
        operator::Shape::Split => pick.split(output),
        _ => None,
    }
}

/// An axis of the first input of a node, counted from the first one.
struct Pick<'a, 'm> {
    context: &'a Context<'m>,
    node: NodeRef<'m>,
    shape: &'a Sizes,
    own: usize,
}

impl Pick<'_, '_> {
    fn rank(&self) -> usize {
        self.shape.len()
    }

    /// The axis counted from the last one.
    fn axis(&self) -> usize {
        self.rank() - 1 - self.own
    }

    /// All indices in order.
    fn all(&self) -> Option<Moved> {
        Some((self.axis(), None))
    }

    fn size(&self) -> Option<usize> {
        let size = usize::try_from(self.shape[self.own]?).ok()?;
        (size < LONGEST).then_some(size)
    }

    fn integers(&self, input: usize, name: &str) -> Option<Vec<i64>> {
        self.context.facts.integers(self.node.id, input, name)
    }

    fn tiled(&self) -> Option<Moved> {
        let times = *self.integers(1, "")?.get(self.own)?;
        if times == 1 {
            return self.all();
        }
        let (times, size) = (usize::try_from(times).ok()?, self.size()?);
        let whole = size.checked_mul(times).filter(|&whole| whole < LONGEST)?;
        let indices = (0..whole).map(|index| Some(index % size)).collect();
        (times < LONGEST).then_some((self.axis(), Some(indices)))
    }

    fn gathered(&self) -> Option<Moved> {
        let along = axis_of(self.node.int("axis", 0), self.rank())?;
        let indices = self.context.rank(self.node, 1)?;
        if along != self.own {
            // the axes of the indices take the place of the one that is gathered
            let to = match along > self.own {
                true => (self.axis() + indices).checked_sub(1)?,
                false => self.axis(),
            };
            return Some((to, None));
        }
        let picked = self.integers(1, "").filter(|_| indices == 1)?;
        let size = self.size()?;
        let of = |index| axis_of(index, size).map(Some);
        let indices = picked.into_iter().map(of).collect::<Option<_>>()?;
        Some((self.axis(), Some(indices)))
    }

    fn cut_out(&self) -> Option<Moved> {
        let given = self.node.attribute("axes").is_some() || self.node.input(3).is_some();
        let axes = match given {
            true => self.integers(3, "axes")?,
            false => (0..self.integers(1, "starts")?.len() as i64).collect(),
        };
        let axes = axes.into_iter().map(|axis| axis_of(axis, self.rank()));
        let axes: Vec<usize> = axes.collect::<Option<_>>()?;
        let Some(place) = axes.iter().position(|&axis| axis == self.own) else {
            return self.all();
        };
        let of = |input, name| Some(*self.integers(input, name)?.get(place)?);
        let (start, end) = (of(1, "starts")?, of(2, "ends")?);
        let step = match self.node.input(4) {
            Some(_) => of(4, "")?,
            None => 1,
        };
        Some((self.axis(), Some(cut(self.size()?, start, end, step)?)))
    }

    fn split(&self, output: usize) -> Option<Moved> {
        if axis_of(self.node.int("axis", 0), self.rank())? != self.own {
            return self.all();
        }
        let (size, parts) = (self.size()?, self.node.outputs().len().max(1));
        let sizes: Vec<usize> = match self.integers(1, "split") {
            Some(sizes) => {
                let sizes = sizes.into_iter().map(|size| usize::try_from(size).ok());
                sizes.collect::<Option<_>>()?
            }
            None if self.node.input(1).is_some() || size % parts != 0 => return None,
            None => vec![size / parts; parts],
        };
        let mut before = sizes.get(..output)?.iter();
        let start = before.try_fold(0usize, |sum, &n| sum.checked_add(n))?;
        let range = start..start.checked_add(*sizes.get(output)?)?;
        (range.end <= size).then(|| (self.axis(), Some(range.map(Some).collect())))
    }
}

/// The indices that a Slice leaves, as the operator's specification has it.
fn cut(size: usize, start: i64, end: i64, step: i64) -> Option<Vec<Option<usize>>> {
    let size = size as i64;
    let from_behind = |n: i64| if n < 0 { n.saturating_add(size) } else { n };
    let (start, end) = (from_behind(start), from_behind(end));
    let (start, end) = match step {
        1.. => (start.clamp(0, size), end.clamp(0, size)),
        ..=-1 => (start.clamp(0, size - 1), end.clamp(-1, size - 1)),
        0 => return None,
    };
    let mut indices = Vec::new();
    let mut at = start;
    while (step > 0 && at < end) || (step < 0 && at > end) {
        indices.push(Some(usize::try_from(at).ok()?));
        at = at.checked_add(step)?;
    }
    Some(indices)
}
