//! What the commands report, as JSON documents: one file a command. The audit's is
//! [`audit::Document`](crate::audit::Document), and `show`'s [`show::Document`](crate::show::Document).

mod diff;
mod fold;
mod insert;
mod sample;
mod set;
mod strip;
mod verification;
mod verify;

use serde_json::{Value, json};

use crate::error::{Error, ErrorKind, Result};
use crate::job::Ended;
use crate::onnx::Name;

pub use diff::diff;
pub use fold::fold;
pub use insert::{insert, insert_sites};
pub use sample::sample;
pub use set::set;
pub use strip::strip;
pub use verify::verify;

/// A document, indented.
///
/// # Errors
/// None that a document gives rise to; the serializer's own.
pub fn text(document: &Value) -> Result<String> {
    match serde_json::to_string_pretty(document) {
        Ok(text) => Ok(text + "\n"),
        Err(e) => Err(serializer(&e)),
    }
}

fn serializer(error: &serde_json::Error) -> Error {
    Error::new(ErrorKind::Unsupported, error.to_string())
}

fn input(end: &Ended<'_>) -> String {
    end.job.files().input.to_string_lossy().into_owned()
}

/// The sizes of both models.
fn bytes(end: &Ended<'_>) -> Value {
    json!({"before": end.job.model.source().len(), "after": end.edited.rope.len()})
}

fn verified(end: &Ended<'_>) -> Option<Value> {
    end.verification.as_ref().map(verification::value)
}

fn names(names: &[Name]) -> Vec<String> {
    names.iter().map(Name::to_string).collect()
}
