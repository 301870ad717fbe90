//! Two models run on the same inputs, and their outputs compared.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::compare::{self, Difference, Tolerance};
use super::engine::{
    Dim, Fill, Meaning, Mode, Parsed, Port, Shapes, Stop, Subject, TRACT, Unrunnable, Value,
};
use super::inputs::{Given, InputSpec, Range, make};
use crate::error::{Error, ErrorKind, Result};

/// How to run and compare.
#[derive(Clone, Debug)]
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
}

impl Default for Settings {
    /// Three runs from seed 0, to the bit, dropout as in inference.
    fn default() -> Self {
        Settings {
            runs: 3,
            seed: 0,
            dims: BTreeMap::new(),
            inputs: Vec::new(),
            tolerance: Tolerance::Exact,
            meaning: Meaning::Inference,
        }
    }
}

/// What came of it.
#[derive(Clone, Debug, PartialEq)]
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
        /// The operator that stands in the way, if it is one.
        operator: Option<String>,
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
pub struct RunReport {
    /// What came of it.
    pub outcome: Outcome,
    /// Runs made of both models.
    pub runs: usize,
    /// Seed of the inputs.
    pub seed: u64,
    /// Shape of every input.
    pub shapes: BTreeMap<String, Vec<usize>>,
    /// Sizes chosen for dimensions that nobody gave: by name, or as `input[axis]`.
    pub chosen: BTreeMap<String, usize>,
    /// Names of the outputs compared.
    pub outputs: Vec<String>,
    /// Elements compared, over all runs.
    pub elements: usize,
    /// How tract went about it.
    pub mode: Mode,
    /// Where the first model's outputs differ from those recorded in a test data set, beyond the
    /// tolerance of the element type. It says nothing about the second model.
    pub recorded: Vec<Difference>,
    /// What a reader should know.
    pub notes: Vec<String>,
    /// The engine and its version.
    pub engine: &'static str,
}

/// Runs both models, one after the other, and compares their outputs. The first model says what
/// the inputs are. Where it does not run, safer inputs, smaller sizes and simpler modes are tried;
/// what was settled on holds for both models and is in the report.
///
/// # Errors
/// The request does not fit the model (an unknown dimension or input, a shape that contradicts it,
/// data that is missing or of another type), or a file cannot be read. That a model does not run is
/// no error but an outcome.
pub fn compare(before: &Subject, after: &Subject, settings: &Settings) -> Result<RunReport> {
    let mut report = RunReport {
        outcome: Outcome::Equal,
        runs: 0,
        seed: settings.seed,
        shapes: BTreeMap::new(),
        chosen: BTreeMap::new(),
        outputs: Vec::new(),
        elements: 0,
        mode: Mode::Optimised,
        recorded: Vec::new(),
        notes: Vec::new(),
        engine: TRACT,
    };
    if settings.runs == 0
        && !settings
            .inputs
            .iter()
            .any(|spec| matches!(spec, InputSpec::TestSet { .. }))
    {
        return Err(Error::new(ErrorKind::Usage, "zero runs compare nothing"));
    }
    // The reason from the first mode is kept: the later ones only work around it.
    let mut first: Option<(String, Unrunnable)> = None;
    for mode in Mode::ALL {
        report.mode = mode;
        let stopped = match attempt(before, after, settings, &mut report) {
            Ok(outcome) => {
                report.outcome = outcome;
                return Ok(report);
            }
            Err((_, Stop::Error(error))) => return Err(error),
            Err((which, Stop::Unrunnable(unrunnable))) => (which, unrunnable),
        };
        let known = stopped.1.operator.is_some();
        first.get_or_insert(stopped);
        if known {
            break;
        }
    }
    report.mode = Mode::Optimised;
    report.runs = 0;
    report.elements = 0;
    if let Some((which, Unrunnable { reason, operator })) = first {
        report.outcome = Outcome::Unrunnable {
            which,
            reason,
            operator,
        };
    }
    Ok(report)
}

