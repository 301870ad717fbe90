//! Two tensors compared: to the bit, or within a tolerance.
//!
//! Exact means the same bits, so −0 differs from 0; but every NaN equals every NaN, as which of its
//! bits are set depends on the order of two NaNs in the processor.

mod difference;
mod drift;
mod tolerance;

use std::fmt;

use tract_onnx::prelude::{Datum, DatumType, f16};

use super::engine::{self, Value};
pub use difference::Difference;
use tolerance::Bound;
pub use tolerance::Tolerance;

/// Compares one output; `None` if it is equal.
#[doc(hidden)]
pub fn compare(
    output: &str,
    before: &Value,
    after: &Value,
    tolerance: Tolerance,
) -> Option<Difference> {
    compare_beyond(output, before, after, (tolerance, &[]))
}

/// The same, where each element may also differ by as much as its noise.
pub(super) fn compare_beyond(
    output: &str,
    before: &Value,
    after: &Value,
    (tolerance, noise): (Tolerance, &[f64]),
) -> Option<Difference> {
    let output = output.to_string();
    let [one, two] = [before.element_type(), after.element_type()];
    if one != two {
        return Some(Difference::Type {
            output,
            before: one,
            after: two,
        });
    }
    if before.shape() != after.shape() {
        let [before, after] = [before, after].map(|value| value.shape().to_vec());
        return Some(Difference::Shape {
            output,
            before,
            after,
        });
    }
    let bound = tolerance.bound(one, || largest(before));
    different(output, [before, after], (bound, noise))
}

/// Compares all elements of one output together, each of which is within its tolerance: for rounding alone,
/// none differs.
pub(super) fn compare_together(
    output: &str,
    [before, after]: [&Value; 2],
    (tolerance, noise): (Tolerance, &[f64]),
) -> Option<Difference> {
    let share = tolerance.share(before.element_type())?;
    let [one, two] = [before, after].map(Value::to_f64);
    let drifts = drift::drifts([&one, &two, noise], before.shape(), share);
    let output = output.to_string();
    drifts.then(|| different(output, [before, after], (None, &[])))?
}

/// The elements of two tensors of one type and shape that differ.
fn different(
    output: String,
    [before, after]: [&Value; 2],
    tolerance: (Option<Bound>, &[f64]),
) -> Option<Difference> {
    let found = match before.0.datum_type() {
        DatumType::Bool => differing::<bool>(before, after, tolerance),
        DatumType::F16 => differing::<f16>(before, after, tolerance),
        DatumType::F32 => differing::<f32>(before, after, tolerance),
        DatumType::F64 => differing::<f64>(before, after, tolerance),
        DatumType::I8 => differing::<i8>(before, after, tolerance),
        DatumType::I16 => differing::<i16>(before, after, tolerance),
        DatumType::I32 => differing::<i32>(before, after, tolerance),
        DatumType::I64 => differing::<i64>(before, after, tolerance),
        DatumType::U8 => differing::<u8>(before, after, tolerance),
        DatumType::U16 => differing::<u16>(before, after, tolerance),
        DatumType::U32 => differing::<u32>(before, after, tolerance),
        DatumType::U64 => differing::<u64>(before, after, tolerance),
        _ => {
            let reason = format!(
                "output {output} has elements of type {}, which cannot be compared",
                before.element_type()
            );
            return Some(Difference::Interface { reason });
        }
    };
    let found = found?;
    Some(Difference::Value {
        output,
        index: position(found.first, before.shape()),
        before: found.before,
        after: found.after,
        differing: found.count,
        elements: before.len(),
        max_abs: found.max_abs,
    })
}

struct Found {
    first: usize,
    before: String,
    after: String,
    count: usize,
    max_abs: f64,
}

/// The largest of the finite elements.
fn largest(value: &Value) -> f64 {
    let elements = value.to_f64().into_iter().map(f64::abs);
    elements.filter(|x| x.is_finite()).fold(0.0, f64::max)
}

fn differing<T: Element>(
    before: &Value,
    after: &Value,
    (bound, noise): (Option<Bound>, &[f64]),
) -> Option<Found> {
    let mut found: Option<Found> = None;
    let [one, two] = [before, after].map(|value| engine::elements::<T>(&value.0));
    let pairs = one.iter().zip(two);
    for (place, (&one, &two)) in pairs.enumerate() {
        let noise = noise.get(place).copied().unwrap_or_default();
        if one.same(two) || bound.is_some_and(|bound| one.close(two, bound, noise)) {
            continue;
        }
        let found = found.get_or_insert_with(|| Found {
            first: place,
            before: one.to_string(),
            after: two.to_string(),
            count: 0,
            max_abs: 0.0,
        });
        found.count += 1;
        let distance = (one.wide() - two.wide()).abs();
        if distance.is_nan() || distance > found.max_abs {
            found.max_abs = distance; // a NaN stays: no comparison with it is true
        }
    }
    found
}

/// Row-major position as one number per axis.
fn position(mut place: usize, shape: &[usize]) -> Vec<usize> {
    let mut index = vec![0; shape.len()];
    for (axis, &size) in shape.iter().enumerate().rev() {
        index[axis] = place % size.max(1);
        place /= size.max(1);
    }
    index
}

trait Element: Datum + Copy + PartialEq + fmt::Display {
    /// As a float, for distances.
    fn wide(self) -> f64;

