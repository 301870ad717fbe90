//! What the commands report, as JSON documents: one file a command. The audit's is
//! [`audit::Document`](crate::audit::Document), and `show`'s [`show::Document`](crate::show::Document).

mod diff;
mod fold;
mod insert;
#[cfg(feature = "tract")]
mod replay;
mod sample;
#[cfg(test)]
mod schema;
mod set;
mod strip;
mod verification;
mod verify;

use serde_json::{Value, json};

use crate::audit::TOOL;
use crate::error::Result;
use crate::job::Ended;
use crate::onnx::Name;

pub use super::json::text;
pub use diff::diff;
pub use fold::fold;
pub use insert::{insert, insert_sites};
#[cfg(feature = "tract")]
pub use replay::replay;
pub use sample::sample;
pub use set::set;
pub use strip::strip;
pub use verify::verify;

/// The parts that are common to the documents of all rewrites.
///
/// # Errors
/// Weights that must be compared cannot be read.
fn rewrite(command: &str, end: &Ended<'_>, parts: Value) -> Result<Value> {
    let mut document = json!({
        "schema": format!("dropout-onnx/{command}/1"),
        "tool": TOOL,
        "input": end.job.files().input.to_string_lossy(),
        "output": end.output(),
        "bytes": {"before": end.job.model().source().len(), "after": end.edited.rope.len()},
    });
    let diff = serde_json::to_value(end.changes()?)?;
    let end = json!({
        "verification": end.verification.as_ref().map(verification::value),
        "diff": diff,
    });
    for part in [parts, end] {
        if let (Value::Object(all), Value::Object(part)) = (&mut document, part) {
            all.extend(part);
        }
    }
    Ok(document)
}

fn names(names: &[Name]) -> Vec<String> {
    names.iter().map(Name::to_string).collect()
}
