//! What verify found.

use serde_json::{Value, json};

use super::verification;
use crate::verify::{Demand, Verdict, Verification};

/// The document of a comparison of two models, called `before` and `after`.
pub fn verify(before: &str, after: &str, found: &Verification) -> Value {
    let verdict = found.verdict(Demand::Outputs);
    json!({
        "schema": "dropout-onnx/verify/1",
        "before": before,
        "after": after,
        "assumed": found.assumed.note(before, after),
        "verdict": word(&verdict),
        "why": why(&verdict),
        "verification": verification::value(found),
    })
}

pub(super) fn word(verdict: &Verdict) -> String {
    verdict.word().replace(' ', "_")
}

/// Why a verdict is not that both are equal.
pub(super) fn why(verdict: &Verdict) -> Option<&str> {
    match verdict {
        Verdict::Equal => None,
        Verdict::Different { why } => Some(why),
        Verdict::NotShown { reason } => Some(reason),
    }
}
