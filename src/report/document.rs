//! What the commands report, as JSON documents: one file a command. The audit's is
//! [`audit::Document`](crate::audit::Document), and `show`'s [`show::Document`](crate::show::Document).

mod diff;
mod fold;
mod insert;
mod replay;
mod sample;
#[cfg(test)]
mod schema;
mod set;
mod strip;
mod verification;
mod verify;

use serde::Serialize;
use serde_json::Value;

use crate::audit::TOOL;
use crate::diff::Diff;
use crate::error::Result;
use crate::job::Ended;
use crate::rewrite::Action;

pub use super::json::text;
pub use diff::diff;
pub use fold::fold;
pub use insert::{insert, insert_sites};
pub use replay::replay;
pub use sample::sample;
pub use set::set;
pub use strip::strip;
pub use verify::verify;

/// The parts that the documents of all rewrites have in common, and those of one.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Rewrite<'r, P> {
    /// The version of the document.
    schema: String,
    /// The program that wrote it, with its version.
    tool: &'static str,
    /// The model.
    input: String,
    /// The file of the result; null if nothing was written.
    output: Option<String>,
    /// The sizes of both models in bytes.
    bytes: Sizes,
    #[serde(flatten)]
    parts: P,
    /// What verification found; null if it was not asked for.
    verification: Option<verification::Document<'r>>,
    /// The changes, by name.
    diff: Diff,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Sizes {
    before: u64,
    after: u64,
}

/// The document of a rewrite.
///
/// # Errors
/// Weights that must be compared cannot be read.
fn rewrite(command: &str, end: &Ended<'_>, parts: impl Serialize) -> Result<Value> {
    let document = Rewrite {
        schema: format!("dropout-onnx/{command}/1"),
        tool: TOOL,
        input: end.job.files().input.to_string_lossy().into_owned(),
        output: end.output(),
        bytes: Sizes {
            before: end.job.model().source().len(),
            after: end.edited.rope.len(),
        },
        parts,
        verification: end.verification.as_ref().map(verification::Document::of),
        diff: end.changes()?,
    };
    Ok(serde_json::to_value(document)?)
}

/// What happens to a part of the model.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Step {
    /// What is done; keep, leave or refuse if it stays as it is.
    action: &'static str,
    /// The reason for leaving it as it is.
    why: Option<String>,
}

impl Step {
    /// `words`: for what is done, for what has no effect and for what is refused.
    fn of(action: &Action, words: [&'static str; 3]) -> Step {
        let [apply, keep, refuse] = words;
        let (action, why) = match action {
            Action::Apply => (apply, None),
            Action::NoEffect(why) => (keep, Some(why)),
            Action::Refused(why) => (refuse, Some(why)),
        };
        Step {
            action,
            why: why.map(ToString::to_string),
        }
    }
}
