//! Plan files: what a rewrite does at each place, in TOML.

use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;

use super::names::usage;
use crate::error::{Error, Result};
use crate::words::reworded;

/// A plan file.
#[derive(Debug)]
#[non_exhaustive]
pub struct PlanFile<T> {
    pub(super) plan: T,
    pub(super) path: PathBuf,
}

impl<T: DeserializeOwned> PlanFile<T> {
    /// Reads a plan file.
    ///
    /// # Errors
    /// It cannot be read, or is no such TOML; the message has the line.
    pub fn read(path: &Path) -> Result<PlanFile<T>> {
        let text = std::fs::read_to_string(path);
        let text = text.map_err(|e| Error::io("cannot read", e).in_file(path))?;
        let file = PlanFile::parse(&text).map_err(|e| e.in_file(path))?;
        let path = path.to_path_buf();
        Ok(PlanFile { path, ..file })
    }

    /// Reads the text of a plan file.
    ///
    /// # Errors
    /// It is no such TOML; the message has the line.
    pub fn parse(text: &str) -> Result<PlanFile<T>> {
        let plan = toml::from_str(text).map_err(|e| {
            let line = |at: usize| format!("line {}", text[..at].matches('\n').count() + 1);
            let error = usage(reworded(e.message()));
            match e.span() {
                Some(span) => error.at(line(span.start)),
                None => error,
            }
        })?;
        let path = PathBuf::new();
        Ok(PlanFile { plan, path })
    }
}

/// Text in quotes, as a plan file has it.
pub(super) fn quoted(text: &str) -> String {
    toml::Value::from(text).to_string()
}

/// A line of comment: names may have line breaks.
pub(super) fn comment(text: &str) -> String {
    format!(
        "# {}\n",
        text.split_whitespace().collect::<Vec<_>>().join(" ")
    )
}

/// A table with a comment before it; where it is left out, it is a comment as well, with the reason.
pub(super) fn table(facts: &str, left: Option<&str>, lines: &[String]) -> String {
    let mut text = format!("\n{}", comment(facts));
    text.extend(left.map(|why| comment(&format!("skipped: {why}"))));
    let out = if left.is_some() { "# " } else { "" };
    text.extend(lines.iter().map(|line| format!("{out}{line}\n")));
    text
}