/// A model and why it stopped.
type Stopped = (String, Stop);

/// One side's outputs, by run and output.
struct Ran {
    ports: Vec<Port>,
    names: Vec<String>,
    given: Given,
    shapes: Shapes,
    range: Range,
    notes: Vec<String>,
    outputs: Vec<Vec<Value>>,
}

fn attempt(
    before: &Subject,
    after: &Subject,
    settings: &Settings,
    report: &mut RunReport,
) -> Result<Outcome, Stopped> {
    let mode = report.mode;
    let first =
        first_side(before, settings, mode).map_err(|stop| (before.label.to_string(), stop))?;
    report.shapes = first.shapes.inputs.clone();
    report.chosen = first.shapes.chosen.clone();
    report.outputs = first.names.clone();
    report.notes = first.notes.clone();
    report.notes.extend(first.range.note().map(String::from));
    if mode != Mode::Optimised {
        report.notes.push(format!("tract ran both models {mode}"));
    }
    report.recorded = recorded(&first);
    let second = |stop| (after.label.to_string(), stop);
    let parsed = Parsed::read(after, settings.meaning, mode).map_err(second)?;
    if let Some(reason) = interface(&first, &parsed) {
        return Ok(Outcome::Different(Difference::Interface { reason }));
    }
    for note in parsed.notes() {
        if !report.notes.contains(note) {
            report.notes.push(note.clone());
        }
    }
    let second = |stop| (after.label.to_string(), stop);
    let runnable = parsed
        .runnable(&first.shapes)
        .map_err(|stop| second(stop.into()))?;
    (report.runs, report.elements) = (0, 0);
    for (run, expected) in first.outputs.iter().enumerate() {
        let inputs = inputs(
            &first.ports,
            &first.given,
            &first.shapes,
            settings.seed,
            run,
            first.range,
        );
        let found = runnable
            .run(&inputs.map_err(second)?, run as u64)
            .map_err(second)?;
        for (index, name) in first.names.iter().enumerate() {
            // The models may list their outputs in different order.
            let place = runnable.outputs().iter().position(|other| other == name);
            let (Some(expected), Some(found)) = (
                expected.get(index),
                place.and_then(|place| found.get(place)),
            ) else {
                let reason = format!("output {name} is missing after");
                return Ok(Outcome::Different(Difference::Interface { reason }));
            };
            if let Some(difference) = compare::compare(name, expected, found, settings.tolerance) {
                return Ok(Outcome::Different(difference));
            }
            report.elements += expected.len();
        }
        report.runs += 1;
    }
    Ok(Outcome::Equal)
}

/// Runs the first model, looking for sizes and integers with which it does.
fn first_side(subject: &Subject, settings: &Settings, mode: Mode) -> Result<Ran, Stop> {
    let mut why: Option<Unrunnable> = None;
    for fill in Fill::ALL {
        let parsed = Parsed::read(subject, settings.meaning, mode)?;
        let ports = parsed.inputs().to_vec();
        let given = Given::read(&settings.inputs, &ports, parsed.outputs())?;
        let shapes = parsed.choose(&settings.dims, &given.shapes(), fill)?;
        let open = !shapes.chosen.is_empty();
        let names = parsed.outputs().to_vec();
        let notes = parsed.notes().to_vec();
        let mut ran = Ran {
            ports,
            names,
            given,
            shapes,
            range: Range::Small,
            notes,
            outputs: Vec::new(),
        };
        match run_side(parsed, &mut ran, settings) {
            Ok(()) => return Ok(ran),
            Err(Stop::Unrunnable(unrunnable)) => why.get_or_insert(unrunnable),
            Err(stop) => return Err(stop),
        };
        if !open {
            break;
        }
    }
    Err(why
        .unwrap_or_else(|| Unrunnable::new("there is no size to try"))
        .into())
}

