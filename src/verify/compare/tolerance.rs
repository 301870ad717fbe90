//! How far two outputs may differ.

use std::fmt;

use crate::error::{Error, ErrorKind, Result};

/// How far two outputs may differ.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Tolerance {
    /// The same bits; any NaN equals any NaN.
    Exact,
    /// `|before − after| ≤ atol + rtol · |before|`; infinities and NaN only equal their own kind.
    Close {
        /// Relative part.
        rtol: f64,
        /// Absolute part, in the units of the output.
        atol: f64,
    },
    /// [`Tolerance::of`] the element type of each output.
    ByType,
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
            (Tolerance::ByType, Tolerance::Close { .. }) => other,
            _ => self,
        }
    }

    /// Tolerates the rounding of a computation in a different order, by element type: about a
    /// hundred units in the last place at the size of the values, and as much absolutely for values
    /// that cancel from others around 1. Integers and booleans are exact.
    pub fn of(element_type: &str) -> Tolerance {
        match element_type {
            "float16" | "bfloat16" => Tolerance::Close {
                rtol: 2e-2,
                atol: 1e-2,
            },
            "float" => Tolerance::Close {
                rtol: 1e-4,
                atol: 1e-5,
            },
            "double" => Tolerance::Close {
                rtol: 1e-10,
                atol: 1e-12,
            },
            _ => Tolerance::Exact,
        }
    }
}

impl fmt::Display for Tolerance {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Tolerance::Exact => f.write_str("bit for bit"),
            Tolerance::Close { rtol, atol } => write!(f, "within rtol {rtol:e}, atol {atol:e}"),
            Tolerance::ByType => f.write_str("within the tolerance of the element type"),
        }
    }
}
