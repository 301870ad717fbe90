//! Tensors: the same elements or not, and by how much.

use super::{Change, Delta};
use crate::error::Result;
use crate::onnx::{Model, Tensor, distance};
use crate::show::{Number, tensor_text};

/// A tensor and its model.
#[derive(Clone, Copy)]
pub(super) struct Side<'m> {
    pub model: &'m Model,
    pub tensor: &'m Tensor,
}

/// Fills in what differs; `None` if nothing does.
pub(super) fn compare(
    mut change: Change,
    before: Side<'_>,
    after: Side<'_>,
    values: bool,
) -> Result<Option<Change>> {
    let (a, b) = (before.tensor, after.tensor);
    let location = |tensor: &Tensor| match &tensor.external {
        Some(external) => format!("in {:?}", external.location.clone().unwrap_or_default()),
        None => "in the model".to_string(),
    };
    if a.data_type != b.data_type || a.dims != b.dims {
        change.what = Some("type".into());
    } else if !same_elements(before, after)? {
        change.what = Some("elements".into());
        if values {
            change.values = delta(before, after)?;
        }
    } else if location(a) != location(b) {
        change.what = Some("place".into());
        (change.before, change.after) = (Some(location(a)), Some(location(b)));
        return Ok(Some(change));
    } else {
        return Ok(None);
    }
    change.before = Some(tensor_text(before.model, a)?);
    change.after = Some(tensor_text(after.model, b)?);
    Ok(Some(change))
}

/// Reads elements only if both tensors do not share the same bytes.
fn same_elements(before: Side<'_>, after: Side<'_>) -> Result<bool> {
    let (a, b) = (before.tensor, after.tensor);
    let same_folder = before.model.folder() == after.model.folder();
    if a.external.is_some() && a.external == b.external && same_folder {
        return Ok(true);
    }
    let place = before.model.elements_place(a);
    if place.is_some() && place == after.model.elements_place(b) {
        return Ok(true);
    }
    Ok(before.model.content_hash(a)? == after.model.content_hash(b)?)
}

/// Compares numbers; `None` where there are none.
fn delta(before: Side<'_>, after: Side<'_>) -> Result<Option<Delta>> {
    let found = distance((before.model, before.tensor), (after.model, after.tensor))?;
    Ok(found.map(|found| Delta {
        elements: found.elements,
        differing: found.differing,
        max_abs: found.max.map(|(max, _)| Number(format!("{max:?}"))),
        at: found.max.map(|(_, at)| place(at, &before.tensor.dims)),
        nan: found.nan,
    }))
}

/// The index in each dimension of an element.
fn place(mut element: u64, dims: &[i64]) -> Vec<u64> {
    let mut place = Vec::new();
    for &dim in dims.iter().rev() {
        let dim = u64::try_from(dim).unwrap_or(1).max(1);
        place.push(element % dim);
        element /= dim;
    }
    place.reverse();
    place
}
