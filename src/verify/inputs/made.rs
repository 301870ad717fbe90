//! Inputs out of nothing.

use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};
use tract_onnx::prelude::{DatumType, Tensor, TractResult, f16};
use xxhash_rust::xxh3::xxh3_64;

use crate::verify::engine::{Port, Unrunnable, Value, normal};

/// Which integers are drawn. Integers are indices more often than not, and an index that is out of
/// range stops the run, so there are ever safer choices. Eight bit integers are data: in the first
/// choice they are drawn from all values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::verify) enum Range {
    /// 0 to 7.
    Small,
    /// 0 and 1.
    Binary,
    /// All 0.
    Zero,
    /// All 1, for what is divided by.
    One,
}

impl Range {
    /// In the order in which they are tried.
    pub(in crate::verify) const ALL: [Range; 4] =
        [Range::Small, Range::Binary, Range::Zero, Range::One];

    /// Whether the choice concerns an input.
    pub(in crate::verify) fn concerns(port: &Port) -> bool {
        port.datum().is_some_and(|datum| datum.is_integer())
    }

    /// The note on a choice that is not the first.
    pub(in crate::verify) fn note(self) -> Option<&'static str> {
        match self {
            Range::Small => None,
            Range::Binary => {
                Some("integer inputs are 0 or 1, because the model fails with larger ones")
            }
            Range::Zero => Some("integer inputs are all 0, because the model fails with others"),
            Range::One => Some("integer inputs are all 1, because the model fails with others"),
        }
    }

    fn draw(self, generator: &mut SmallRng) -> u8 {
        match self {
            Range::Small => generator.random_range(0..8),
            Range::Binary => generator.random_range(0..2),
            Range::Zero => 0,
            Range::One => 1,
        }
    }
}

/// Draws a value for an input: floats from N(0, scale²), booleans evenly, integers by `range`. It
/// depends on the scale, the seed, the number of the run, the input's name and the shape only.
pub(in crate::verify) fn make(
    port: &Port,
    shape: &[usize],
    (seed, run): (u64, usize),
    range: Range,
    scale: f64,
) -> Result<Value, Unrunnable> {
    let mut bytes = port.name.clone().into_bytes();
    bytes.extend(seed.to_le_bytes());
    bytes.extend((run as u64).to_le_bytes());
    let mut generator = SmallRng::seed_from_u64(xxh3_64(&bytes));
    let count: usize = shape.iter().product();
    let datum = port.datum();
    let tensor = datum.and_then(|datum| draw(datum, shape, count, (range, scale), &mut generator));
    match tensor {
        Some(Ok(tensor)) => Ok(Value(tensor)),
        _ => Err(Unrunnable::new(format!(
            "input {} of type {} needs data (--input)",
            port.name, port.element
        ))),
    }
}

fn draw(
    datum: DatumType,
    shape: &[usize],
    count: usize,
    (range, scale): (Range, f64),
    generator: &mut SmallRng,
) -> Option<TractResult<Tensor>> {
    macro_rules! tensor {
        ($element:ty, $draw:expr) => {
            Tensor::from_shape(shape, &(0..count).map(|_| $draw).collect::<Vec<$element>>())
        };
    }
    let whole = range == Range::Small;
    Some(match datum {
        DatumType::F16 => tensor!(f16, f16::from_f64(normal(generator) * scale)),
        DatumType::F32 => tensor!(f32, (normal(generator) * scale) as f32),
        DatumType::F64 => tensor!(f64, normal(generator) * scale),
        DatumType::Bool => tensor!(bool, generator.random()),
        DatumType::I8 if whole => tensor!(i8, generator.random()),
        DatumType::U8 if whole => tensor!(u8, generator.random()),
        DatumType::I8 => tensor!(i8, range.draw(generator).cast_signed()),
        DatumType::U8 => tensor!(u8, range.draw(generator)),
        DatumType::I16 => tensor!(i16, range.draw(generator).into()),
        DatumType::I32 => tensor!(i32, range.draw(generator).into()),
        DatumType::I64 => tensor!(i64, range.draw(generator).into()),
        DatumType::U16 => tensor!(u16, range.draw(generator).into()),
        DatumType::U32 => tensor!(u32, range.draw(generator).into()),
        DatumType::U64 => tensor!(u64, range.draw(generator).into()),
        _ => return None,
    })
}
