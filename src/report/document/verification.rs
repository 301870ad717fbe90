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
    acting: Option<Acting<'r>>,
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

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Acting<'r> {
    seed: u64,
    runs: usize,
    sites: Vec<Acts<'r>>,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Acts<'r> {
    output: &'r str,
    /// The probability to drop.
    rate: f64,
    /// The number of independent draws.
    draws: usize,
    /// The number of draws that dropped.
    dropped: usize,
    #[cfg_attr(test, schemars(extend("enum" = ["as_said", "unlike", "unseen"])))]
    result: &'static str,
    why: Option<&'r str>,
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
            acting: verification.acting.as_ref().map(|report| Acting {
                seed: report.seed,
                runs: report.runs,
                sites: report.sites.iter().map(Acts::of).collect(),
            }),
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

impl Acts<'_> {
    fn of(site: &acting::SiteReport) -> Acts<'_> {
        let (result, why) = match &site.outcome {
            acting::Outcome::AsSaid => ("as_said", None),
            acting::Outcome::Unlike(why) => ("unlike", Some(&**why)),
            acting::Outcome::Unseen(why) => ("unseen", Some(&**why)),
        };
        Acts {
            output: &site.output,
            rate: site.rate,
            draws: site.draws,
            dropped: site.dropped,
            result,
            why,
        }
    }
}