fn run_side(parsed: Parsed, ran: &mut Ran, settings: &Settings) -> Result<(), Stop> {
    let runnable = parsed.runnable(&ran.shapes)?;
    let runs = settings.runs.max(ran.given.sets.len());
    let free = |port: &&Port| Range::concerns(port) && ran.given.value(&port.name, 0).is_none();
    let ranges = if ran.ports.iter().any(|port| free(&port)) {
        &Range::ALL[..]
    } else {
        &Range::ALL[..1]
    };
    let mut why: Option<Stop> = None;
    for &range in ranges {
        let outputs = (0..runs).map(|run| {
            let inputs = inputs(
                &ran.ports,
                &ran.given,
                &ran.shapes,
                settings.seed,
                run,
                range,
            )?;
            runnable.run(&inputs, run as u64)
        });
        match outputs.collect::<Result<Vec<_>, Stop>>() {
            Ok(outputs) => {
                (ran.range, ran.outputs) = (range, outputs);
                return Ok(());
            }
            Err(stop) => why.get_or_insert(stop),
        };
    }
    Err(why.unwrap_or_else(|| Unrunnable::new("there is no input to try").into()))
}

fn inputs(
    ports: &[Port],
    given: &Given,
    shapes: &Shapes,
    seed: u64,
    run: usize,
    range: Range,
) -> Result<BTreeMap<String, Value>, Stop> {
    let mut values = BTreeMap::new();
    for port in ports {
        let value = match given.value(&port.name, run) {
            Some(value) => value.clone(),
            None => {
                let shape = shapes.inputs.get(&port.name).map_or(&[][..], Vec::as_slice);
                make(port, shape, seed, run, range)?
            }
        };
        values.insert(port.name.clone(), value);
    }
    Ok(values)
}

/// Compares the first model's outputs with those recorded in the test sets.
fn recorded(ran: &Ran) -> Vec<Difference> {
    let mut differences = Vec::new();
    for (set, outputs) in ran.given.sets.iter().zip(&ran.outputs) {
        for (name, output) in ran.names.iter().zip(outputs) {
            let recorded = set.outputs.get(name);
            let label = format!("{name} recorded in {}", set.name);
            differences.extend(
                recorded.and_then(|r| compare::compare(&label, r, output, Tolerance::ByType)),
            );
        }
    }
    differences
}

/// Why the second model cannot be fed and read as the first.
fn interface(first: &Ran, second: &Parsed) -> Option<String> {
    let names = |ports: &[Port]| {
        ports
            .iter()
            .map(|port| port.name.clone())
            .collect::<BTreeSet<_>>()
    };
    let [one, two] = [names(&first.ports), names(second.inputs())];
    if let Some(name) = one.difference(&two).next() {
        return Some(format!("input {name} is missing after"));
    }
    if let Some(name) = two.difference(&one).next() {
        return Some(format!("input {name} is new after"));
    }
    for port in second.inputs() {
        let other = first.ports.iter().find(|other| other.name == port.name)?;
        if other.element != port.element {
            let (name, one, two) = (&port.name, other.element, port.element);
            return Some(format!(
                "input {name} has elements of type {one} before, {two} after"
            ));
        }
        if let (Some(one), Some(two)) = (&other.dims, &port.dims) {
            let fixed = |pair: (&Dim, &Dim)| match pair {
                (Dim::Fixed(one), Dim::Fixed(two)) => one != two,
                _ => false,
            };
            if one.len() != two.len() || one.iter().zip(two).any(fixed) {
                return Some(format!("input {} has another shape after", port.name));
            }
        }
    }
    let [one, two] =
        [&first.names[..], second.outputs()].map(|names| names.iter().collect::<BTreeSet<_>>());
    if let Some(name) = one.difference(&two).next() {
        return Some(format!("output {name} is missing after"));
    }
    two.difference(&one)
        .next()
        .map(|name| format!("output {name} is new after"))
}
