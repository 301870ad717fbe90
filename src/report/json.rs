//! The audit document itself; `docs/audit.schema.json` is its JSON Schema.

use crate::audit::Document;
use crate::error::{Error, ErrorKind, Result};

/// The document, indented.
///
/// # Errors
/// None that a document gives rise to; the serializer's own.
pub fn text(document: &Document) -> Result<String> {
    match serde_json::to_string_pretty(document) {
        Ok(text) => Ok(text + "\n"),
        Err(e) => Err(Error::new(ErrorKind::Unsupported, e.to_string())),
    }
}