    /// Bit for bit, all NaN being one.
    fn same(self, other: Self) -> bool {
        let [one, two] = [self.wide(), other.wide()];
        let zeros = one != 0.0 || one.is_sign_negative() == two.is_sign_negative();
        (self == other && zeros) || (one.is_nan() && two.is_nan())
    }

    fn close(self, other: Self, Bound { rtol, atol }: Bound, noise: f64) -> bool {
        let [before, after] = [self.wide(), other.wide()];
        // Infinite bounds would swallow everything.
        before == after
            || (before.is_finite() && (before - after).abs() <= atol + rtol * before.abs() + noise)
    }
}

macro_rules! elements {
    ($wide:expr; $($element:ty),*) => {$(
        impl Element for $element {
            fn wide(self) -> f64 {
                $wide(self)
            }
        }
    )*};
}

elements!(f64::from; f16, f32, f64, i8, i16, i32, u8, u16, u32);
elements!(|whole| whole as f64; i64, u64);
elements!(|flag| f64::from(u8::from(flag)); bool);

#[cfg(test)]
mod tests {
    use super::*;

    fn value(elements: &[f32]) -> Value {
        Value::from_f32(&[elements.len()], elements).unwrap()
    }

    fn exact(before: &[f32], after: &[f32]) -> Option<Difference> {
        compare("y", &value(before), &value(after), Tolerance::Exact)
    }

    #[test]
    fn exact_means_the_bits_but_for_nan() {
        let nan = f32::from_bits(0x7fc0_0001);
        assert_eq!(exact(&[1.0, -0.0, f32::NAN], &[1.0, -0.0, nan]), None);
        assert!(exact(&[0.0], &[-0.0]).is_some());
        assert!(exact(&[f32::NAN], &[0.0]).is_some());
        assert!(exact(&[1.0], &[1.0 + f32::EPSILON]).is_some());
    }

    #[test]
    fn the_first_difference_is_named_and_all_are_counted() {
        let before = Value::from_f32(&[2, 3], &[0.0, 1.0, 2.0, 3.0, 4.0, 5.0]).unwrap();
        let after = Value::from_f32(&[2, 3], &[0.0, 1.0, 2.0, 3.0, 4.5, 8.0]).unwrap();
        let difference = compare("y", &before, &after, Tolerance::Exact).unwrap();
        let expected = Difference::Value {
            output: "y".into(),
            index: vec![1, 1],
            before: "4".into(),
            after: "4.5".into(),
            differing: 2,
            elements: 6,
            max_abs: 3.0,
        };
        assert_eq!(difference, expected);
        let text = "output y[1, 1] is 4 before, 4.5 after; 2 of 6 elements differ, by up to 3e0";
        assert_eq!(difference.to_string(), text);
    }

    #[test]
    fn a_tolerance_has_two_sides() {
        let close = |before: f32, after: f32| {
            let tolerance = Tolerance::Close {
                rtol: 0.1,
                atol: 0.01,
            };
            compare("y", &value(&[before]), &value(&[after]), tolerance).is_none()
        };
        assert!(close(1.0, 1.1) && close(0.0, 0.01) && close(0.0, -0.0));
        assert!(!close(1.0, 1.12) && !close(0.0, 0.02));
        let infinity = f32::INFINITY;
        assert!(close(infinity, infinity) && close(f32::NAN, f32::NAN));
        assert!(!close(infinity, 1.0) && !close(1.0, infinity) && !close(infinity, -infinity));
        assert!(!close(f32::NAN, 1.0) && !close(1.0, f32::NAN));
    }

    #[test]
    fn shapes_and_types_are_compared_first() {
        let row = Value::from_f32(&[1, 2], &[1.0, 2.0]).unwrap();
        let column = Value::from_f32(&[2, 1], &[1.0, 2.0]).unwrap();
        let shape = compare("y", &row, &column, Tolerance::ByType);
        assert!(matches!(shape, Some(Difference::Shape { .. })));
        let integers = Value(tract_onnx::prelude::tensor2(&[[1i64, 2]]));
        let kind = compare("y", &row, &integers, Tolerance::ByType);
        assert!(matches!(kind, Some(Difference::Type { .. })));
    }

    #[test]
    fn a_wider_tolerance_takes_the_place_of_equal_values() {
        let asked = Tolerance::asked(Some(0.0), Some(0.0)).unwrap();
        let [values, by_type] = [Tolerance::Values, Tolerance::ByType];
        assert_eq!(Tolerance::Exact.or(values), values);
        assert_eq!(values.or(Tolerance::Exact), values);
        assert_eq!(values.or(by_type), by_type);
        assert_eq!(by_type.or(values), by_type);
        assert_eq!(asked.or(by_type), asked);
        let zeros = [value(&[0.0]), value(&[-0.0])];
        assert_eq!(compare("y", &zeros[0], &zeros[1], values), None);
        assert!(compare("y", &zeros[0], &zeros[1], Tolerance::Exact).is_some());
        assert!(compare("y", &zeros[0], &value(&[f32::MIN_POSITIVE]), values).is_some());
    }

    #[test]
    fn integers_are_exact_by_type() {
        let large = |n: i64| Value(tract_onnx::prelude::tensor1(&[n]));
        let [one, two] = [large(i64::MAX), large(i64::MAX - 1)];
        assert_eq!(compare("y", &one, &one, Tolerance::ByType), None);
        assert!(compare("y", &one, &two, Tolerance::ByType).is_some());
        assert!(compare("y", &one, &two, Tolerance::Exact).is_some());
    }
}
