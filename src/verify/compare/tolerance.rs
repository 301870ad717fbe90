//! How far two outputs may differ.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::error::{Error, ErrorKind, Result};
use crate::onnx::DataType;

/// How far two outputs may differ.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum Tolerance {
    /// The same bits; any NaN equals any NaN.
    Exact,
    /// The same values: zeros of both signs are equal.
    Values,
    /// `|before − after| ≤ atol + rtol · |before|`; infinities and NaN only equal their own kind.
    Close {
        /// Relative part.
        rtol: f64,
        /// Absolute part, in the units of the output.
        atol: f64,
    },
    /// For the rounding of a computation in a different order, in the element type of each output: about
    /// a thousand units in the last place of each element, and for elements that cancel from others, ten of
    /// the largest element; on average, a tenth of the former. Integers and booleans are exact.
    ByType,
    /// The same for this element type, which is computed in on the way.
    OfType(#[cfg_attr(test, schemars(with = "String"))] DataType),
}

/// By how much less than a single element all may differ on average.
const TOGETHER: f64 = 0.08;

/// How far one output may differ: by these parts of each element, and by as much in any element.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bound {
    pub(super) rtol: f64,
    pub(super) atol: f64,
}

impl Tolerance {
    /// A tolerance of two parts; exact if neither is given.
    ///
    /// # Errors
    /// One is negative, infinite or NaN.
    pub fn asked(rtol: Option<f64>, atol: Option<f64>) -> Result<Tolerance> {
        if [rtol, atol]
            .into_iter()
            .flatten()
            .any(|part| !(part.is_finite() && part >= 0.0))
        {
            let why = "a tolerance must be a number >= 0";
            return Err(Error::new(ErrorKind::Usage, why));
        }
        Ok(match (rtol, atol) {
            (None, None) => Tolerance::Exact,
            (rtol, atol) => Tolerance::Close {
                rtol: rtol.unwrap_or(0.0),
                atol: atol.unwrap_or(0.0),
            },
        })
    }

    /// This one, or another if this one is exact; a fixed tolerance takes precedence over one by type.
    pub fn or(self, other: Tolerance) -> Tolerance {
        match (self, other) {
            (Tolerance::Exact, other) => other,
            (Tolerance::Values, other) if other != Tolerance::Exact => other,
            (Tolerance::ByType, Tolerance::Close { .. } | Tolerance::OfType(_)) => other,
            _ => self,
        }
    }

    /// True if the same values are asked for: no number may differ from another.
    pub fn is_of_values(self) -> bool {
        matches!(self, Tolerance::Exact | Tolerance::Values)
    }

    /// True if it is for rounding: elements may differ by as much as the engine's own noise, too.
    pub(in crate::verify) fn is_of_rounding(self) -> bool {
        matches!(self, Tolerance::ByType | Tolerance::OfType(_))
    }

    /// The share of the average element by which those of an output may differ on average; `None` if it is not for
    /// rounding.
    pub(super) fn share(self, element: &str) -> Option<f64> {
        let of = match self {
            Tolerance::ByType => element,
            Tolerance::OfType(other) => parts(element).and(other.name())?,
            _ => return None,
        };
        let (each, _) = parts(of)?;
        Some(match of {
            "bfloat16" => each / 2.0, // of 8 bits
            _ => each * TOGETHER,
        })
    }

    /// For an output of an element type, and its largest element; `None` is exact.
    pub(super) fn bound(self, element: &str, largest: impl Fn() -> f64) -> Option<Bound> {
        let ((rtol, atol), scale) = match self {
            Tolerance::Exact => return None,
            Tolerance::Values => ((0.0, 0.0), 1.0),
            Tolerance::Close { rtol, atol } => ((rtol, atol), 1.0),
            Tolerance::ByType => (parts(element)?, largest()),
            Tolerance::OfType(other) => (parts(element).and(parts(other.name()?))?, largest()),
        };
        let atol = atol * scale;
        Some(Bound { rtol, atol })
    }
}

/// The parts of each element and of the largest element that rounding in an element type may change.
fn parts(element: &str) -> Option<(f64, f64)> {
    match element {
        "float16" | "bfloat16" => Some((2e-2, 5e-3)),
        "float" => Some((1e-4, 1e-6)),
        "double" => Some((1e-10, 1e-14)),
        _ => None,
    }
}

impl fmt::Display for Tolerance {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Tolerance::Exact => f.write_str("bit for bit"),
            Tolerance::Values => f.write_str("except for the sign of zeros"),
            Tolerance::Close { rtol, atol } => write!(f, "within rtol {rtol:e}, atol {atol:e}"),
            Tolerance::ByType => f.write_str("within the tolerance of the element type"),
            Tolerance::OfType(element) => match element.name().and_then(parts) {
                Some((each, largest)) => {
                    write!(
                        f,
                        "within {each:e} of each element and {largest:e} of the largest"
                    )
                }
                None => f.write_str("bit for bit"),
            },
        }
    }
}
