//! Tensors: the same elements or not, and by how much.

use std::sync::mpsc;

use super::{Change, Delta};
use crate::error::Result;
use crate::onnx::{DataType, Model, Tensor, numbers};
use crate::show::{Number, tensor_text};

/// How many pieces of one tensor wait for those of the other.
const AHEAD: usize = 2;

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

/// Compares numbers, a piece of each tensor in memory; `None` for types without numbers, and
/// tensors whose number of elements does not match their shape.
fn delta(before: Side<'_>, after: Side<'_>) -> Result<Option<Delta>> {
    let data_type = before.tensor.data_type;
    let bits = data_type.bits().filter(|bits| bits.is_multiple_of(8));
    let (Some(bits), Some(elements)) = (bits, before.tensor.elements()) else {
        return Ok(None);
    };
    let width = (bits / 8) as usize;
    if decode(data_type, &vec![0; width]).is_none() {
        return Ok(None);
    }
    let mut tally = Tally::default();
    let fits = std::thread::scope(|scope| -> Result<bool> {
        let (send, receive) = mpsc::sync_channel::<Vec<u8>>(AHEAD);
        let reader = scope.spawn(move || {
            let (model, tensor) = (before.model, before.tensor);
            model.elements(tensor, &mut |piece| {
                // a receiver that is gone has failed, and says so itself
                let _ = send.send(piece.to_vec());
            })
        });
        let (mut left, mut right) = (Vec::new(), Vec::new());
        let read = after.model.elements(after.tensor, &mut |piece| {
            right.extend_from_slice(piece);
            while left.len() < right.len() {
                match receive.recv() {
                    Ok(piece) => left.extend_from_slice(&piece),
                    Err(_) => break,
                }
            }
            let count = left.len().min(right.len()) / width * width;
            tally.add(data_type, width, &left[..count], &right[..count]);
            left.drain(..count);
            right.drain(..count);
        });
        let more = receive.recv().is_ok();
        drop(receive);
        match reader.join() {
            Ok(result) => result?,
            Err(panic) => std::panic::resume_unwind(panic),
        }
        read?;
        Ok(!more && left.is_empty() && right.is_empty())
    })?;
    if !fits || tally.seen != elements {
        return Ok(None);
    }
    Ok(Some(Delta {
        elements,
        differing: tally.differing,
        max_abs: tally.max.map(|(max, _)| Number(format!("{max:?}"))),
        at: tally.max.map(|(_, at)| place(at, &before.tensor.dims)),
        nan: tally.nan,
    }))
}

#[derive(Default)]
struct Tally {
    seen: u64,
    differing: u64,
    nan: u64,
    /// The largest difference, and where.
    max: Option<(f64, u64)>,
}

impl Tally {
    fn add(&mut self, data_type: DataType, width: usize, left: &[u8], right: &[u8]) {
        let first = self.seen;
        self.seen += (left.len() / width) as u64;
        if left == right {
            return;
        }
        let decoded = (decode(data_type, left), decode(data_type, right));
        let (Some(a), Some(b)) = decoded else { return };
        let bytes = left.chunks_exact(width).zip(right.chunks_exact(width));
        for (index, ((a, b), (left, right))) in a.into_iter().zip(b).zip(bytes).enumerate() {
            if left == right {
                continue;
            }
            self.differing += 1;
            let distance = (a - b).abs();
            if distance.is_nan() {
                self.nan += 1;
            } else if self.max.is_none_or(|(max, _)| distance > max) {
                self.max = Some((distance, first + index as u64));
            }
        }
    }
}

/// Numbers of every type of whole bytes that has them.
fn decode(data_type: DataType, bytes: &[u8]) -> Option<Vec<f64>> {
    fn each<const N: usize>(bytes: &[u8], f: impl Fn([u8; N]) -> f64) -> Option<Vec<f64>> {
        let (elements, rest) = bytes.as_chunks::<N>();
        let all = elements.iter().map(|&element| f(element));
        rest.is_empty().then(|| all.collect())
    }
    match data_type {
        DataType::INT8 => each(bytes, |b| f64::from(i8::from_le_bytes(b))),
        DataType::INT16 => each(bytes, |b| f64::from(i16::from_le_bytes(b))),
        DataType::UINT16 => each(bytes, |b| f64::from(u16::from_le_bytes(b))),
        DataType::UINT32 => each(bytes, |b| f64::from(u32::from_le_bytes(b))),
        DataType::UINT64 => each(bytes, |b| u64::from_le_bytes(b) as f64),
        other => numbers(other, bytes),
    }
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
