//! The document as JSON.

use super::Document;
use crate::error::{Error, ErrorKind, Result};

/// The document, indented.
///
/// # Errors
/// None that a document of [`super::document`] can cause.
pub fn text(document: &Document) -> Result<String> {
    let text = serde_json::to_string_pretty(document);
    let text = text.map_err(|e| Error::new(ErrorKind::Unsupported, e.to_string()))?;
    Ok(text + "\n")
}
