//! Documents as JSON; `docs/audit.schema.json` is the JSON Schema of the audit's.

use serde::Serialize;

use crate::error::Result;

/// The document, indented.
///
/// # Errors
/// None that a document gives rise to; the serializer's own.
pub fn text(document: &impl Serialize) -> Result<String> {
    Ok(serde_json::to_string_pretty(document)? + "\n")
}
