//! JSON Lines: the audit of one model a line, as an entry of `models` in the audit document.

use crate::audit::ModelAudit;
use crate::error::{Error, ErrorKind, Result};

/// The line of a model.
///
/// # Errors
/// None that an audit gives rise to; the serializer's own.
pub fn line(model: &ModelAudit) -> Result<String> {
    match serde_json::to_string(model) {
        Ok(text) => Ok(text + "\n"),
        Err(e) => Err(Error::new(ErrorKind::Unsupported, e.to_string())),
    }
}
