//! Two models run on the same inputs, and their outputs compared.

mod modes;
mod noise;
mod provoke;
mod reaction;
mod record;
mod setup;
mod side;
mod spool;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::Pairing;
use super::compare::{self, Difference, Tolerance};
use super::engine::watch::Seen;
use super::engine::{Host, Meaning, Mode, Runnable, Stop, Subject, Unrunnable};
use super::inputs::InputSpec;
use crate::error::{Error, ErrorKind, Result};
pub(super) use modes::try_modes;
use noise::Noise;
#[doc(hidden)]
pub use record::{Hashed, Record};
pub(crate) use setup::{Setup, setup};
use side::{Ran, first_side, inputs, interface};

/// How to run and compare.
#[derive(Clone, Debug, derive_setters::Setters)]
#[non_exhaustive]
pub struct Settings {
    /// Number of runs, each with inputs of its own. Every test data set is a run, and comes first.
    pub runs: usize,
    /// Seed of the random inputs.
    pub seed: u64,
    /// Sizes of symbolic dimensions, by name.
    pub dims: BTreeMap<String, usize>,
    /// Shapes or data of inputs.
    pub inputs: Vec<InputSpec>,
    /// How far outputs may lie apart.
    pub tolerance: Tolerance,
    /// What dropout computes in both models.
    pub meaning: Meaning,
    /// Where they run.
    pub host: Host,
    /// Which outputs are compared.
    pub outputs: Pairing,
    /// Outputs that no input changes: they need not react to inputs.
    pub steady: BTreeSet<String>,
    /// Inputs of the first model that the second does not have.
    pub removed_inputs: BTreeSet<String>,
}

impl Default for Settings {
    /// Three runs from seed 0, to the bit, dropout as in inference, in this process.
    fn default() -> Self {
        Settings {
            runs: 3,
            seed: 0,
            dims: BTreeMap::new(),
            inputs: Vec::new(),
            tolerance: Tolerance::Exact,
            meaning: Meaning::Inference,
            host: Host::default(),
            outputs: Pairing::ByName,
            steady: BTreeSet::new(),
            removed_inputs: BTreeSet::new(),
        }
    }
}

/// What came of it.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Outcome {
    /// Every output of every run is equal.
    Equal,
    /// Some output differs, or the models cannot be fed alike.
    Different(Difference),
    /// A model did not run: nothing is known.
    Unrunnable {
        /// Label of the model.
        which: String,
        /// A sentence without a full stop.
        reason: String,
        /// The operator that is the reason, if it is one.
        operator: Option<String>,
        /// True if the engine crashed, reached a limit, or is not here.
        ended: bool,
    },
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Outcome::Equal => f.write_str("equal"),
            Outcome::Different(difference) => write!(f, "different: {difference}"),
            Outcome::Unrunnable { which, reason, .. } => {
                write!(f, "{which} cannot be run: {reason}")
            }
        }
    }
}

/// The result of a comparison, and all that is needed to repeat it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct RunReport {
    /// What came of it.
    pub outcome: Outcome,
    /// Runs made of both models.
    pub runs: usize,
    /// Seed of the inputs.
    pub seed: u64,
    /// Shape of every input.
    pub shapes: BTreeMap<String, Vec<usize>>,
    /// Assumed sizes of symbolic dimensions: by name, or as `input[axis]`.
    pub chosen: BTreeMap<String, usize>,
    /// Names of the outputs compared.
    pub outputs: Vec<String>,
    /// Elements compared, over all runs.
    pub elements: usize,
    /// Outputs that were the same in every run, whatever the inputs: their equality shows nothing.
    pub still: Vec<String>,
    /// How the engine went about it.
    pub mode: Mode,
    /// Where the first model's outputs differ from those recorded in a test data set, beyond the
    /// tolerance of the element type. It does not describe the second model.
    pub recorded: Vec<Difference>,
    /// What was done to the models before they were run, besides dropout's inference meaning.
    pub reference: Vec<String>,
    /// How far outputs may lie apart.
    pub tolerance: Tolerance,
    /// What a reader should know.
    pub notes: Vec<String>,
    /// The inputs and outputs of each run.
    pub records: Vec<Record>,
    /// The engine and its version.
    pub engine: String,
}

