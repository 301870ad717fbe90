//! What set did.

use serde_json::{Value, json};

use super::{names, rewrite};
use crate::audit::SiteRecord;
use crate::error::Result;
use crate::job::Ended;
use crate::rewrite::set::{Changed, Options};
use crate::rewrite::{Action, Rate};

/// The document of a set.
///
/// # Errors
/// Weights that must be compared cannot be read.
pub fn set(end: &Ended<'_>, options: &Options, changed: &Changed) -> Result<Value> {
    let model = end.job.model();
    let sites = changed.sites.iter();
    let sites: Vec<_> = sites.map(|site| SiteRecord::new(model, site)).collect();
    let steps = changed.plan.steps.iter().map(|step| match &step.action {
        Action::Apply => json!({"action": "set"}),
        Action::NoEffect(why) => json!({"action": "leave", "why": why}),
        Action::Refused(why) => json!({"action": "refuse", "why": why}),
    });
    let outcome = &changed.outcome;
    let parts = json!({
        "rate": options.rate.map(Rate::value),
        "mode": options.acting.as_ref().map(ToString::to_string),
        "sites": sites,
        "plan": steps.collect::<Vec<_>>(),
        "changed": outcome.changed,
        "switch": outcome.switch.as_ref().map(ToString::to_string),
        "added_input": outcome.added_input,
        "idle_inputs": names(&outcome.idle_inputs),
    });
    rewrite("set", end, parts)
}
