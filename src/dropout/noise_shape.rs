//! The shape a mask is drawn in, and whether a mask leaves data in its shape.

use crate::onnx::ValueId;
use crate::semantics::calls::ContextId;
use crate::semantics::control_flow::branch_outputs;
use crate::semantics::draws::drawn;
use crate::semantics::facts::{Dim, Facts, Shape, Symbol};

use super::{Form, Site};

/// Finds the shapes of random masks.
pub(super) fn tell(facts: Facts<'_>, sites: &mut [Site]) {
    for site in sites.iter_mut().filter(|s| s.form == Form::RandomMask) {
        let source = site.source().map(|source| facts.view().node(source));
        let source = source.and_then(drawn);
        site.noise_shape = source.zip(site.input).and_then(|(source, data)| {
            let drawn = facts.shape(source.id);
            shared(drawn.dims()?, &facts.shape(data)).then(|| facts.shape_text(&drawn))?
        });
    }
}

/// True of a draw that is shared along an axis of the data.
fn shared(drawn: &[Dim], data: &Shape) -> bool {
    let elements = |dims: &[Dim]| Shape::of(dims.iter().copied()).elements();
    let as_many = data.dims().is_some_and(|data| {
        let count = elements(data);
        count != Dim::Unknown && count == elements(drawn)
    });
    if as_many {
        return false; // in another shape
    }
    let one = Dim::Size(1);
    let ones = |dims: &[Dim]| dims.iter().filter(|&dim| *dim == one).count();
    match data {
        // data may lie in another order than the mask is drawn in
        Shape::Dims(data) if data.len() == drawn.len() => ones(data) < ones(drawn),
        Shape::Dims(data) => data.len() > drawn.len(),
        // a first axis of 1 may be a batch of one
        Shape::Like(_) => drawn.iter().skip(1).any(|dim| *dim == one),
    }
}

/// The size of a mask compared with that of its data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::dropout) enum Fit {
    /// It is broadcast to the data.
    Within,
    /// Unknown.
    Unknown,
    /// The data is broadcast to it.
    Larger,
}

/// How large a value is, compared with data that it is multiplied by, or the like.
pub(super) fn fit(facts: Facts<'_>, value: ValueId, data: ValueId) -> Fit {
    let producer = facts.view().value(value).producer();
    if let Some(branches) = producer.and_then(|(node, output)| branch_outputs(node, output)) {
        let fits = branches.into_iter().map(|branch| match branch {
            Some(branch) => fit(facts, branch.id, data),
            None => Fit::Unknown,
        });
        return fits.max().unwrap_or(Fit::Unknown);
    }
    match (facts.shape(value), facts.shape(data)) {
        (Shape::Like(mask), Shape::Like(data)) if mask == data => Fit::Within,
        (Shape::Dims(mask), Shape::Like(data)) => match is_part(&mask, data) {
            true => Fit::Within,
            false => Fit::Unknown,
        },
        (Shape::Dims(mask), Shape::Dims(data)) => fit_dims(&mask, &data),
        _ => Fit::Unknown,
    }
}

/// True of dimensions of a value, or 1, each in its place; of a scalar for all data.
fn is_part(mask: &[Dim], data: (ContextId, ValueId)) -> bool {
    let count = mask.len() as i32;
    let number = mask.iter().all(|dim| *dim == Dim::Size(1));
    let own = |place: i32, dim: &Dim| {
        let axes = [place, place - count];
        *dim == Dim::Size(1)
            || axes
                .into_iter()
                .any(|at| *dim == Symbol::Axis(data, at).dim())
    };
    (number && count <= 1) || !number && (0..).zip(mask).all(|(place, dim)| own(place, dim))
}

fn fit_dims(mask: &[Dim], data: &[Dim]) -> Fit {
    if mask == [Dim::Size(1)] {
        return Fit::Within; // a number
    }
    if mask.len() > data.len() {
        return Fit::Larger;
    }
    let pairs = mask.iter().rev().zip(data.iter().rev());
    let fits = pairs.map(|pair| match pair {
        (Dim::Size(1), _) => Fit::Within,
        (mask, data) if mask == data && *mask != Dim::Unknown => Fit::Within,
        (Dim::Size(_), Dim::Size(1)) => Fit::Larger,
        // sizes that do not match: the model runs nowhere
        (Dim::Size(_), Dim::Size(_)) => Fit::Larger,
        _ => Fit::Unknown,
    });
    fits.max().unwrap_or(Fit::Within)
}
