//! What diff found.

use serde::Serialize;
use serde_json::Value;

use crate::audit::TOOL;
use crate::diff::Diff;
use crate::error::Result;

/// The differences between two models.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct Differences<'r> {
    /// The program that wrote it, with its version.
    tool: &'static str,
    /// The model before.
    before: &'r str,
    /// The model after.
    after: &'r str,
    #[serde(flatten)]
    found: &'r Diff,
}

/// The differences, with the names of both models.
///
/// # Errors
/// None that a difference gives rise to; the serializer's own.
pub fn diff(found: &Diff, before: &str, after: &str) -> Result<Value> {
    Ok(serde_json::to_value(Differences {
        tool: TOOL,
        before,
        after,
        found,
    })?)
}
