//! A number as a function of one element of a draw, on an interval of it.

use crate::semantics::scalar;

/// An element of a draw: uniform on `[0, 1)`, or standard normal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Var {
    /// Which element: an index map of the draw.
    pub map: u32,
    pub normal: bool,
}

/// The function on one interval.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Piece {
    Constant(f64),
    /// `c + d·u`, with `d` not zero.
    Affine(f64, f64, Var),
    Curve(Curve),
    Unknown,
}

/// `c + d·f(a + b·u)`, for an operator `f` that is monotone where `a + b·u` has one sign, as it has here.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Curve {
    outer: (f64, f64),
    operator: &'static str,
    /// The second input of Pow.
    power: Option<f64>,
    inner: (f64, f64),
    /// The sign of `a + b·u`: pieces of different signs are never one.
    is_positive: bool,
    var: Var,
}

/// Operators whose result grows with the size of their input.
const MONOTONE: [&str; 6] = ["Exp", "Log", "Sqrt", "Sigmoid", "Tanh", "Erf"];

impl Curve {
    fn at(&self, u: f64) -> f64 {
        let x = self.inner.0 + self.inner.1 * u;
        let y = match self.power {
            Some(power) => scalar::apply(self.operator, &[x, power], false),
            None => scalar::apply(self.operator, &[x], false),
        };
        self.outer.0 + self.outer.1 * y.unwrap_or(f64::NAN)
    }

    /// Where it crosses a number on an interval.
    fn solved(&self, number: f64, (low, high): Interval) -> Option<f64> {
        let (low, high) = (low.max(-NORMAL), high.min(NORMAL));
        let edge = (high - low) * 1e-12; // at the ends themselves it may be infinite
        let (mut low, mut high) = (low + edge, high - edge);
        let below = self.at(low) < number;
        if below == (self.at(high) < number) {
            return None;
        }
        loop {
            let middle = f64::midpoint(low, high);
            if middle <= low || middle >= high {
                return Some(middle);
            }
            match (self.at(middle) < number) == below {
                true => low = middle,
                false => high = middle,
            }
        }
    }
}

/// No normal draw is further from its mean, in standard deviations.
const NORMAL: f64 = 40.0;

/// An interval of a variable.
pub(super) type Interval = (f64, f64);

impl Var {
    pub fn range(self) -> Interval {
        match self.normal {
            true => (f64::NEG_INFINITY, f64::INFINITY),
            false => (0.0, 1.0),
        }
    }

    /// The probability that the variable is below a number.
    pub fn below(self, u: f64) -> f64 {
        match self.normal {
            true => libm::erfc(-u / std::f64::consts::SQRT_2) / 2.0,
            false => u.clamp(0.0, 1.0),
        }
    }
}

/// A number inside an interval.
pub(super) fn inside((low, high): Interval) -> f64 {
    match (low.is_finite(), high.is_finite()) {
        (true, true) => (low + high) / 2.0,
        (true, false) => low + 1.0,
        (false, true) => high - 1.0,
        (false, false) => 0.0,
    }
}

impl Piece {
    /// `c + d·u`.
    pub fn affine(c: f64, d: f64, var: Var) -> Piece {
        match d == 0.0 {
            true => Piece::Constant(c),
            false => Piece::Affine(c, d, var),
        }
    }

    /// What a monotone operator makes of an affine piece that has one sign; `None` of others.
    pub fn curved(op: &str, pieces: &[Piece], point: &[(Var, f64)]) -> Option<Piece> {
        let (op, x, power) = match (op, pieces) {
            ("Mul", &[x, y]) if x == y => ("Pow", x, Some(2.0)),
            ("Pow", &[x, Piece::Constant(power)]) if power > 0.0 => ("Pow", x, Some(power)),
            (op, &[x]) => (*MONOTONE.iter().find(|known| **known == op)?, x, None),
            _ => return None,
        };
        let Piece::Affine(c, d, var) = x else {
            return None;
        };
        let curve = Piece::Curve(Curve {
            outer: (0.0, 1.0),
            operator: op,
            power,
            inner: (c, d),
            is_positive: x.at(point)? > 0.0,
            var,
        });
        curve.at(point).map(|_| curve)
    }

    /// The variable that it depends on, if it is known.
    pub fn var(self) -> Option<Var> {
        match self {
            Piece::Affine(_, _, var) | Piece::Curve(Curve { var, .. }) => Some(var),
            Piece::Constant(_) | Piece::Unknown => None,
        }
    }

    /// The same of another variable.
    pub fn of(self, var: Var) -> Piece {
        match self {
            Piece::Affine(c, d, _) => Piece::Affine(c, d, var),
            Piece::Curve(curve) => Piece::Curve(Curve { var, ..curve }),
            other => other,
        }
    }

    /// Its value at a point of its cell; `None` if unknown.
    pub fn at(self, point: &[(Var, f64)]) -> Option<f64> {
        let at = |var| point.iter().find(|(of, _)| *of == var).map(|(_, u)| *u);
        match self {
            Piece::Constant(c) => Some(c),
            Piece::Affine(c, d, var) => Some(c + d * at(var)?),
            Piece::Curve(curve) => Some(curve.at(at(curve.var)?)).filter(|y| !y.is_nan()),
            Piece::Unknown => None,
        }
    }

    /// `f·self + g·other`.
    pub fn sum(self, f: f64, other: Piece, g: f64) -> Piece {
        use Piece::{Affine, Constant, Unknown};
        let curved = |curve: Curve, f: f64, plus: f64| match f == 0.0 {
            true => Constant(plus),
            false => Piece::Curve(Curve {
                outer: (f * curve.outer.0 + plus, f * curve.outer.1),
                ..curve
            }),
        };
        match (self, other) {
            (Constant(a), Constant(b)) => Constant(f * a + g * b),
            (Affine(a, d, var), Constant(b)) => Piece::affine(f * a + g * b, f * d, var),
            (Constant(a), Affine(b, d, var)) => Piece::affine(f * a + g * b, g * d, var),
            (Affine(a, d, var), Affine(b, e, of)) if var == of => {
                Piece::affine(f * a + g * b, f * d + g * e, var)
            }
            (Piece::Curve(curve), Constant(b)) => curved(curve, f, g * b),
            (Constant(a), Piece::Curve(curve)) => curved(curve, g, f * a),
            _ => Unknown,
        }
    }

    /// The product by a constant.
    pub fn times(self, factor: f64) -> Piece {
        self.sum(factor, Piece::Constant(0.0), 1.0)
    }

    /// Where it is a number on a cell, if that is one point.
    pub fn solved(self, number: f64, cell: &Cell) -> Option<(Var, f64)> {
        match self {
            Piece::Affine(c, d, var) => Some((var, (number - c) / d)),
            Piece::Curve(curve) => {
                let (var, interval) = cell.iter().find(|(of, _)| *of == curve.var)?;
                Some((*var, curve.solved(number, *interval)?))
            }
            Piece::Constant(_) | Piece::Unknown => None,
        }
    }
}

/// A cell: an interval for each variable that decides on it.
pub(super) type Cell = Vec<(Var, Interval)>;

/// A point inside a cell.
pub(super) fn point(cell: &Cell) -> Vec<(Var, f64)> {
    cell.iter().map(|(var, of)| (*var, inside(*of))).collect()
}
