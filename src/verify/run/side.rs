//! One model's part of a comparison.

use std::collections::{BTreeMap, BTreeSet};

use super::Settings;
use crate::verify::compare::{self, Difference, Tolerance};
use crate::verify::engine::{
    Dim, Fill, Mode, Parsed, Port, Shapes, Stop, Subject, Unrunnable, Value,
};
use crate::verify::inputs::{Given, Range, make};
use crate::verify::watch::Seen;

/// One side's outputs, by run and output.
pub(super) struct Ran {
    pub(super) ports: Vec<Port>,
    pub(super) names: Vec<String>,
    pub(super) given: Given,
    pub(super) shapes: Shapes,
    pub(super) range: Range,
    pub(super) notes: Vec<String>,
    /// Operators that draw random numbers, other than Dropout.
    pub(super) draws: Option<String>,
    pub(super) outputs: Vec<Vec<Value>>,
    /// What watching nodes saw, by run.
    pub(super) seen: Vec<Vec<Seen>>,
}

/// Runs the first model, looking for sizes and integers with which it does.
pub(super) fn first_side(subject: &Subject, settings: &Settings, mode: Mode) -> Result<Ran, Stop> {
    let mut why: Option<Unrunnable> = None;
    let mut partly: Option<Ran> = None;
    for fill in Fill::ALL {
        let parsed = Parsed::read(subject, settings.meaning, mode)?;
        let ports = parsed.inputs().to_vec();
        let given = Given::read(&settings.inputs, &ports, parsed.outputs())?;
        let shapes = parsed.choose(&settings.dims, &given.shapes(), fill)?;
        let open = !shapes.chosen.is_empty();
        let names = parsed.outputs().to_vec();
        let notes = parsed.notes().to_vec();
        let draws = parsed.draws();
        let mut ran = Ran {
            ports,
            names,
            given,
            shapes,
            range: Range::Small,
            notes,
            draws,
            outputs: Vec::new(),
            seen: Vec::new(),
        };
        match run_side(parsed, &mut ran, settings) {
            Ok(()) if ran.outputs.iter().flatten().all(Value::is_empty) => {
                let reason = "no output has any elements, so there is nothing to compare";
                why.get_or_insert_with(|| Unrunnable::new(reason));
            }
            Ok(()) if !ran.has_empty() => return Ok(ran),
            Ok(()) => {
                partly.get_or_insert(ran);
            }
            Err(Stop::Unrunnable(unrunnable)) => {
                why.get_or_insert(unrunnable);
            }
            Err(stop) => return Err(stop),
        }
        if !open {
            break;
        }
    }
    match (partly, why) {
        (Some(ran), _) => Ok(ran),
        (None, Some(why)) => Err(why.into()),
        (None, None) => Err(Unrunnable::new("there is no size to try").into()),
    }
}

impl Ran {
    /// Whether some output has no elements in any run: too small an input can leave nothing.
    fn has_empty(&self) -> bool {
        (0..self.names.len()).any(|index| self.of_runs(index).all(Value::is_empty))
    }

    /// One output, by run.
    fn of_runs(&self, index: usize) -> impl Iterator<Item = &Value> {
        self.outputs
            .iter()
            .filter_map(move |outputs| outputs.get(index))
    }
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
            runnable.run_watched(&inputs, run as u64)
        });
        match outputs.collect::<Result<Vec<_>, Stop>>() {
            Ok(outputs) => {
                ran.range = range;
                (ran.outputs, ran.seen) = outputs.into_iter().unzip();
                return Ok(());
            }
            Err(stop) => why.get_or_insert(stop),
        };
    }
    Err(why.unwrap_or_else(|| Unrunnable::new("there is no input to try").into()))
}

pub(super) fn inputs(
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
pub(super) fn recorded(ran: &Ran) -> Vec<Difference> {
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
pub(super) fn interface(first: &Ran, second: &Parsed) -> Option<String> {
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

/// Outputs of the first model that are empty, or hold one and the same number everywhere: that they are equal
/// shows little, and where they are NaN, nothing.
pub(super) fn blank(ran: &Ran) -> Vec<String> {
    let mut notes = Vec::new();
    for (index, name) in ran.names.iter().enumerate() {
        let of_runs = || ran.of_runs(index);
        if of_runs().all(Value::is_empty) {
            notes.push(format!(
                "output {name} is empty: nothing of it was compared"
            ));
            continue;
        }
        if !of_runs().all(|output| matches!(output.element_type(), "float16" | "float" | "double"))
        {
            continue;
        }
        let mut values = of_runs().flat_map(Value::to_f64);
        let Some(first) = values.next() else { continue };
        let mut others = values.peekable();
        let several = others.peek().is_some();
        if several && others.all(|value| value == first || (value.is_nan() && first.is_nan())) {
            notes.push(format!("output {name} is {first} everywhere, before: that it is the same after shows little"));
        }
    }
    notes
}
