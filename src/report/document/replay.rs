//! What came of evidence that was shown again.

use serde::Serialize;
use serde_json::Value;

use super::{verification, verify::Judged};
use crate::audit::TOOL;
use crate::error::Result;
use crate::verify::evidence::Replay;

/// Evidence that was shown again.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct Document<'r> {
    /// The version of the document.
    schema: &'static str,
    /// The program that wrote it, with its version.
    tool: &'static str,
    /// The document of the evidence.
    evidence: &'r str,
    before: &'r str,
    after: &'r str,
    #[serde(flatten)]
    verdict: Judged<'r>,
    notes: &'r [String],
    /// What was found again; null if it was not looked for.
    verification: Option<verification::Document<'r>>,
}

/// The document of a replay of evidence, with these names of both models.
///
/// # Errors
/// None that a replay gives rise to; the serializer's own.
pub fn replay(
    evidence: &str,
    [before, after]: &[impl AsRef<str>; 2],
    found: &Replay,
) -> Result<Value> {
    Ok(serde_json::to_value(Document {
        schema: "dropout-onnx/replay/1",
        tool: TOOL,
        evidence,
        before: before.as_ref(),
        after: after.as_ref(),
        verdict: Judged::of(&found.verdict),
        notes: &found.notes,
        verification: found.verification.as_ref().map(verification::Document::of),
    })?)
}
