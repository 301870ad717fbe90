//! One model's part of a comparison.

use std::collections::{BTreeMap, BTreeSet};

use super::Settings;
use super::reaction::Reaction;
use super::spool::Spool;
use crate::error::Error;
use crate::verify::Pairing;
use crate::verify::compare::{self, Difference, Tolerance};
use crate::verify::engine::watch::Seen;
use crate::verify::engine::{
    Dim, Fill, Mode, Parsed, Port, Runnable, Shapes, Stop, Subject, Unrunnable, Value,
};
use crate::verify::inputs::{Given, Range, TestSet, make};

/// One side's outputs, by run and output.
pub(super) struct Ran {
    /// The engine and its version.
    pub(super) engine: String,
    pub(super) ports: Vec<Port>,
    pub(super) names: Vec<String>,
    pub(super) given: Given,
    pub(super) shapes: Shapes,
    pub(super) range: Range,
    pub(super) notes: Vec<String>,
    /// Operators that draw random numbers, other than Dropout.
    pub(super) draws: Option<String>,
    /// The inputs of each run, and what came out.
    pub(super) feeds: Vec<Feed>,
    pub(super) outputs: Spool,
    /// Where outputs differ from those recorded in the test sets.
    pub(super) recorded: Vec<Difference>,
    /// What was seen of each output, over all runs.
    pub(super) reactions: Vec<Reaction>,
}

/// How the inputs of a run are made.
#[derive(Clone, Copy)]
pub(super) struct Feed {
    pub(super) run: usize,
    /// The factor of random floats.
    pub(super) scale: f64,
}

impl Ran {
    /// Keeps the outputs of a run.
    pub(super) fn keep(&mut self, feed: Feed, outputs: &[Value]) -> Result<(), Error> {
        self.outputs.push(outputs)?;
        self.feeds.push(feed);
        for (reaction, output) in self.reactions.iter_mut().zip(outputs) {
            reaction.add(output);
        }
        Ok(())
    }
}

/// Runs the first model, looking for sizes and integers with which it does. `watch` gets what watching
/// nodes saw, run by run; from run 0 again where the model is run again.
pub(super) fn first_side(
    subject: &Subject,
    settings: &Settings,
    mode: Mode,
    watch: &mut dyn FnMut(usize, Vec<Seen>),
) -> Result<(Ran, Runnable), Stop> {
    let mut why: Option<Unrunnable> = None;
    let mut partly: Option<Fill> = None;
    for fill in Fill::ALL {
        let (mut ran, parsed) = begin(subject, settings, mode, fill)?;
        let open = !ran.shapes.chosen.is_empty();
        match run_side(parsed, &mut ran, settings, watch) {
            Ok(_) if ran.reactions.iter().all(Reaction::is_empty) => {
                let reason = "no output has any elements, so there is nothing to compare";
                why.get_or_insert_with(|| Unrunnable::new(reason));
            }
            Ok(runnable) if !ran.reactions.iter().any(Reaction::is_empty) || !open => {
                return Ok((ran, runnable));
            }
            Ok(_) => {
                partly.get_or_insert(fill);
            }
            Err(Stop::Unrunnable(unrunnable)) => {
                let ended = unrunnable.is_final();
                why.get_or_insert(unrunnable);
                if ended {
                    break;
                }
            }
            Err(stop) => return Err(stop),
        }
        if !open {
            break;
        }
    }
    match (partly, why) {
        (Some(fill), _) => {
            let (mut ran, parsed) = begin(subject, settings, mode, fill)?;
            let runnable = run_side(parsed, &mut ran, settings, watch)?;
            Ok((ran, runnable))
        }
        (None, Some(why)) => Err(why.into()),
        (None, None) => Err(Unrunnable::new("there is no size to try").into()),
    }
}

/// Reads a model and its inputs, with sizes for what is open.
fn begin(
    subject: &Subject,
    settings: &Settings,
    mode: Mode,
    fill: Fill,
) -> Result<(Ran, Parsed), Stop> {
    let parsed = settings.host.read(subject, settings.meaning, mode)?;
    let ports = parsed.inputs().to_vec();
    let given = Given::read(&settings.inputs, &ports, parsed.outputs())?;
    let shapes = parsed.choose(&settings.dims, &given.shapes(), fill)?;
    let ran = Ran {
        engine: parsed.engine().to_string(),
        ports,
        names: parsed.outputs().to_vec(),
        given,
        shapes,
        range: Range::Small,
        notes: parsed.notes().to_vec(),
        draws: parsed.draws(),
        feeds: Vec::new(),
        outputs: Spool::new()?,
        recorded: Vec::new(),
        reactions: Vec::new(),
    };
    Ok((ran, parsed))
}

