//! The shapes of operators that keep all elements in other dimensions, and of those that repeat them along new ones.

use crate::semantics::view::NodeRef;

use super::{axes, kept};
use crate::semantics::facts::dim::{Dim, Shape, axis_of};
use crate::semantics::facts::{Asking, LONGEST};

impl<'m> Asking<'m> {
    /// -1 stays open unless the whole is known, and 0 is as before.
    pub(super) fn reshape(&mut self, node: NodeRef<'m>) -> Option<Shape> {
        let to = self.list(node, 1, "shape")?;
        let from = self.shape(node, 0);
        let from_at = |axis: usize| from.as_ref().and_then(|from| from.at(axis as i64));
        let to = match to {
            Shape::Like(at) => return Some(Shape::Like(at)),
            Shape::Dims(to) => to,
        };
        let copies = self.given(node).int("allowzero", 0) == 0;
        let dims = to.iter().enumerate().map(|(axis, &dim)| match dim {
            Dim::Size(0) if copies => from_at(axis).unwrap_or(Dim::Unknown),
            Dim::Size(..=-1) => Dim::Unknown,
            dim => dim,
        });
        let mut dims: Vec<Dim> = dims.collect();
        if let Some(open) = to.iter().position(|&dim| dim == Dim::Size(-1)) {
            let whole = from.as_ref().map_or(Dim::Unknown, Shape::elements);
            dims[open] = rest(whole, from.as_ref(), &dims, open);
        }
        Some(Shape::of(dims))
    }

    pub(super) fn squeeze(&mut self, node: NodeRef<'m>) -> Option<Shape> {
        let dims = self.dims(node, 0)?;
        if !self.has(node, 1, "axes") {
            let all = dims.iter().all(|dim| dim.size().is_some());
            return all.then(|| Shape::of(dims.into_iter().filter(|&dim| dim != Dim::Size(1))));
        }
        let axes = axes(&self.integers(node, 1, "axes")?, dims.len())?;
        Some(Shape::of(kept(&dims, &axes)))
    }

    pub(super) fn unsqueeze(&mut self, node: NodeRef<'m>) -> Option<Shape> {
        let (dims, named) = (self.dims(node, 0)?, self.integers(node, 1, "axes")?);
        let rank = dims.len() + named.len();
        let axes = axes(&named, rank)?;
        let mut rest = dims.into_iter();
        let dims: Option<Vec<Dim>> = (0..rank)
            .map(|axis| {
                if axes.contains(&axis) {
                    Some(Dim::Size(1))
                } else {
                    rest.next()
                }
            })
            .collect();
        Some(Shape::of(dims?))
    }

    pub(super) fn expand(&mut self, node: NodeRef<'m>) -> Option<Shape> {
        let (from, to) = (self.shape(node, 0)?, self.list(node, 1, ""));
        match to {
            Some(to) => from.broadcast(&to),
            None => {
                let rank = self.dims(node, 1)?.first()?.size()?;
                let rank = usize::try_from(rank).ok().filter(|&rank| rank <= LONGEST)?;
                Some(Shape::of_rank(rank.max(from.rank()?)))
            }
        }
    }
}

/// The size of the axis of a Reshape that is -1.
fn rest(whole: Dim, from: Option<&Shape>, dims: &[Dim], open: usize) -> Dim {
    let others = dims
        .iter()
        .enumerate()
        .filter(|&(axis, _)| axis != open)
        .map(|(_, &dim)| dim);
    let product = others.clone().fold(Dim::Size(1), Dim::times);
    if product.size() == Some(0) {
        return Dim::Unknown;
    }
    match whole.over(product) {
        // what both sides have cancels out
        Dim::Unknown => {
            let Some(mut left) = from.and_then(Shape::to_vec) else {
                return Dim::Unknown;
            };
            let mut by = Dim::Size(1);
            for dim in others {
                match left
                    .iter()
                    .position(|&own| own == dim && dim != Dim::Unknown)
                {
                    Some(place) => drop(left.remove(place)),
                    None => by = by.times(dim),
                }
            }
            left.into_iter().fold(Dim::Size(1), Dim::times).over(by)
        }
        dim => dim,
    }
}

pub(super) fn flatten(dims: &[Dim], axis: i64) -> Option<Shape> {
    let axis = match usize::try_from(axis) {
        Ok(axis) => axis,
        Err(_) => axis_of(axis, dims.len())?,
    };
    let (before, behind) = dims.split_at_checked(axis)?;
    let product = |dims: &[Dim]| dims.iter().fold(Dim::Size(1), |all, &dim| all.times(dim));
    Some(Shape::of([product(before), product(behind)]))
}
