//! JSON Lines: the audit of one model per line, as an entry of `models` in the audit document, and the
//! program that wrote it.

use serde::Serialize;

use crate::audit::{ModelAudit, TOOL};
use crate::error::Result;

#[derive(Serialize)]
struct Line<'a> {
    #[serde(flatten)]
    model: &'a ModelAudit,
    tool: &'static str,
}

/// The line of a model.
///
/// # Errors
/// None that an audit gives rise to; the serializer's own.
pub fn line(model: &ModelAudit) -> Result<String> {
    Ok(serde_json::to_string(&Line { model, tool: TOOL })? + "\n")
}
