//! Remarks about a configuration or a baseline.

use serde::Serialize;

use super::Level;

/// A remark. It does not affect the exit status.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Remark {
    /// What it is: `expired-allowance`, `exceeded-allowance`, `unused-allowance` or
    /// `resolved-finding`.
    pub name: &'static str,
    /// Its level.
    pub level: Level,
    /// The file concerned.
    pub path: String,
    /// The line, counted from 1.
    pub line: Option<usize>,
    /// The message.
    pub message: String,
}

impl Remark {
    /// The file, and the line if there is one: `dropout-onnx.toml:3`.
    pub fn place(&self) -> String {
        match self.line {
            Some(line) => format!("{}:{line}", self.path),
            None => self.path.clone(),
        }
    }
}
