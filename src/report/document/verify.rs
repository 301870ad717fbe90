//! What verify found.

use serde_json::{Value, json};

use super::verification;
use crate::verify::{Demand, Verification};

/// The document of a comparison of two models, called `before` and `after`.
pub fn verify(before: &str, after: &str, found: &Verification) -> Value {
    json!({
        "schema": "dropout-onnx/verify/1",
        "before": before,
        "after": after,
        "verdict": found.verdict(Demand::Outputs).word(),
        "verification": verification::value(found),
    })
}