impl RunReport {
    /// Adds a note, unless there is one that begins like it.
    fn note(&mut self, begin: String, more: &str) {
        if !self.notes.iter().any(|note| note.starts_with(&begin)) {
            self.notes.push(begin + more);
        }
    }

    fn new(settings: &Settings) -> RunReport {
        RunReport {
            outcome: Outcome::Equal,
            runs: 0,
            seed: settings.seed,
            shapes: BTreeMap::new(),
            chosen: BTreeMap::new(),
            outputs: Vec::new(),
            elements: 0,
            still: Vec::new(),
            mode: Mode::Optimised,
            recorded: Vec::new(),
            reference: Vec::new(),
            tolerance: settings.tolerance,
            notes: Vec::new(),
            records: Vec::new(),
            engine: settings.host.names(),
        }
    }

    /// A model cannot be run.
    pub(super) fn unrunnable(settings: &Settings, which: &str, why: Unrunnable) -> RunReport {
        let Unrunnable {
            reason,
            operator,
            ended,
        } = why;
        RunReport {
            outcome: Outcome::Unrunnable {
                which: which.to_string(),
                reason,
                operator,
                ended,
            },
            ..RunReport::new(settings)
        }
    }
}

/// Runs both models, one after the other, and compares their outputs. The first model declares what
/// the inputs are. Where it does not run, safer inputs, smaller sizes and simpler modes are tried;
/// the final choice applies to both models and is in the report.
///
/// # Errors
/// The request does not fit the model (an unknown dimension or input, a shape that contradicts it,
/// data that is missing or of another type), or a file cannot be read. That a model does not run is
/// no error but an outcome.
#[doc(hidden)]
pub fn compare(before: &Subject, after: &Subject, settings: &Settings) -> Result<RunReport> {
    let mut report = RunReport::new(settings);
    if settings.runs == 0
        && !settings
            .inputs
            .iter()
            .any(|spec| matches!(spec, InputSpec::TestSet { .. }))
    {
        return Err(Error::new(ErrorKind::Usage, "--runs must be at least 1"));
    }
    let mut label: Option<String> = None;
    let mut other: Option<String> = None;
    let compared = try_modes(&settings.host, |mode| {
        report.mode = mode;
        let attempt = attempt(before, after, settings, &mut report);
        attempt.map_err(|(which, stop)| {
            other.get_or_insert(format!("{stop} ({which})"));
            label.get_or_insert(which);
            stop
        })
    });
    match compared {
        Ok(outcome) => {
            let fell_back = report.mode == Mode::OnnxRuntime;
            report.notes.extend(other.filter(|_| fell_back));
            report.outcome = outcome;
        }
        Err(Stop::Error(error)) => return Err(error),
        Err(Stop::Unrunnable(why)) => {
            (report.mode, report.runs, report.elements) = (Mode::Optimised, 0, 0);
            report.engine = settings.host.names();
            let which = label.unwrap_or_default();
            report.outcome = RunReport::unrunnable(settings, &which, why).outcome;
        }
    }
    Ok(report)
}

/// Runs one model alone. `watch` gets what watching nodes saw, run by run; from run 0 again where the
/// model is run again.
///
/// # Errors
/// As [`compare`], and if the model does not run.
pub(super) fn watched(
    subject: &Subject,
    settings: &Settings,
    watch: &mut dyn FnMut(usize, Vec<Seen>),
) -> Result<(), Stop> {
    try_modes(&settings.host, |mode| {
        first_side(subject, settings, mode, watch).map(|_| ())
    })
}

fn drawn(draws: &str) -> String {
    format!("both models draw the same random numbers ({draws})")
}

/// A model and why it stopped.
type Stopped = (String, Stop);