fn run_side(
    parsed: Parsed,
    ran: &mut Ran,
    settings: &Settings,
    watch: &mut dyn FnMut(usize, Vec<Seen>),
) -> Result<Runnable, Stop> {
    let runnable = parsed.runnable(&ran.shapes)?;
    let free = |port: &&Port| Range::concerns(port) && ran.given.value(&port.name, 0).is_none();
    let ranges = if ran.ports.iter().any(|port| free(&port)) {
        &Range::ALL[..]
    } else {
        &Range::ALL[..1]
    };
    let mut why: Option<Stop> = None;
    for &range in ranges {
        match run_range(&runnable, ran, range, settings, watch) {
            Ok(()) => return Ok(runnable),
            Err(stop) => {
                let ended = matches!(&stop, Stop::Unrunnable(unrunnable) if unrunnable.ended);
                why.get_or_insert(stop);
                if ended {
                    break;
                }
            }
        }
    }
    Err(why.unwrap_or_else(|| Unrunnable::new("there is no input to try").into()))
}

/// All runs with integers of one range.
fn run_range(
    runnable: &Runnable,
    ran: &mut Ran,
    range: Range,
    settings: &Settings,
    watch: &mut dyn FnMut(usize, Vec<Seen>),
) -> Result<(), Stop> {
    (ran.range, ran.outputs) = (range, Spool::new()?);
    ran.recorded.clear();
    ran.feeds.clear();
    ran.reactions = vec![Reaction::default(); ran.names.len()];
    for run in 0..settings.runs.max(ran.given.sets.len()) {
        let feed = Feed { run, scale: 1.0 };
        let inputs = inputs(ran, settings.seed, feed)?;
        let (outputs, seen) = runnable.run_watched(&inputs, run as u64)?;
        if let Some(set) = ran.given.sets.get(run) {
            ran.recorded.extend(recorded(set, &ran.names, &outputs));
        }
        ran.keep(feed, &outputs)?;
        watch(run, seen);
    }
    Ok(())
}

/// The inputs of one run.
pub(super) fn inputs(ran: &Ran, seed: u64, feed: Feed) -> Result<BTreeMap<String, Value>, Stop> {
    let mut values = BTreeMap::new();
    for port in &ran.ports {
        let value = match ran.given.value(&port.name, feed.run) {
            Some(value) => value.clone(),
            None => {
                let shape = ran.shapes.inputs.get(&port.name);
                let shape = shape.map_or(&[][..], Vec::as_slice);
                make(port, shape, (seed, feed.run), ran.range, feed.scale)?
            }
        };
        values.insert(port.name.clone(), value);
    }
    Ok(values)
}

/// Where outputs differ from those recorded in a test set.
fn recorded(set: &TestSet, names: &[String], outputs: &[Value]) -> Vec<Difference> {
    let pairs = names.iter().zip(outputs);
    let differences = pairs.filter_map(|(name, output)| {
        let label = format!("{name} recorded in {}", set.name);
        compare::compare(&label, set.outputs.get(name)?, output, Tolerance::ByType)
    });
    differences.collect()
}

/// Why the second model cannot be fed and read as the first.
pub(super) fn interface(first: &Ran, second: &Parsed, settings: &Settings) -> Option<String> {
    let names = |ports: &[Port]| {
        ports
            .iter()
            .map(|port| port.name.clone())
            .collect::<BTreeSet<_>>()
    };
    let [one, two] = [names(&first.ports), names(second.inputs())];
    let mut missing = one.difference(&two);
    if let Some(name) = missing.find(|name| !settings.removed_inputs.contains(*name)) {
        return Some(format!("input {name} is missing after"));
    }
    if let Some(name) = two.difference(&one).next() {
        return Some(format!("input {name} is new after"));
    }
    for port in second.inputs() {
        let other = first.ports.iter().find(|other| other.name == port.name)?;
        if other.element != port.element {
            let (name, one, two) = (&port.name, &other.element, &port.element);
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
                return Some(format!("input {} has a different shape after", port.name));
            }
        }
    }
    let (one, two) = (&first.names[..], second.outputs());
    if settings.outputs == Pairing::ByPosition {
        let (one, two) = (one.len(), two.len());
        return (one != two).then(|| format!("there are {one} outputs before, {two} after"));
    }
    let hint = match one.len() == two.len() {
        true => " (--outputs by-position compares outputs whatever their names)",
        false => "",
    };
    let [one, two] = [one, two].map(|names| names.iter().collect::<BTreeSet<_>>());
    if let Some(name) = one.difference(&two).next() {
        return Some(format!("output {name} is missing after{hint}"));
    }
    let new = two.difference(&one).next();
    new.map(|name| format!("output {name} is new after"))
}
