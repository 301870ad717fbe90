//! What fold did.

use serde_json::{Value, json};

use super::{names, rewrite};
use crate::error::Result;
use crate::job::Ended;
use crate::rewrite::Action;
use crate::rewrite::fold::Folded;

/// The document of a fold.
///
/// # Errors
/// Weights that must be compared cannot be read.
pub fn fold(end: &Ended<'_>, folded: &Folded) -> Result<Value> {
    rewrite("fold", end, parts(folded))
}

/// What was planned and done.
pub(super) fn parts(folded: &Folded) -> Value {
    let outcome = &folded.outcome;
    let factors = folded.plan.steps.iter().map(|step| {
        let (action, why) = match &step.action {
            Action::Apply => ("fold", None),
            Action::NoEffect(why) | Action::Refused(why) => ("keep", Some(why)),
        };
        let factor = step.factor.as_ref();
        json!({
            "node": step.label, "value": step.value.to_string(),
            "factor": factor.map(|factor| factor.to_string()),
            "elements": factor.map_or(0, |factor| factor.elements.len()),
            "action": action, "why": why, "into": step.into, "through": step.through,
        })
    });
    let weights = outcome.weights.iter();
    let weights = weights.map(|(name, bytes)| json!({"name": name.to_string(), "bytes": bytes}));
    let copies = outcome.copies.iter().map(
        |(copy, of, bytes)| json!({"name": copy.to_string(), "of": of.to_string(), "bytes": bytes}),
    );
    let attributes = outcome.attributes.iter();
    let attributes =
        attributes.map(|(node, name, is)| json!({"node": node, "name": name, "is": is}));
    let identities = outcome.identities.iter();
    let identities = identities.map(|(value, why)| json!({"value": value, "why": why}));
    json!({
        "factors": factors.collect::<Vec<_>>(),
        "folded": outcome.folded,
        "weights": weights.collect::<Vec<_>>(),
        "copies": copies.collect::<Vec<_>>(),
        "embedded": names(&outcome.embedded),
        "lost": outcome.lost.iter()
            .map(|(name, elements)| json!({"name": name.to_string(), "elements": elements}))
            .collect::<Vec<_>>(),
        "attributes": attributes.collect::<Vec<_>>(),
        "identities": identities.collect::<Vec<_>>(),
        "removed": names(&outcome.removed),
        "idle_inputs": names(&outcome.idle_inputs),
    })
}
