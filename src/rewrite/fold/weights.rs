//! Weights times factors: computed in 64 bits and rounded once, piece by piece as they are read.

use std::ops::Range;

use half::{bf16, f16};

use crate::error::{Error, ErrorKind, Result};
use crate::onnx::{DataType, Model, Tensor, floats};
use crate::source::{ReadAt, Source};

use super::factor::Spread;

/// Elements of a tensor, multiplied when they are read.
#[derive(Debug)]
struct Scaled {
    source: Source,
    range: Range<u64>,
    data_type: DataType,
    width: u64,
    spreads: Vec<Spread>,
}

/// The number of bytes of weights read at a time: a multiple of every width.
const PIECE: u64 = 1 << 18;

/// Types that weights can be scaled in.
pub(super) fn is_scalable(data_type: DataType) -> bool {
    matches!(
        data_type,
        DataType::FLOAT | DataType::DOUBLE | DataType::FLOAT16 | DataType::BFLOAT16
    )
}

/// The elements of a tensor times all these factors.
///
/// # Errors
/// They cannot be read, or there are fewer or more than the shape declares.
pub(super) fn scaled(model: &Model, tensor: &Tensor, spreads: Vec<Spread>) -> Result<Source> {
    let (source, range) = model.elements_source(tensor)?;
    let len = tensor.expected_bytes().unwrap_or(u64::MAX);
    if !is_scalable(tensor.data_type) || range.end - range.start < len {
        let why = "has fewer elements than its shape";
        return Err(Error::model(why).at(format!("tensor `{}`", tensor.name)));
    }
    let scaled = Scaled {
        source,
        range: range.start..range.start + len,
        data_type: tensor.data_type,
        width: tensor.data_type.bits().unwrap_or(32) / 8,
        spreads,
    };
    Ok(Source::computed(len, scaled))
}

/// True if some element is finite, and would not be after this.
///
/// # Errors
/// As [`scaled`].
pub(super) fn overflows(model: &Model, tensor: &Tensor, spreads: &[Spread]) -> Result<bool> {
    let most = spreads.iter().map(|spread| {
        let all = spread.elements.iter().map(|element| element.abs());
        all.fold(0.0, f64::max)
    });
    if most.product::<f64>() <= 1.0 {
        return Ok(false);
    }
    let [before, after] = [Vec::new(), spreads.to_vec()];
    let [before, after] = [
        scaled(model, tensor, before)?,
        scaled(model, tensor, after)?,
    ];
    let mut fits = true;
    pieces(tensor, &before, &after, |_, old, new| {
        fits = !old.is_finite() || new.is_finite();
        fits
    })?;
    Ok(!fits)
}

/// How many elements lose digits because they become so small, zero included.
///
/// # Errors
/// As [`scaled`].
pub(super) fn lost(model: &Model, tensor: &Tensor, spreads: &[Spread]) -> Result<u64> {
    let least = spreads.iter().map(|spread| {
        let all = spread.elements.iter().map(|element| element.abs());
        all.fold(f64::INFINITY, f64::min)
    });
    let least = least.product::<f64>();
    // the smallest number that has all its digits
    let (normal, looked_at) = match tensor.data_type {
        DataType::FLOAT16 => (f64::from(f16::MIN_POSITIVE), 1.0),
        DataType::DOUBLE => (f64::MIN_POSITIVE, RARE),
        _ => (f64::from(f32::MIN_POSITIVE), RARE),
    };
    if least >= looked_at {
        return Ok(0);
    }
    let [before, after] = [Vec::new(), spreads.to_vec()];
    let [before, after] = [
        scaled(model, tensor, before)?,
        scaled(model, tensor, after)?,
    ];
    let mut lost = 0;
    pieces(tensor, &before, &after, |index, old, new| {
        let product = spreads
            .iter()
            .fold(old, |product, spread| product * spread.at(index));
        lost += u64::from(old != 0.0 && new.abs() < normal && new != product);
        true
    })?;
    Ok(lost)
}

/// Weights of a type with a wide range are only looked at if they become smaller by more than this.
const RARE: f64 = 1e-20;

