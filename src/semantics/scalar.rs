//! Arithmetic on single numbers, as element types have it. Integers and booleans are numbers as well.
//!
//! The only place that knows these operators by name.

use crate::onnx::{DataType, floats};

/// True of integers, but not of booleans.
pub(crate) fn is_integer(element: DataType) -> bool {
    !element.is_float() && !matches!(element, DataType::BOOL | DataType::STRING)
}

/// Booleans as numbers.
pub(crate) fn truth(is: bool) -> f64 {
    f64::from(u8::from(is))
}

/// What Cast makes of a number.
pub(crate) fn cast(number: f64, to: DataType) -> f64 {
    match to {
        DataType::BOOL => truth(number != 0.0),
        to if is_integer(to) => number.trunc(),
        to => round(number, to),
    }
}

/// The nearest number of a float type.
pub(crate) fn round(number: f64, element: DataType) -> f64 {
    match element {
        DataType::FLOAT => f64::from(number as f32),
        DataType::FLOAT16 => half::f16::from_f64(number).to_f64(),
        DataType::BFLOAT16 => half::bf16::from_f64(number).to_f64(),
        DataType::DOUBLE => number,
        _ => {
            // 8-bit floats: all 256 of them
            let all = (0..=u8::MAX).filter_map(|byte| floats(element, &[byte])?.pop());
            let finite = all.filter(|candidate| candidate.is_finite());
            let nearest = finite.min_by(|a, b| (a - number).abs().total_cmp(&(b - number).abs()));
            nearest.unwrap_or(number)
        }
    }
}

/// The distance from 1 to the next number of a float type: how far rounding moves a number, relatively.
/// That of float32 for other types.
pub(crate) fn epsilon(element: DataType) -> f64 {
    match element {
        DataType::FLOAT16 => f64::from(half::f16::EPSILON),
        DataType::BFLOAT16 => f64::from(half::bf16::EPSILON),
        DataType::DOUBLE => f64::EPSILON,
        _ => f64::from(f32::EPSILON),
    }
}

/// The shortest decimal that its element type rounds to this number.
pub(crate) fn shortest(number: f64, element: DataType) -> f64 {
    for digits in 0..17 {
        if let Ok(decimal) = format!("{number:.digits$e}").parse::<f64>()
            && round(decimal, element) == number
        {
            return decimal;
        }
    }
    number
}

/// True of operators that make booleans of their inputs.
pub(crate) fn makes_booleans(op: &str) -> bool {
    let compares = matches!(
        op,
        "Less" | "LessOrEqual" | "Greater" | "GreaterOrEqual" | "Equal"
    );
    compares || matches!(op, "And" | "Or" | "Xor" | "Not")
}

/// What an operator makes of numbers of one type, before it is rounded; `None` of an operator that is no
/// function of numbers, and where integers have no result. `whole`: they are integers.
pub(crate) fn apply(op: &str, inputs: &[f64], whole: bool) -> Option<f64> {
    Some(match (op, inputs) {
        ("Not", &[x]) => truth(x == 0.0),
        ("Floor", &[x]) => x.floor(),
        ("Ceil", &[x]) => x.ceil(),
        ("Round", &[x]) => x.round_ties_even(),
        ("Sign", &[0.0]) => 0.0,
        ("Sign", &[x]) => x.signum(),
        ("Abs", &[x]) => x.abs(),
        ("Neg", &[x]) => -x,
        ("Relu", &[x]) => x.max(0.0),
        ("Sqrt", &[x]) => x.sqrt(),
        ("Exp", &[x]) => x.exp(),
        ("Log", &[x]) => x.ln(),
        ("Reciprocal", &[x]) => 1.0 / x,
        ("Sigmoid", &[x]) => 1.0 / (1.0 + (-x).exp()),
        ("Tanh", &[x]) => x.tanh(),
        ("Erf", &[x]) => libm::erf(x),
        ("Sin", &[x]) => x.sin(),
        ("Cos", &[x]) => x.cos(),
        ("Less", &[x, y]) => truth(x < y),
        ("LessOrEqual", &[x, y]) => truth(x <= y),
        ("Greater", &[x, y]) => truth(x > y),
        ("GreaterOrEqual", &[x, y]) => truth(x >= y),
        ("Equal", &[x, y]) => truth(x == y),
        ("And", &[x, y]) => truth(x != 0.0 && y != 0.0),
        ("Or", &[x, y]) => truth(x != 0.0 || y != 0.0),
        ("Xor", &[x, y]) => truth((x != 0.0) != (y != 0.0)),
        ("Pow", &[x, y]) => x.powf(y),
        ("Add", &[x, y]) => x + y,
        ("Sub", &[x, y]) => x - y,
        ("Mul", &[x, y]) => x * y,
        ("Div", &[_, y]) if whole && y == 0.0 => return None,
        ("Div", &[x, y]) if whole => (x / y).trunc(),
        ("Div", &[x, y]) => x / y,
        ("Where", &[condition, x, y]) => [y, x][usize::from(condition != 0.0)],
        ("Sum", all) => all.iter().sum(),
        ("Mean", all) => all.iter().sum::<f64>() / all.len() as f64,
        ("Min", all) => all.iter().copied().fold(f64::INFINITY, f64::min),
        ("Max", all) => all.iter().copied().fold(f64::NEG_INFINITY, f64::max),
        ("Clip", &[x]) => x,
        ("Clip", &[x, low]) => x.max(low),
        ("Clip", &[x, low, high]) => x.max(low).min(high),
        _ => return None,
    })
}