fn attempt(
    before: &Subject,
    after: &Subject,
    settings: &Settings,
    report: &mut RunReport,
) -> Result<Outcome, Stopped> {
    let mode = report.mode;
    let (mut first, runnable) = first_side(before, settings, mode, &mut |_, _| {})
        .map_err(|stop| (before.label.to_string(), stop))?;
    let provoked = first.provoke(&runnable, settings);
    provoked.map_err(|error| (before.label.to_string(), error.into()))?;
    drop(runnable); // the weights of one model at a time
    report.shapes = first.shapes.inputs.clone();
    report.chosen = first.shapes.chosen.clone();
    report.outputs = first.names.clone();
    report.notes = first.notes.clone();
    report.notes.extend(first.draws.as_deref().map(drawn));
    report.notes.extend(first.range.note().map(String::from));
    report.engine.clone_from(&first.engine);
    if mode != Mode::Optimised {
        let engine = mode.engine();
        report
            .notes
            .push(format!("{engine} ran both models {mode}"));
    }
    report.notes.extend(first.blank(settings));
    let still = (0..first.names.len()).filter(|&output| first.is_still(output, settings));
    report.still = still.map(|output| first.names[output].clone()).collect();
    report.recorded = first.recorded.clone();
    let second = |stop| (after.label.to_string(), stop);
    let parsed = settings.host.read(after, settings.meaning, mode);
    let parsed = parsed.map_err(second)?;
    if let Some(reason) = interface(&first, &parsed, settings) {
        return Ok(Outcome::Different(Difference::Interface { reason }));
    }
    let draws = parsed.draws().as_deref().map(drawn);
    for note in parsed.notes().iter().cloned().chain(draws) {
        if !report.notes.contains(&note) {
            report.notes.push(note);
        }
    }
    let runnable = parsed.runnable(&first.shapes).map_err(second)?;
    let noise = Noise::new(before, settings, mode, first.shapes.clone());
    compare_runs(first, noise, &runnable, settings, report).map_err(second)
}

/// Runs the second model on the inputs of the first, and compares the outputs.
fn compare_runs(
    mut first: Ran,
    mut noise: Noise<'_>,
    runnable: &Runnable,
    settings: &Settings,
    report: &mut RunReport,
) -> Result<Outcome, Stop> {
    (report.runs, report.elements) = (0, 0);
    report.records.clear();
    let mut outputs = first.outputs.read()?;
    for (run, &feed) in first.feeds.iter().enumerate() {
        let computed = outputs.next().transpose()?.unwrap_or_default();
        let inputs = inputs(&first, settings.seed, feed)?;
        let found = runnable.run(&inputs, feed.run as u64)?;
        let after = (runnable.outputs(), &found[..]);
        report
            .records
            .push(Record::of(&inputs, (&first.names, &computed), after));
        for (index, (name, expected)) in first.names.iter().zip(&computed).enumerate() {
            if !first.is_compared(run, index) {
                continue;
            }
            let place = match settings.outputs {
                Pairing::ByPosition => Some(index),
                Pairing::ByName => runnable.outputs().iter().position(|other| other == name),
            };
            let Some(found) = place.and_then(|place| found.get(place)) else {
                let reason = format!("output {name} is missing after");
                return Ok(Outcome::Different(Difference::Interface { reason }));
            };
            let tolerance = settings.tolerance;
            let apart = |noise: &[f64]| {
                let beyond = compare::compare_beyond(name, expected, found, (tolerance, noise));
                let pair = [expected, found];
                beyond.or_else(|| compare::compare_together(name, pair, (tolerance, noise)))
            };
            if let Some(difference) = apart(&[]) {
                let noise = match tolerance.is_of_rounding() {
                    true => noise.around(&inputs, feed.run, &computed),
                    false => None,
                };
                let noise = noise.and_then(|noise| noise.get(index));
                if let Some(beyond) = apart(noise.map_or(&[][..], Vec::as_slice)) {
                    return Ok(Outcome::Different(beyond));
                }
                let more = format!(" by no more than the rounding of the original ({difference})");
                report.note(format!("output {name}: elements differ"), &more);
            } else if tolerance == Tolerance::Values
                && compare::compare(name, expected, found, Tolerance::Exact).is_some()
            {
                report.note(format!("output {name}: zeros differ in their sign"), "");
            }
            report.elements += expected.len();
        }
        report.runs += 1;
    }
    Ok(Outcome::Equal)
}
