//! Plan files: what a rewrite does at each place, in TOML.

use std::path::Path;

use serde::de::DeserializeOwned;

use super::names::usage;
use crate::error::{Error, Result};

/// Reads a plan file.
///
/// # Errors
/// It cannot be read, or is no such TOML; the message has the line.
pub(super) fn read<T: DeserializeOwned>(path: &Path) -> Result<T> {
    let text =
        std::fs::read_to_string(path).map_err(|e| Error::io("cannot read", e).in_file(path))?;
    parse(&text).map_err(|e| e.in_file(path))
}

/// Reads the text of a plan file.
pub(super) fn parse<T: DeserializeOwned>(text: &str) -> Result<T> {
    toml::from_str(text).map_err(|e| {
        let line = e
            .span()
            .map(|span| text[..span.start].matches('\n').count() + 1);
        let error = usage(e.message().into());
        match line {
            Some(line) => error.at(format!("line {line}")),
            None => error,
        }
    })
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
