//! What insert did, and where it could.

use serde::Serialize;
use serde_json::Value;

use super::{Step, rewrite};
use crate::audit::TOOL;
use crate::error::Result;
use crate::job::Ended;
use crate::onnx::Name;
use crate::rewrite::insert::{Candidate, Inserted, Options, Outcome, Unplaced};

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct Insert<'r> {
    /// The mode of the dropout.
    mode: String,
    /// A step for each place.
    plan: Vec<Place<'r>>,
    /// Dropout of the model of --like or --from that has no place.
    unplaced: &'r [Unplaced],
    #[serde(flatten)]
    outcome: &'r Outcome,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Place<'r> {
    /// insert, leave or refuse.
    #[serde(flatten)]
    step: Step,
    place: &'r str,
    /// The value that is dropped.
    data: &'r Name,
    /// The result of the dropout.
    output: &'r Name,
    rate: f64,
    seed: Option<i64>,
    /// The axes along which the mask is shared.
    shared_axes: Option<&'r [i64]>,
}

/// The document of an insert.
///
/// # Errors
/// Weights that must be compared cannot be read.
pub fn insert(end: &Ended<'_>, options: &Options, inserted: &Inserted) -> Result<Value> {
    let plan = inserted.plan.steps.iter().map(|step| {
        let place = &inserted.places[step.site];
        Place {
            step: Step::of(&step.action, ["insert", "leave", "refuse"]),
            place: &step.label,
            data: &place.data,
            output: &place.output,
            rate: place.rate.value(),
            seed: place.seed,
            shared_axes: place.shared_axes.as_deref(),
        }
    });
    let parts = Insert {
        mode: options.acting.to_string(),
        plan: plan.collect(),
        unplaced: &inserted.unplaced,
        outcome: &inserted.outcome,
    };
    rewrite("insert", end, parts)
}

/// Places where dropout could be inserted.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct Places<'r> {
    /// The version of the document.
    schema: &'static str,
    /// The program that wrote it, with its version.
    tool: &'static str,
    /// The model.
    input: &'r str,
    /// The places.
    sites: &'r [Candidate],
}

/// The document of the places where dropout would go in a model, called `input`.
///
/// # Errors
/// None that places give rise to; the serializer's own.
pub fn insert_sites(input: &str, sites: &[Candidate]) -> Result<Value> {
    Ok(serde_json::to_value(Places {
        schema: "dropout-onnx/insert-sites/1",
        tool: TOOL,
        input,
        sites,
    })?)
}
