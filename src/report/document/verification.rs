//! What verification found.

use serde_json::{Value, json};

use crate::verify::run::Outcome;
use crate::verify::{Verification, structure};

/// What was found, each way.
pub(super) fn value(verification: &Verification) -> Value {
    let structure = verification
        .structure
        .as_ref()
        .map(|structure| match structure {
            structure::Verdict::Same { outputs } => match &verification.allowed {
                Some(allowed) => json!({"result": "same", "outputs": outputs, "but_for": allowed}),
                None => json!({"result": "same", "outputs": outputs}),
            },
            structure::Verdict::Different(found) => {
                json!({
                    "result": "different", "kind": found.kind,
                    "place": found.place, "why": found.why,
                })
            }
        });
    let run = verification.run.as_ref().map(|run| {
        let (result, why) = match &run.outcome {
            Outcome::Equal => ("equal", None),
            Outcome::Different(difference) => ("different", Some(difference.to_string())),
            Outcome::Unrunnable { reason, .. } => ("unrunnable", Some(reason.clone())),
        };
        json!({
            "result": result, "why": why, "engine": run.engine, "runs": run.runs,
            "seed": run.seed, "shapes": run.shapes, "chosen_dims": run.chosen,
            "outputs": run.outputs, "elements": run.elements,
            "tolerance": run.tolerance.to_string(), "reference": run.reference, "notes": run.notes,
        })
    });
    let acting = verification
        .acting
        .as_ref()
        .map(|report| json!({"seed": report.seed, "runs": report.runs, "sites": report.sites}));
    let mut document = json!({"structure": structure, "run": run});
    if verification.identical {
        document["identical"] = json!(true);
    }
    if let Some(report) = &verification.measured {
        document["measured"] = json!({"sites": report.sites});
    }
    if let Some(reached) = &verification.reached {
        let places = reached
            .places
            .iter()
            .map(|place| json!({"place": place.place, "unreached": place.unreached}));
        document["reached"] = json!(places.collect::<Vec<_>>());
    }
    if let Some(acting) = acting {
        document["acting"] = acting;
    }
    document
}
