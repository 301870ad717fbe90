//! What a verification found.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

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

/// What may differ between two machines, by its key in the document: reasons in words.
const OF_MACHINE: [&str; 4] = ["engine", "machine", "unrunnable", "why"];

/// What has a key for each name in the model, whatever that is.
const BY_NAME: [&str; 4] = ["inputs", "before", "after", "chosen_dims"];

/// What is the same only with the same engine on the same kind of machine.
const OF_ENGINE: [&str; 4] = ["before", "after", "draws", "dropped"];

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

    /// The first place in the document at which what was found again differs; `None` if it is the same.
    pub fn difference(&self, again: &Found) -> Option<String> {
        let exact = self.is_comparable(again);
        let varies = |key: &str| OF_MACHINE.contains(&key) || (!exact && OF_ENGINE.contains(&key));
        let [one, other] =
            [self, again].map(|found| serde_json::to_value(found).unwrap_or_default());
        let place = difference(&one, &other, &varies)?;
        Some(format!("found{place} differs from the evidence"))
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

/// The first place at which two documents differ, besides keys whose values vary.
fn difference(one: &Value, other: &Value, varies: &dyn Fn(&str) -> bool) -> Option<String> {
    match (one, other) {
        (Value::Object(some), Value::Object(others)) => {
            let mut keys = some.keys().chain(others.keys()).filter(|key| !varies(key));
            keys.find_map(|key| {
                let [one, other] = [some, others].map(|all| all.get(key).unwrap_or(&Value::Null));
                let none: &dyn Fn(&str) -> bool = &|_| false;
                let varies = match BY_NAME.contains(&key.as_str()) {
                    true => none,
                    false => varies,
                };
                Some(format!(".{key}{}", difference(one, other, varies)?))
            })
        }
        (Value::Array(some), Value::Array(others)) if some.len() == others.len() => {
            let mut pairs = some.iter().zip(others).enumerate();
            pairs.find_map(|(index, (one, other))| {
                Some(format!("[{index}]{}", difference(one, other, varies)?))
            })
        }
        (Value::Number(one), Value::Number(other)) if one.is_f64() && other.is_f64() => {
            // may come out a little different on another machine
            let [one, other] = [one, other].map(|number| number.as_f64().unwrap_or_default());
            let near = (one - other).abs() <= 1e-6 * (1.0 + one.abs());
            (!near).then(String::new)
        }
        (one, other) => (one != other).then(String::new),
    }
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
}
