//! What strip did.

use serde_json::{Value, json};

use super::{fold, names, rewrite};
use crate::audit::SiteRecord;
use crate::error::Result;
use crate::job::Ended;
use crate::rewrite::Action;
use crate::rewrite::fold::Folded;
use crate::rewrite::strip::Stripped;

/// The document of a strip, and of the fold that followed it.
///
/// # Errors
/// Weights that must be compared cannot be read.
pub fn strip(end: &Ended<'_>, stripped: &Stripped, folded: Option<&Folded>) -> Result<Value> {
    let model = end.job.model();
    let sites = stripped.sites.iter();
    let sites: Vec<_> = sites.map(|site| SiteRecord::new(model, site)).collect();
    let outcome = &stripped.outcome;
    let left = stripped.left()?;
    let norms = stripped.batch_norms.iter().map(|norm| {
        let (action, why) = match &norm.action {
            Action::Apply => ("infer", None),
            Action::NoEffect(why) => ("keep", Some(why)),
            Action::Refused(why) => ("refuse", Some(why)),
        };
        json!({"node": norm.label, "action": action, "why": why, "untrained": norm.untrained})
    });
    let actions = stripped.plan.steps.iter().map(|step| match &step.action {
        Action::Apply => json!({"action": "remove"}),
        Action::NoEffect(why) => json!({"action": "keep", "why": why}),
        Action::Refused(why) => json!({"action": "refuse", "why": why}),
    });
    let parts = json!({
        "sites": sites,
        "plan": actions.collect::<Vec<_>>(),
        "removed": {
            "dropouts": outcome.removed,
            "inputs": names(&outcome.pruned_inputs),
            "nodes": names(&outcome.nodes),
            "initializers": names(&outcome.initializers),
            "functions": names(&outcome.functions),
            "loop_states": outcome.states.iter().map(|(_, count)| count).sum::<usize>(),
        },
        "masks": names(&outcome.masks),
        "scales": outcome.scales.iter()
            .map(|(value, scale)| json!({"value": value.to_string(), "scale": scale}))
            .collect::<Vec<_>>(),
        "convention": stripped.plan.convention,
        "assumed": outcome.assumed.iter()
            .map(|mask| json!({
                "value": mask.value.to_string(), "scale": mask.scale, "convention": mask.convention,
            }))
            .collect::<Vec<_>>(),
        "batchnorm": norms.collect::<Vec<_>>(),
        "identities": outcome.identities.iter()
            .map(|(value, why)| json!({"value": value, "why": why}))
            .collect::<Vec<_>>(),
        "idle_inputs": names(&outcome.idle_inputs),
        "left": {
            "dropouts": left.acting.values().sum::<usize>(),
            "frozen_masks": left.frozen,
            "random_operators": left.random,
            "unloadable_operators": left.unloadable,
            "batchnorm": left.batch_norms,
        },
        "fold": folded.map(fold::parts),
    });
    rewrite("strip", end, parts)
}
