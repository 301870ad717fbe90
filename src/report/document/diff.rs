//! What diff found.

use serde::Serialize;
use serde_json::Value;

use crate::audit::TOOL;
use crate::diff::{Change, Diff, SCHEMA, Verdict};
use crate::error::Result;

/// The differences between two models.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct Differences<'r> {
    /// The version of the document.
    schema: &'static str,
    /// The program that wrote it, with its version.
    tool: &'static str,
    /// The model before.
    before: &'r str,
    /// The model after.
    after: &'r str,
    /// The summary of all differences.
    verdict: Verdict,
    /// Where the structures first diverge; null if they do not, or were not compared.
    parts: Option<&'r str>,
    /// Every difference.
    changes: &'r [Change],
}

/// The differences, with the names of both models.
///
/// # Errors
/// None that a difference gives rise to; the serializer's own.
pub fn diff(found: &Diff, before: &str, after: &str) -> Result<Value> {
    Ok(serde_json::to_value(Differences {
        schema: SCHEMA,
        tool: TOOL,
        before,
        after,
        verdict: found.verdict,
        parts: found.parts.as_deref(),
        changes: &found.changes,
    })?)
}
