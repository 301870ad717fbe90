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
    measured: Option<Vec<measure::SiteReport>>,
    /// What the runs showed; null if there were none.
    run: Option<Run>,
    /// The places that differ in structure and that the runs reach; null if structures are the same, or
    /// differ only where all runs compute what differs.
    reached: Option<Vec<String>>,
    /// How operators drop that were made active; null if there were none.
    acting: Option<Vec<acting::SiteReport>>,
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
            measured: found.measured.as_ref().map(|report| report.sites.clone()),
            run: found.run.as_ref().map(Run::of),
            reached: found.reached.as_ref().map(|reached| {
                let places = reached.places.iter();
                places.map(|place| place.place.clone()).collect()
            }),
            acting: found.acting.as_ref().map(|report| report.sites.clone()),
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
                if let Some((mask, _)) = pairs.find(|(mask, other)| !is_like(mask, other)) {
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

/// True of the same facts, and of two masks that could not be measured.
fn is_like(one: &measure::SiteReport, other: &measure::SiteReport) -> bool {
    use measure::Outcome::AsAssumed;
    let facts = |site: &measure::SiteReport| match site.outcome {
        AsAssumed {
            rate,
            within,
            kept,
            shared,
            constant,
        } => Some(([rate, within, kept], (shared, constant))),
        _ => None,
    };
    let alike = match (facts(one), facts(other)) {
        (Some((numbers, facts)), Some((others, same))) => {
            let mut pairs = numbers.iter().zip(others);
            facts == same && pairs.all(|(&one, other)| is_near(one, other))
        }
        (one, other) => one.is_none() && other.is_none(),
    };
    alike && one.place == other.place
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
