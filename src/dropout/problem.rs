//! Faults of `Dropout` operators.

use std::fmt;

/// A fault of a `Dropout` operator, in words.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Problem {
    /// It acts, and its ratio is not a float in `[0, 1)`.
    Rate(String),
    /// It has an attribute, an input or a shape that its version does not have. The meaning is clear
    /// all the same.
    Version(String),
    /// Whether it acts, or on what, is not known.
    Meaning(String),
}

impl Problem {
    /// The problem in words.
    pub fn text(&self) -> &str {
        let (Problem::Rate(text) | Problem::Version(text) | Problem::Meaning(text)) = self;
        text
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}
