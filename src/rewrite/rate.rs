//! A rate that was asked for.

use std::fmt;
use std::str::FromStr;

use crate::error::{Error, ErrorKind, Result};

/// The probability to drop an element: at least 0, and less than 1 also as a float32, which is what
/// Dropout of ONNX has.
#[derive(Clone, Copy, Debug, PartialEq, serde::Deserialize)]
#[serde(try_from = "f64")]
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
        // 30 percent?
        let hint = match rate {
            rate if rate > 1.0 && rate < 100.0 => format!(" (did you mean {}?)", rate / 100.0),
            _ => String::new(),
        };
        let why = format!("{rate} is not a rate: expected 0 <= rate < 1{hint}");
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

impl TryFrom<f64> for Rate {
    type Error = Error;

    fn try_from(rate: f64) -> Result<Rate> {
        Rate::new(rate)
    }
}

impl FromStr for Rate {
    type Err = Error;

    fn from_str(text: &str) -> Result<Rate> {
        match text.trim().parse() {
            Ok(rate) => Rate::new(rate),
            Err(_) => {
                let why = format!("`{text}` is not a number: expected 0 <= rate < 1");
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
        let hint = |text: &str| text.parse::<Rate>().unwrap_err().to_string();
        assert!(
            hint("30").ends_with("(did you mean 0.3?)"),
            "{}",
            hint("30")
        );
        assert!(!hint("1").contains("mean"), "{}", hint("1"));
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
            assert!(error.to_string().contains("0 <= rate < 1"), "{error}");
        }
    }
}
