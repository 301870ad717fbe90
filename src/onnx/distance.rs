//! How far apart the elements of two tensors are.

use std::sync::mpsc;

use super::{DataType, Model, Tensor, numbers};
use crate::error::Result;

/// How many pieces of one tensor wait for those of the other.
const AHEAD: usize = 2;

/// The distance of two tensors of the same type and shape.
#[derive(Debug, Default)]
pub(crate) struct Distance {
    pub elements: u64,
    pub differing: u64,
    pub nan: u64,
    /// The largest difference, and the element with it.
    pub max: Option<(f64, u64)>,
}

/// Compares numbers, a piece of each tensor in memory; `None` for types without numbers, and
/// tensors whose number of elements does not match their shape.
pub(crate) fn distance(
    before: (&Model, &Tensor),
    after: (&Model, &Tensor),
) -> Result<Option<Distance>> {
    let data_type = before.1.data_type;
    let bits = data_type.bits().filter(|bits| bits.is_multiple_of(8));
    let (Some(bits), Some(elements)) = (bits, before.1.elements()) else {
        return Ok(None);
    };
    let width = (bits / 8) as usize;
    if decode(data_type, &vec![0; width]).is_none() {
        return Ok(None);
    }
    let mut tally = Distance::default();
    let fits = std::thread::scope(|scope| -> Result<bool> {
        let (send, receive) = mpsc::sync_channel::<Vec<u8>>(AHEAD);
        let reader = scope.spawn(move || {
            let (model, tensor) = before;
            model.elements(tensor, &mut |piece| {
                // a receiver that is gone has failed, and says so itself
                let _ = send.send(piece.to_vec());
            })
        });
        let (mut left, mut right) = (Vec::new(), Vec::new());
        let read = after.0.elements(after.1, &mut |piece| {
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
    Ok((fits && tally.elements == elements).then_some(tally))
}

impl Distance {
    fn add(&mut self, data_type: DataType, width: usize, left: &[u8], right: &[u8]) {
        let first = self.elements;
        self.elements += (left.len() / width) as u64;
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
