//! What a verification found.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::machine::machine;
use crate::verify::run::{Outcome, Record, RunReport};
use crate::verify::{Verification, acting, measure, structure};

/// What was found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct Found {
    /// Whether both models are the same bytes: then there is nothing else to show.
    identical: bool,
    /// What was found of a strip, of whose result the rest shows a fold; null if there was one step.
    stripped: Option<Box<Found>>,
    /// The number of outputs that are the same expressions; null if structures were not compared, or
    /// differ where runs show that the outputs are equal.
    structure: Option<usize>,
    /// The masks, measured on the model's own nodes; null if there were none to measure.
    measured: Option<Vec<Measured>>,
    /// What the runs showed; null if there were none.
    run: Option<Run>,
    /// The places that differ in structure and that the runs reach; null if structures are the same, or
    /// differ only where all runs compute what differs.
    reached: Option<Vec<String>>,
    /// How operators drop that were made active; null if there were none.
    acting: Option<Vec<Acted>>,
}

/// What was measured of a mask.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
struct Measured {
    /// Its place.
    place: String,
    /// The facts; null if it could not be measured.
    facts: Option<Facts>,
    /// Why it could not be measured.
    unmeasured: Option<String>,
}

/// Facts of a mask.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
struct Facts {
    /// The probability to drop, or the standard deviation of noise.
    rate: f64,
    /// How far the rate may be from that; 0 if it was found exactly.
    within: f64,
    /// What kept elements are multiplied by.
    kept: f64,
    /// Whether elements share draws.
    shared: bool,
    /// Whether nothing is drawn.
    constant: bool,
}

/// What the runs showed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
struct Run {
    /// The engine, with its version; null if the models did not run.
    engine: Option<String>,
    /// The machine: outputs are the same to the bit only with the same engine on one of the same kind.
    machine: String,
    /// Why the models did not run.
    unrunnable: Option<String>,
    /// How far outputs may differ.
    tolerance: String,
    /// Sizes of symbolic dimensions that were assumed.
    chosen_dims: BTreeMap<String, usize>,
    /// The number of elements that were compared.
    elements: usize,
    /// Each run.
    runs: Vec<Record>,
}

/// How an operator dropped.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
struct Acted {
    /// Its output.
    output: String,
    /// The rate that was asked for.
    rate: f64,
    /// The number of draws.
    draws: usize,
    /// The number of elements that were dropped.
    dropped: usize,
    /// Why it could not be observed.
    unseen: Option<String>,
}

/// Numbers that may come out a little different on another machine.
fn is_near(a: f64, b: f64) -> bool {
    (a - b).abs() <= 1e-6 * (1.0 + a.abs())
}

impl Found {
    pub fn of(found: &Verification) -> Found {
        let structure = found.structure.as_ref();
        Found {
            identical: found.identical,
            stripped: found.stripped.as_deref().map(Found::of).map(Box::new),
            structure: structure.and_then(|structure| match structure {
                structure::Verdict::Same { outputs } => Some(*outputs),
                structure::Verdict::Different(_) => None,
            }),
            measured: found.measured.as_ref().map(measured),
            run: found.run.as_ref().map(Run::of),
            reached: found.reached.as_ref().map(|reached| {
                let places = reached.places.iter();
                places.map(|place| place.place.clone()).collect()
            }),
            acting: found.acting.as_ref().map(acted),
        }
    }

    /// How what was found again differs; `None` if it is the same.
    pub fn difference(&self, again: &Found) -> Option<String> {
        if self.identical != again.identical {
            return Some("both models are the same bytes in one of both".to_string());
        }
        match (&self.stripped, &again.stripped) {
            (Some(one), Some(other)) => {
                if let Some(why) = one.difference(other) {
                    return Some(format!("of the strip, {why}"));
                }
            }
            (None, None) => {}
            _ => return Some("there are other steps".to_string()),
        }
        if self.structure != again.structure {
            return Some("structure shows something else".to_string());
        }
        let [masks, others] = [self, again].map(|found| found.measured.as_deref());
        match (masks, others) {
            (Some(masks), Some(others)) if masks.len() == others.len() => {
                let mut pairs = masks.iter().zip(others);
                if let Some((mask, _)) = pairs.find(|(mask, other)| !mask.is_like(other)) {
                    return Some(format!("{} is measured to be something else", mask.place));
                }
            }
            (None, None) => {}
            _ => return Some("other masks are measured".to_string()),
        }
        match (&self.run, &again.run) {
            (Some(run), Some(other)) => {
                if let Some(why) = run.difference(other) {
                    return Some(why);
                }
            }
            (None, None) => {}
            _ => return Some("the models run in one of both".to_string()),
        }
        if self.reached != again.reached {
            return Some("the runs reach other differences".to_string());
        }
        let same_machine = self.is_comparable(again);
        let [some, others] = [self, again].map(|found| found.acting.as_deref());
        let alike = match (some, others) {
            (Some(some), Some(others)) => {
                let mut pairs = some.iter().zip(others);
                some.len() == others.len()
                    && pairs.all(|(one, other)| match same_machine {
                        true => one == other,
                        false => (&one.output, one.rate) == (&other.output, other.rate),
                    })
            }
            (some, others) => some.is_none() && others.is_none(),
        };
        (!alike).then(|| "operators drop something else".to_string())
    }

