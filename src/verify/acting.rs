//! Dropout that a rewrite made act: does it drop what it says?
//!
//! What goes into it and what comes out become outputs of a copy in memory, which tract runs with our
//! own `Dropout` and our own draws. At every site the dropped fraction must lie within the binomial
//! interval of its rate, what is kept must be scaled by `1/(1-p)`, and the same seed must drop the same
//! elements again. Elements that are 0 to begin with tell nothing and do not count.

mod count;
mod expected;

use std::collections::BTreeSet;
use std::fmt;

use super::engine::{Meaning, Stop, Value};
use super::run::{self, Settings};
use super::structure;
use super::{Options, Verification, subject, verify};
use crate::error::Result;
use crate::onnx::{DataType, Editor, Model, Name, Node, Producer, Values};
use crate::rewrite::Edited;
use count::{Count, Seen};
pub use expected::{Expected, Shared, Watch};

/// Elements that are to be seen at every site, if runs can bring them.
const WANTED: usize = 2000;

/// Most runs that are made for it.
const RUNS: usize = 64;

/// What was found.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    /// The seed of the draws.
    pub seed: u64,
    /// Runs made.
    pub runs: usize,
    /// One entry a site.
    pub sites: Vec<SiteReport>,
}

/// What was seen at one site.
#[derive(Clone, Debug, PartialEq)]
pub struct SiteReport {
    /// What comes out of it.
    pub output: String,
    /// The probability to drop.
    pub rate: f64,
    /// Independent draws that were seen: elements, or whole groups that share one.
    pub draws: usize,
    /// How many of them dropped.
    pub dropped: usize,
    /// What that comes to.
    pub outcome: Outcome,
}

/// What a site came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It drops as it says.
    AsSaid,
    /// It does not, and how.
    Unlike(String),
    /// Nothing was seen, and why.
    Unseen(String),
}

impl Report {
    /// The first site that does not drop as it says.
    pub fn difference(&self) -> Option<String> {
        self.sites.iter().find_map(|site| match &site.outcome {
            Outcome::Unlike(why) => Some(format!("dropout `{}` {why}", site.output)),
            _ => None,
        })
    }
}

impl fmt::Display for SiteReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.outcome {
            Outcome::Unlike(why) => f.write_str(why),
            Outcome::Unseen(why) => write!(f, "not seen: {why}"),
            Outcome::AsSaid => {
                let share = self.dropped as f64 / self.draws as f64;
                write!(f, "{share:.3} of {} dropped, p={}", self.draws, self.rate)
            }
        }
    }
}

/// Verifies what insert or set made of a model: that the inference meaning is the same, in the ways
/// that were asked for, and that dropout which acts does as it says.
///
/// # Errors
/// As [`verify`].
pub fn verify_change(
    before: &Model,
    after: &Model,
    expected: &Expected,
    options: &Options,
) -> Result<Verification> {
    let mut found = match &expected.added_input {
        None => verify(before, after, options)?,
        Some(input) => {
            // the interface has one input more: it is compared with a copy that has it as well
            let before_too = with_input(before, input)?;
            let structure = match options.structure {
                true => Some(structure::compare(&before_too.model, after)?),
                false => None,
            };
            let rest = Options {
                structure: false,
                ..options.clone()
            };
            Verification {
                structure,
                ..verify(before, after, &rest)?
            }
        }
    };
    if let Some(settings) = &options.run
        && !expected.watches.is_empty()
    {
        let report = check(after, expected, settings);
        found.acting = Some(report.map_err(|e| before.source().name_in(e))?);
    }
    Ok(found)
}

fn with_input(model: &Model, input: &Name) -> Result<Edited> {
    let mut copy = model.clone();
    let mut editor = Editor::new(&mut copy, Values::new(model));
    editor.add_input(input, DataType::BOOL, &[]);
    editor.add_initializer(model.main(), input, DataType::BOOL, &[], &[0]);
    editor.finish()?;
    Edited::new(&copy)
}

