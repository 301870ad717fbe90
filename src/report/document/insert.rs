//! What insert did, and where it could.

use serde_json::{Value, json};

use super::rewrite;
use crate::audit::TOOL;
use crate::error::Result;
use crate::job::Ended;
use crate::rewrite::Action;
use crate::rewrite::insert::{Candidate, Inserted, Options};

/// The document of an insert.
///
/// # Errors
/// Weights that must be compared cannot be read.
pub fn insert(end: &Ended<'_>, options: &Options, inserted: &Inserted) -> Result<Value> {
    let steps = inserted.plan.steps.iter();
    let steps = steps.map(|step| {
        let place = &inserted.places[step.site];
        let (action, why) = match &step.action {
            Action::Apply => ("insert", None),
            Action::NoEffect(why) => ("leave", Some(why)),
            Action::Refused(why) => ("refuse", Some(why)),
        };
        json!({
            "action": action, "why": why, "place": step.label,
            "data": place.data.to_string(), "output": place.output.to_string(),
            "rate": place.rate.value(), "seed": place.seed, "shared_axes": place.shared_axes,
        })
    });
    let parts = json!({
        "mode": options.acting.to_string(),
        "plan": steps.collect::<Vec<_>>(),
        "unplaced": inserted.unplaced,
        "inserted": inserted.outcome.inserted,
        "switch": inserted.outcome.switch.as_ref().map(ToString::to_string),
        "added_input": inserted.outcome.added_input,
    });
    rewrite("insert", end, parts)
}

/// The document of the places where dropout would go in a model, called `input`.
pub fn insert_sites(input: &str, sites: &[Candidate]) -> Value {
    json!({
        "schema": "dropout-onnx/insert-sites/1", "tool": TOOL, "input": input, "sites": sites,
    })
}