/// Compares elements until `goes_on` is false: index, before and after.
fn pieces(
    tensor: &Tensor,
    before: &Source,
    after: &Source,
    mut goes_on: impl FnMut(u64, f64, f64) -> bool,
) -> Result<()> {
    let width = tensor.data_type.bits().unwrap_or(32) / 8;
    let mut at = 0;
    while at < before.len() {
        let piece = at..before.len().min(at + PIECE);
        let numbers = |source: &Source| {
            let bytes = source.bytes(piece.clone())?;
            Ok::<_, Error>(floats(tensor.data_type, &bytes).unwrap_or_default())
        };
        let (old, new) = (numbers(before)?, numbers(after)?);
        for (index, (old, new)) in (at / width..).zip(old.into_iter().zip(new)) {
            if !goes_on(index, old, new) {
                return Ok(());
            }
        }
        at = piece.end;
    }
    Ok(())
}

impl ReadAt for Scaled {
    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> Result<()> {
        let (mut at, mut rest) = (offset, buffer);
        while !rest.is_empty() {
            let first = at / self.width * self.width;
            // no more than asked for: a reader may ask for little at a time
            let asked = (at + rest.len() as u64).next_multiple_of(self.width);
            let end = asked.min(first + PIECE);
            let piece = self.piece(first..end)?;
            let skip = (at - first) as usize;
            let count = rest.len().min(piece.len() - skip);
            let (now, later) = rest.split_at_mut(count);
            now.copy_from_slice(&piece[skip..skip + count]);
            at += count as u64;
            rest = later;
        }
        Ok(())
    }
}

impl Scaled {
    /// Whole elements.
    fn piece(&self, range: Range<u64>) -> Result<Vec<u8>> {
        let start = self.range.start;
        let bytes = self.source.bytes(start + range.start..start + range.end)?;
        let broken = || Error::new(ErrorKind::Model, "elements end inside an element");
        let numbers = floats(self.data_type, &bytes).ok_or_else(broken)?;
        let mut out = Vec::with_capacity(bytes.len());
        for (index, number) in (range.start / self.width..).zip(numbers) {
            let factors = self.spreads.iter().map(|spread| spread.at(index));
            let product = factors.fold(number, |product, factor| product * factor);
            match self.data_type {
                DataType::FLOAT => out.extend((product as f32).to_le_bytes()),
                DataType::DOUBLE => out.extend(product.to_le_bytes()),
                DataType::FLOAT16 => out.extend(f16::from_f64(product).to_le_bytes()),
                _ => out.extend(bf16::from_f64(product).to_le_bytes()),
            }
        }
        Ok(out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scaled_floats(spreads: Vec<Spread>) -> Source {
        let bytes: Vec<u8> = (0..6u8).flat_map(|i| f32::from(i).to_le_bytes()).collect();
        let source = Source::from_bytes(bytes);
        let scaled = Scaled {
            range: 0..source.len(),
            source,
            data_type: DataType::FLOAT,
            width: 4,
            spreads,
        };
        Source::computed(24, scaled)
    }

    #[test]
    fn elements_are_multiplied_along_their_axis() {
        let rows = Spread::along(&[2, 3], 0, &[2.0, 10.0]).unwrap();
        let columns = Spread::along(&[2, 3], 1, &[1.0, 0.5, 3.0]).unwrap();
        let bytes = scaled_floats(vec![rows, columns]).bytes(0..24).unwrap();
        let numbers = floats(DataType::FLOAT, &bytes).unwrap();
        assert_eq!(numbers, [0.0, 1.0, 12.0, 30.0, 20.0, 150.0]);
        assert_eq!(Spread::along(&[2, 3], 1, &[1.0, 2.0]), None);
    }

    #[test]
    fn any_part_can_be_read_alone() {
        let source = scaled_floats(vec![Spread::all(0.3)]);
        let whole = source.bytes(0..24).unwrap();
        for start in 0..24 {
            for end in start..=24 {
                assert_eq!(
                    source.bytes(start..end).unwrap(),
                    whole[start as usize..end as usize]
                );
            }
        }
        assert!(source.bytes(0..25).is_err());
    }
}