/// Watches dropout while it acts.
///
/// # Errors
/// The settings do not fit the model, or a file cannot be read.
pub fn check(model: &Model, expected: &Expected, settings: &Settings) -> Result<Report> {
    let (copy, expected) = &watched(model, expected)?;
    let subject = subject("after", &copy.model);
    let mut settings = settings.clone();
    settings.meaning = Meaning::AsWritten {
        seed: settings.seed,
    };
    let mut report = Report {
        seed: settings.seed,
        runs: 0,
        sites: Vec::new(),
    };
    let mut ran = None;
    for again in [false, true] {
        let (names, outputs) = match run::alone(&subject, &settings) {
            Ok(ran) => ran,
            Err(Stop::Error(error)) => return Err(error),
            Err(Stop::Unrunnable(unrunnable)) => {
                report.sites = unseen(expected, &unrunnable.reason);
                return Ok(report);
            }
        };
        report.runs = outputs.len();
        let sites = expected.watches.iter();
        let sites = sites.map(|watch| site(watch, &names, &outputs));
        report.sites = sites.collect();
        ran = Some((names, outputs));
        let seen = report.sites.iter().map(|site| site.draws);
        let least = seen.filter(|&draws| draws > 0).min().unwrap_or(WANTED);
        if again || least >= WANTED {
            break;
        }
        let more = report.runs * WANTED.div_ceil(least);
        settings.runs = more.min(RUNS).max(report.runs);
    }
    // the same seed once more
    settings.runs = 1;
    if let (Some((names, outputs)), Ok((_, again))) = (ran, run::alone(&subject, &settings)) {
        for (watch, site) in expected.watches.iter().zip(&mut report.sites) {
            let place = names.iter().position(|name| watch.output == name.as_str());
            let value = |outputs: &[Vec<Value>]| Some(outputs.first()?.get(place?)?.to_f64());
            if site.outcome == Outcome::AsSaid && value(&outputs) != value(&again) {
                site.outcome = Outcome::Unlike("drops other elements for the same seed".into());
            }
        }
    }
    Ok(report)
}

fn unseen(expected: &Expected, why: &str) -> Vec<SiteReport> {
    let sites = expected.watches.iter().map(|watch| SiteReport {
        output: watch.output.to_string(),
        rate: watch.rate,
        draws: 0,
        dropped: 0,
        outcome: Outcome::Unseen(why.to_string()),
    });
    sites.collect()
}

fn site(watch: &Watch, names: &[String], outputs: &[Vec<Value>]) -> SiteReport {
    let mut count = Count::default();
    let mut outcome = watch.unseen.clone().map(Outcome::Unseen);
    if outcome.is_none() {
        let place = |name: &Name| names.iter().position(|other| *name == other.as_str());
        let (data, output) = (place(&watch.data), place(&watch.output));
        for values in outputs {
            let pair = data.zip(output);
            let pair = pair.and_then(|(x, y)| Some((values.get(x)?, values.get(y)?)));
            let seen = match pair {
                Some((x, y)) => count.add(watch, x, y),
                None => Seen::Nothing("it is not among the outputs of the run".into()),
            };
            match seen {
                Seen::Counted => {}
                Seen::Unlike(why) => outcome = Some(Outcome::Unlike(why)),
                Seen::Nothing(why) => outcome = Some(Outcome::Unseen(why)),
            }
        }
    }
    SiteReport {
        output: watch.output.to_string(),
        rate: watch.rate,
        draws: count.draws,
        dropped: count.dropped,
        outcome: outcome.unwrap_or_else(|| count.outcome(watch.rate)),
    }
}

/// A copy whose switch is on, and whose outputs have what is to be watched among them; and under which
/// names.
fn watched(model: &Model, expected: &Expected) -> Result<(Edited, Expected)> {
    let mut copy = model.clone();
    let mut expected = expected.clone();
    let mut editor = Editor::new(&mut copy, Values::new(model));
    let main = model.main();
    if let Some(switch) = &expected.switch
        && let Some(value) = editor.values().lookup(model, main, switch)
    {
        match editor.values()[value].initializer {
            Some(index) => editor.replace_initializer(main, index, DataType::BOOL, &[], &[1]),
            None => {
                editor.add_initializer(main, switch, DataType::BOOL, &[], &[1]);
            }
        }
    }
    let mut known: BTreeSet<Name> = BTreeSet::new();
    let outputs = &model.graph(main).outputs;
    known.extend(outputs.iter().map(|info| info.name.clone()));
    for watch in &mut expected.watches {
        if watch.unseen.is_some() {
            continue;
        }
        for name in [&mut watch.data, &mut watch.output] {
            let Some(mut value) = editor.values().lookup(model, main, name) else {
                continue;
            };
            if !matches!(editor.values()[value].producer, Producer::Node { .. }) {
                // tract takes an input that is an output as well for one without a type
                let output = editor.fresh_name(&format!("{name}/watched"));
                let identity = Node {
                    inputs: vec![name.clone()],
                    outputs: vec![output.clone()],
                    ..Node::new("Identity")
                };
                let id = editor.insert_node(main, None, identity);
                value = editor
                    .values()
                    .output(editor.model(), id, 0)
                    .unwrap_or(value);
                *name = output;
            }
            if known.insert(name.clone()) {
                editor.add_output(value);
            }
        }
    }
    editor.finish()?;
    Ok((Edited::new(&copy)?, expected))
}
