//! What set did.

use serde::Serialize;
use serde_json::Value;

use super::{Step, rewrite};
use crate::audit::SiteRecord;
use crate::error::Result;
use crate::job::Ended;
use crate::rewrite::Rate;
use crate::rewrite::set::{Changed, Options, Outcome};

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct Set<'r> {
    /// The new rate.
    rate: Option<f64>,
    /// The new mode.
    mode: Option<String>,
    /// The dropouts before the change.
    sites: Vec<SiteRecord>,
    /// A step for each dropout: set, leave or refuse.
    plan: Vec<Step>,
    #[serde(flatten)]
    outcome: &'r Outcome,
}

/// The document of a set.
///
/// # Errors
/// Weights that must be compared cannot be read.
pub fn set(end: &Ended<'_>, options: &Options, changed: &Changed) -> Result<Value> {
    let model = end.job.model();
    let sites = changed.sites.iter();
    let steps = changed.plan.steps.iter();
    let parts = Set {
        rate: options.rate.map(Rate::value),
        mode: options.acting.as_ref().map(ToString::to_string),
        sites: SiteRecord::all(model, sites),
        plan: steps
            .map(|step| Step::of(&step.action, ["set", "leave", "refuse"]))
            .collect(),
        outcome: &changed.outcome,
    };
    rewrite("set", end, parts)
}