/// The steps of a quantized value, if it has the same everywhere.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Steps {
    scale: f64,
    zero: f64,
    /// The least and the largest integer.
    range: (f64, f64),
}

impl Steps {
    /// The steps that an integer type stores.
    pub fn of(stored: DataType, scale: f64, zero: f64) -> Option<Steps> {
        let range = match stored {
            DataType::INT8 => (-128.0, 127.0),
            DataType::UINT8 => (0.0, 255.0),
            DataType::INT16 => (-32768.0, 32767.0),
            DataType::UINT16 => (0.0, 65535.0),
            DataType::INT32 => (f64::from(i32::MIN), f64::from(i32::MAX)),
            _ => return None,
        };
        (scale > 0.0).then_some(Steps { scale, zero, range })
    }

    /// What QuantizeLinear makes of a number.
    pub fn quantized(self, number: f64) -> f64 {
        let step = (number / self.scale).round_ties_even() + self.zero;
        step.clamp(self.range.0, self.range.1)
    }

    /// What DequantizeLinear makes of a step.
    pub fn number(self, step: f64) -> f64 {
        (step - self.zero) * self.scale
    }
}

/// Without the rounding error of subtracting decimals in binary.
pub(crate) fn plain(number: f64) -> f64 {
    (number * 1e9).round() / 1e9
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_printed_as_they_were_written() {
        for rate in [0.1, 0.2, 0.25, 0.3, 0.45, 0.5, 0.1234567] {
            assert_eq!(shortest(f64::from(rate as f32), DataType::FLOAT), rate);
        }
        let half = half::f16::from_f64(0.3).to_f64();
        assert_ne!(half, 0.3);
        assert_eq!(shortest(half, DataType::FLOAT16), 0.3);
        let brain = half::bf16::from_f64(0.2).to_f64();
        assert_eq!(shortest(brain, DataType::BFLOAT16), 0.2);
        assert_eq!(shortest(0.1, DataType::DOUBLE), 0.1);
        assert_eq!(shortest(0.3125, DataType::FLOAT8E4M3FN), 0.3);
        assert!(shortest(f64::NAN, DataType::FLOAT).is_nan());
        assert_eq!(shortest(f64::INFINITY, DataType::FLOAT), f64::INFINITY);
    }

    #[test]
    fn element_types_have_their_own_arithmetic() {
        assert_eq!(apply("Div", &[5.0, 2.0], true), Some(2.0));
        assert_eq!(apply("Div", &[5.0, 2.0], false), Some(2.5));
        assert_eq!(apply("Div", &[5.0, 0.0], true), None);
        assert_eq!(cast(2.0, DataType::BOOL), 1.0);
        assert_eq!(cast(-1.5, DataType::INT64), -1.0);
        assert_ne!(cast(0.1, DataType::FLOAT16), 0.1);
        assert_eq!(apply("Einsum", &[1.0], false), None);
    }
}
