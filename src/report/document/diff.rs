//! What diff found.

use serde_json::{Value, json};

use crate::audit::TOOL;
use crate::diff::Diff;
use crate::error::Result;

/// The differences, with the names of both models.
///
/// # Errors
/// None that a difference gives rise to; the serializer's own.
pub fn diff(found: &Diff, before: &str, after: &str) -> Result<Value> {
    let mut document = json!({
        "schema": found.schema, "tool": TOOL, "before": before, "after": after,
    });
    let rest = serde_json::to_value(found)?;
    if let (Value::Object(all), Value::Object(rest)) = (&mut document, rest) {
        all.extend(rest);
    }
    Ok(document)
}
