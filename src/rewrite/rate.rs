//! A rate that was asked for.

use std::fmt;
use std::str::FromStr;

use crate::error::{Error, ErrorKind, Result};

/// The probability to drop an element: at least 0, and less than 1 also as a float32, which is what
/// ONNX' Dropout has.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rate(f64);

impl Rate {
    /// A rate.
    ///
    /// # Errors
    /// It is not in `[0, 1)`.
    pub fn new(rate: f64) -> Result<Rate> {
        if rate >= 0.0 && (rate as f32) < 1.0 {
            return Ok(Rate(rate.abs())); // no -0
        }
        let why = match rate {
            1.0.. => format!("{rate} would drop everything"),
            _ => format!("{rate} is no probability to drop"),
        };
        let why = format!("{why}: a rate is at least 0 and less than 1");
        Err(Error::new(ErrorKind::Usage, why))
    }

    /// The number.
    pub fn value(self) -> f64 {
        self.0
    }

    /// What a kept element is multiplied by.
    pub fn scale(self) -> f64 {
        1.0 / (1.0 - self.0)
    }
}

impl FromStr for Rate {
    type Err = Error;

    fn from_str(text: &str) -> Result<Rate> {
        match text.trim().parse() {
            Ok(rate) => Rate::new(rate),
            Err(_) => {
                let why = format!("`{text}` is no number: a rate is at least 0 and less than 1");
                Err(Error::new(ErrorKind::Usage, why))
            }
        }
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_in_the_half_open_interval() {
        for good in ["0", "0.5", "-0", "0.999"] {
            assert!(good.parse::<Rate>().is_ok(), "{good}");
        }
        // the last is 1 as a float32
        for bad in [
            "1.0",
            "-0.1",
            "NaN",
            "inf",
            "1e9",
            "",
            "half",
            "0.99999999999",
        ] {
            let error = bad.parse::<Rate>().unwrap_err();
            assert!(error.to_string().contains("less than 1"), "{error}");
        }
    }
}
