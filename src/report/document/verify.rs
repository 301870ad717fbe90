//! What verify found.

use serde::Serialize;
use serde_json::Value;

use super::verification;
use crate::audit::TOOL;
use crate::error::Result;
use crate::verify::{Demand, Verdict, Verification};

/// A comparison of two models.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct Verify<'r> {
    /// The version of the document.
    schema: &'static str,
    /// The program that wrote it, with its version.
    tool: &'static str,
    before: &'r str,
    after: &'r str,
    /// What is assumed of dropout that is still active.
    assumed: Option<String>,
    #[serde(flatten)]
    verdict: Judged<'r>,
    verification: verification::Document<'r>,
}

/// A verdict.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct Judged<'r> {
    #[cfg_attr(test, schemars(extend("enum" = ["equal", "different", "not_shown"])))]
    verdict: String,
    /// Why the models were not shown to be equal.
    why: Option<&'r str>,
}

/// The document of a comparison of two models, called `before` and `after`.
///
/// # Errors
/// None that a comparison gives rise to; the serializer's own.
pub fn verify(before: &str, after: &str, found: &Verification) -> Result<Value> {
    let verdict = found.verdict(Demand::Outputs);
    Ok(serde_json::to_value(Verify {
        schema: "dropout-onnx/verify/1",
        tool: TOOL,
        before,
        after,
        assumed: found.assumed.note(before, after),
        verdict: Judged::of(&verdict),
        verification: verification::Document::of(found),
    })?)
}

impl Judged<'_> {
    pub fn of(verdict: &Verdict) -> Judged<'_> {
        Judged {
            verdict: verdict.word().replace(' ', "_"),
            why: match verdict {
                Verdict::Equal => None,
                Verdict::Different { why } => Some(why),
                Verdict::NotShown { reason } => Some(reason),
            },
        }
    }
}
