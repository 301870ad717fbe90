//! What came of evidence that was shown again.

use serde_json::{Value, json};

use super::{verification, verify};
use crate::verify::evidence::Replay;

/// The document of a replay of evidence, with these names of both models.
pub fn replay(evidence: &str, [before, after]: &[impl AsRef<str>; 2], found: &Replay) -> Value {
    json!({
        "schema": "dropout-onnx/replay/1",
        "evidence": evidence,
        "before": before.as_ref(),
        "after": after.as_ref(),
        "verdict": verify::word(&found.verdict),
        "why": verify::why(&found.verdict),
        "notes": found.notes,
        "verification": found.verification.as_ref().map(verification::value),
    })
}
