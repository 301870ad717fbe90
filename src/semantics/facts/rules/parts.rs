//! The shapes of operators that join, cut or repeat tensors along their axes.

use crate::semantics::view::NodeRef;

use super::axes;
use crate::semantics::facts::Asking;
use crate::semantics::facts::dim::{Dim, Shape, axis_of};

impl<'m> Asking<'m> {
    pub(super) fn concat(&mut self, node: NodeRef<'m>) -> Option<Shape> {
        let all: Vec<Option<Vec<Dim>>> = (0..node.get().inputs.len())
            .map(|input| self.dims(node, input))
            .collect();
        let known = all.iter().flatten();
        let rank = known.clone().next()?.len();
        let axis = axis_of(self.given(node).int("axis", 1), rank)?;
        if known.clone().any(|dims| dims.len() != rank) {
            return None;
        }
        let along = |dim: usize| match dim == axis {
            true => all.iter().fold(Dim::Size(0), |sum, dims| {
                sum.plus(dims.as_ref().map_or(Dim::Unknown, |dims| dims[axis]))
            }),
            // all have the same size
            false => {
                let sizes = known.clone().map(|dims| dims[dim]);
                let size = sizes.clone().find(|dim| dim.size().is_some());
                size.or(sizes.clone().next()).unwrap_or(Dim::Unknown)
            }
        };
        Some(Shape::of((0..rank).map(along)))
    }

    pub(super) fn tile(&mut self, node: NodeRef<'m>) -> Option<Shape> {
        let dims = self.dims(node, 0)?;
        let times = self.list(node, 1, "").and_then(|times| times.to_vec());
        let times = times.filter(|times| times.len() == dims.len());
        let Some(times) = times else {
            return Some(Shape::of_rank(dims.len()));
        };
        Some(Shape::of(
            dims.into_iter()
                .zip(times)
                .map(|(dim, times)| dim.times(times)),
        ))
    }

    pub(super) fn pad(&mut self, node: NodeRef<'m>) -> Option<Shape> {
        let dims = self.dims(node, 0)?;
        let rank = dims.len();
        let pads = self.list(node, 1, "pads").and_then(|pads| pads.to_vec());
        let pads = pads.filter(|pads| pads.len() == 2 * rank && node.input(3).is_none());
        let Some(pads) = pads else {
            return Some(Shape::of_rank(rank));
        };
        let padded = |(axis, dim): (usize, Dim)| dim.plus(pads[axis]).plus(pads[axis + rank]);
        Some(Shape::of(dims.into_iter().enumerate().map(padded)))
    }

    pub(super) fn slice(&mut self, node: NodeRef<'m>) -> Option<Shape> {
        let mut dims = self.dims(node, 0)?;
        let starts = self.list(node, 1, "starts").and_then(|list| list.to_vec());
        let ends = self.list(node, 2, "ends").and_then(|list| list.to_vec());
        let steps = self.integers(node, 4, "");
        let cut = match self.has(node, 3, "axes") {
            true => match self.integers(node, 3, "axes") {
                Some(named) => axes(&named, dims.len())?,
                None => return Some(Shape::of_rank(dims.len())),
            },
            false => match (&starts, self.dims(node, 1).as_deref()) {
                (Some(starts), _) => (0..starts.len().min(dims.len())).collect(),
                (None, Some([Dim::Size(n)])) => (0..dims.len().min((*n).max(0) as usize)).collect(),
                _ => (0..dims.len()).collect(),
            },
        };
        for (place, axis) in cut.into_iter().enumerate() {
            let bound = |all: &Option<Vec<Dim>>| all.as_ref()?.get(place).copied();
            let step = match (&steps, node.input(4)) {
                (Some(steps), _) => steps.get(place).copied(),
                (None, Some(_)) => None,
                (None, None) => Some(1),
            };
            let left = || sliced(dims[axis], bound(&starts)?, bound(&ends)?, step?);
            dims[axis] = left().unwrap_or(Dim::Unknown);
        }
        Some(Shape::of(dims))
    }

    pub(super) fn split(&mut self, node: NodeRef<'m>, output: usize) -> Option<Shape> {
        let mut dims = self.dims(node, 0)?;
        let axis = axis_of(self.given(node).int("axis", 0), dims.len())?;
        let parts = self
            .given(node)
            .int("num_outputs", node.get().outputs.len() as i64);
        dims[axis] = match self.has(node, 1, "split") {
            true => {
                let sizes = self.list(node, 1, "split");
                sizes
                    .and_then(|sizes| sizes.at(output as i64))
                    .unwrap_or(Dim::Unknown)
            }
            false => match dims[axis] {
                // the last part may be smaller
                Dim::Size(size) if parts > 0 && size % parts != 0 => {
                    let part = size / parts + 1;
                    Dim::Size((size - part * output as i64).clamp(0, part))
                }
                dim => dim.over(Dim::Size(parts)),
            },
        };
        Some(Shape::of(dims))
    }
}

/// How many elements a slice takes along an axis.
fn sliced(size: Dim, start: Dim, end: Dim, step: i64) -> Option<Dim> {
    let (Dim::Size(from), to) = (start, end) else {
        return None;
    };
    let Dim::Size(size) = size else {
        let all = to.size().is_some_and(|to| to >= i64::from(i32::MAX));
        return match (from, step) {
            (0, 1) if all || to == size => Some(size),
            (0.., 1) if all => None,
            _ => None,
        };
    };
    let to = to.size()?;
    let back = step < 0;
    let place = |i: i64| {
        let i = if i < 0 { i.saturating_add(size) } else { i };
        if back {
            i.clamp(-1, size - 1)
        } else {
            i.clamp(0, size)
        }
    };
    let room = if back {
        place(from) - place(to)
    } else {
        place(to) - place(from)
    };
    let step = step.checked_abs().filter(|&step| step > 0)?;
    Some(Dim::Size(if room > 0 { (room - 1) / step + 1 } else { 0 }))
}