    /// True if the same engine ran on the same kind of machine: then outputs have to be the same bits.
    pub fn is_comparable(&self, again: &Found) -> bool {
        let runs = [self, again].map(|found| found.run.as_ref());
        let [one, other] = runs.map(|run| run.map(|run| (&run.engine, &run.machine)));
        one == other
    }

    /// The engine and the machine of the runs, if there were any.
    pub fn ran_with(&self) -> Option<String> {
        let run = self.run.as_ref()?;
        Some(format!("{} on {}", run.engine.as_ref()?, run.machine))
    }
}

impl Measured {
    fn is_like(&self, other: &Measured) -> bool {
        let facts = match (self.facts, other.facts) {
            (Some(one), Some(other)) => {
                is_near(one.rate, other.rate)
                    && is_near(one.within, other.within)
                    && is_near(one.kept, other.kept)
                    && (one.shared, one.constant) == (other.shared, other.constant)
            }
            (one, other) => one.is_none() && other.is_none(),
        };
        facts && self.place == other.place
    }
}

fn measured(report: &measure::Report) -> Vec<Measured> {
    let sites = report.sites.iter().map(|site| {
        let (facts, unmeasured) = match &site.outcome {
            measure::Outcome::AsAssumed {
                rate,
                within,
                kept,
                shared,
                constant,
            } => {
                let facts = Facts {
                    rate: *rate,
                    within: *within,
                    kept: *kept,
                    shared: *shared,
                    constant: *constant,
                };
                (Some(facts), None)
            }
            measure::Outcome::Unlike { why } | measure::Outcome::Unmeasured { why } => {
                (None, Some(why.clone()))
            }
        };
        Measured {
            place: site.place.clone(),
            facts,
            unmeasured,
        }
    });
    sites.collect()
}

fn acted(report: &acting::Report) -> Vec<Acted> {
    let sites = report.sites.iter().map(|site| Acted {
        output: site.output.clone(),
        rate: site.rate,
        draws: site.draws,
        dropped: site.dropped,
        unseen: match &site.outcome {
            acting::Outcome::AsSaid => None,
            acting::Outcome::Unlike(why) | acting::Outcome::Unseen(why) => Some(why.clone()),
        },
    });
    sites.collect()
}

impl Run {
    fn of(report: &RunReport) -> Run {
        let unrunnable = match &report.outcome {
            Outcome::Unrunnable { reason, .. } => Some(reason.clone()),
            _ => None,
        };
        Run {
            engine: unrunnable.is_none().then(|| report.engine.to_string()),
            machine: machine(),
            unrunnable,
            tolerance: report.tolerance.to_string(),
            chosen_dims: report.chosen.clone(),
            elements: report.elements,
            runs: report.records.clone(),
        }
    }

    fn difference(&self, again: &Run) -> Option<String> {
        if self.tolerance != again.tolerance {
            let (one, other) = (&self.tolerance, &again.tolerance);
            return Some(format!("outputs are equal {other}, in the evidence {one}"));
        }
        let facts = |run: &Run| (run.elements, run.runs.len(), run.unrunnable.is_some());
        if facts(self) != facts(again) || self.chosen_dims != again.chosen_dims {
            return Some("other runs were made".to_string());
        }
        let outputs = (&self.engine, &self.machine) == (&again.engine, &again.machine);
        for (index, (one, other)) in self.runs.iter().zip(&again.runs).enumerate() {
            if let Some(what) = one.difference(other, outputs) {
                let why = "does not have the hash of the evidence";
                return Some(format!("{what} of run {index} {why}"));
            }
        }
        None
    }
}
