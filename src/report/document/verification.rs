//! What verification found.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::verify::run::{Outcome, RunReport};
use crate::verify::structure::{self, Kind};
use crate::verify::{Verification, acting, measure, reach};

/// The results of each check; null if it was not asked for.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct Document<'r> {
    structure: Option<Structure<'r>>,
    run: Option<Run<'r>>,
    /// True if both models are the same bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    identical: Option<bool>,
    /// The masks that were removed, on the original's own nodes.
    #[serde(skip_serializing_if = "Option::is_none")]
    measured: Option<&'r measure::Report>,
    /// The places that differ, and whether runs reach them.
    #[serde(skip_serializing_if = "Option::is_none")]
    reached: Option<&'r [reach::Place]>,
    /// Dropout that was made active.
    #[serde(skip_serializing_if = "Option::is_none")]
    acting: Option<&'r acting::Report>,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(tag = "result", rename_all = "snake_case")]
enum Structure<'r> {
    Same {
        /// The number of outputs.
        outputs: usize,
        /// The changes of the rewrite, which do not count.
        #[serde(skip_serializing_if = "Option::is_none")]
        but_for: Option<&'r str>,
    },
    Different {
        kind: Kind,
        /// Where they first differ.
        place: &'r str,
        why: &'r str,
    },
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Run<'r> {
    #[cfg_attr(test, schemars(extend("enum" = ["equal", "different", "unrunnable"])))]
    result: &'static str,
    why: Option<String>,
    /// The engine and its version.
    engine: &'r str,
    runs: usize,
    /// The seed of the inputs.
    seed: u64,
    /// The shape of every input.
    shapes: &'r BTreeMap<String, Vec<usize>>,
    /// Assumed sizes of symbolic dimensions.
    chosen_dims: &'r BTreeMap<String, usize>,
    /// The outputs that were compared.
    outputs: &'r [String],
    /// The number of elements compared.
    elements: usize,
    tolerance: String,
    /// What was done to the models before they were run.
    reference: &'r [String],
    notes: &'r [String],
}

impl Document<'_> {
    pub fn of(verification: &Verification) -> Document<'_> {
        let structure = verification.structure.as_ref();
        Document {
            structure: structure.map(|verdict| match verdict {
                structure::Verdict::Same { outputs } => Structure::Same {
                    outputs: *outputs,
                    but_for: verification.allowed.as_deref(),
                },
                structure::Verdict::Different(found) => Structure::Different {
                    kind: found.kind,
                    place: &found.place,
                    why: &found.why,
                },
            }),
            run: verification.run.as_ref().map(Run::of),
            identical: verification.identical.then_some(true),
            measured: verification.measured.as_ref(),
            reached: verification.reached.as_ref().map(|found| &*found.places),
            acting: verification.acting.as_ref(),
        }
    }
}

impl Run<'_> {
    fn of(run: &RunReport) -> Run<'_> {
        let (result, why) = match &run.outcome {
            Outcome::Equal => ("equal", None),
            Outcome::Different(difference) => ("different", Some(difference.to_string())),
            Outcome::Unrunnable { reason, .. } => ("unrunnable", Some(reason.clone())),
        };
        Run {
            result,
            why,
            engine: &run.engine,
            runs: run.runs,
            seed: run.seed,
            shapes: &run.shapes,
            chosen_dims: &run.chosen,
            outputs: &run.outputs,
            elements: run.elements,
            tolerance: run.tolerance.to_string(),
            reference: &run.reference,
            notes: &run.notes,
        }
    }
}
