//! All measurements of a model, side by side in one engine: equal regions are measured once.

use std::collections::BTreeMap;

use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};

use crate::dropout::Kind;
use crate::error::Result;
use crate::hash::{HashMap, HashSet};
use crate::onnx::{DataType, ValueId};
use crate::semantics::operator::Operator;
use crate::semantics::view::{ValueRef, View};
use crate::source::Source;
use crate::verify::engine::normal;
use crate::verify::engine::{Fill as Sizes, Host, Meaning, Runnable, Stop, Subject, Value, Values};
use crate::verify::run::try_modes;

use super::expected::Draw;
use super::experiment::{COARSE, Experiment, Fault, Fill, Measured, Trial};
use super::law::{Outcome, check_shape, elements, tolerance};
use super::probe::{Ends, Feed, Sized, Writer};
use super::region::{Ground, Input, Region};
use super::sizes::{self, Choice};
use super::{Task, element};

/// What was found, by the site of a task.
type Found = Vec<(usize, Result<Measured, Fault>)>;

/// A region that is measured, for all tasks with one like it.
struct Class<'t> {
    sized: Sized<'t>,
    inputs: Vec<Input>,
    tasks: Vec<usize>,
    experiment: Experiment,
    /// The data that the region does not cut off, and that is large where it rounds.
    range: Option<(f64, f64)>,
    /// What was fed last.
    last: Option<Trial>,
}

/// Measures the regions of all tasks.
///
/// # Errors
/// A constant of the model cannot be read.
pub(super) fn run(ground: &Ground<'_>, tasks: &[Task], host: &Host) -> Result<Found> {
    let mut writer = Writer::new(ground.view());
    let mut results: Vec<Option<Result<Measured, Fault>>> = vec![None; tasks.len()];
    for choice in Choice::ALL {
        let open = |result: &Option<Result<Measured, Fault>>| match result {
            None | Some(Err(Fault::Unknown(_))) => true,
            Some(_) => false,
        };
        let open: Vec<usize> = (0..tasks.len()).filter(|&at| open(&results[at])).collect();
        let mut classes = Vec::new();
        let mut places: HashMap<Vec<u8>, usize> = HashMap::default();
        for at in open {
            let sized = match sized(ground, &tasks[at], choice) {
                Ok(Some(sized)) => sized,
                Ok(None) => continue,
                Err(why) => {
                    results[at].get_or_insert(Err(Fault::Unknown(why)));
                    continue;
                }
            };
            let mut key = writer.identity(&sized)?;
            key.extend(format!("{:?}", tasks[at].expected).into_bytes());
            let place = *places.entry(key).or_insert_with(|| {
                let is_known = matches!(choice, Choice::Shrunk | Choice::Distinct);
                classes.push(class(ground.view(), &tasks[at], sized, is_known));
                classes.len() - 1
            });
            classes[place].tasks.push(at);
        }
        measure(&mut writer, &mut classes, host, ground)?;
        for class in &classes {
            for &task in &class.tasks {
                let result = class.experiment.result();
                match (&result, &results[task]) {
                    // the first reason is that of the real sizes
                    (Err(Fault::Unknown(_)), Some(_)) => {}
                    _ => results[task] = Some(result),
                }
            }
        }
    }
    let none = || Err(Fault::Unknown("its sizes cannot be chosen".into()));
    let results = tasks.iter().zip(results);
    Ok(results
        .map(|(task, result)| (task.site, result.unwrap_or_else(none)))
        .collect())
}

/// A region with types and sizes for its inputs; `None` if this choice does not apply.
fn sized<'t>(
    ground: &Ground<'_>,
    task: &'t Task,
    choice: Choice,
) -> Result<Option<Sized<'t>>, String> {
    let region = &task.region;
    let values: Vec<ValueId> = region.inputs.iter().map(|(value, _)| *value).collect();
    let mut draws = region
        .inputs
        .iter()
        .filter(|(_, input)| *input == Input::Draw);
    let draw = draws.next().map(|(value, _)| *value);
    let Some(shapes) = sizes::shapes(ground.facts, &values, (draw, task.data), choice)? else {
        return Ok(None);
    };
    let inputs = region.inputs.iter().zip(shapes);
    let inputs = inputs.map(|((value, input), shape)| {
        let element = element(ground.view(), *value, *input);
        (element, shape)
    });
    Ok(Some(Sized {
        region,
        inputs: inputs.collect(),
        data: task.data,
    }))
}

/// `is_known`: the shapes are those of the model, so that shared draws show.
fn class<'t>(view: View<'_>, task: &'t Task, sized: Sized<'t>, is_known: bool) -> Class<'t> {
    let inputs: Vec<Input> = task.region.inputs.iter().map(|(_, input)| *input).collect();
    let draw = inputs.iter().position(|input| *input == Input::Draw);
    let drawn = draw.map_or((DataType::FLOAT, 0), |at| {
        let (element, shape) = &sized.inputs[at];
        (*element, shape.iter().product())
    });
    let elements = sized.inputs.iter().map(|(element, _)| Some(*element));
    let computed = task
        .region
        .nodes
        .iter()
        .flat_map(|&node| view.node(node).produced());
    let elements = elements.chain(computed.map(|value| value.element_type()));
    let mut tolerance = elements.map(tolerance).fold(0.0, f64::max);
    // Gaussian dropout multiplies by up to twice as much
    let most = match task.expected.kind {
        Kind::GaussianDropout => 3.0,
        _ => 1.0,
    };
    let kept = task
        .expected
        .kept
        .map_or(most, |line| line.factor.abs().max(most));
    let range = task
        .region
        .rounds
        .map(|(low, high)| (low / kept, high / kept));
    if task.region.is_coarse {
        tolerance = tolerance.max(COARSE);
    }
    let mut expected = task.expected.clone();
    let is_known = is_known && !picks_of_draw(view, &task.region);
    expected.shared = expected.shared.filter(|_| is_known);
    Class {
        sized,
        inputs,
        tasks: Vec::new(),
        experiment: Experiment::new(expected, tolerance, drawn),
        range,
        last: None,
    }
}

/// True if elements of a draw or of its mask are picked: those picked twice share a draw, which no site
/// declares.
fn picks_of_draw(view: View<'_>, region: &Region) -> bool {
    let draws = region.draws.iter();
    let drawn = draws.flat_map(|&draw| view.node(draw).produced());
    let mut drawn: HashSet<ValueId> = drawn.map(|value| value.id).collect();
    region.nodes.iter().any(|&node| {
        let node = view.node(node);
        let is_drawn = |value: ValueRef<'_>| drawn.contains(&value.id);
        let picks = node.operator().is_some_and(Operator::selects);
        let found = picks && node.input(0).is_some_and(is_drawn);
        if node.inputs().flatten().any(is_drawn) {
            drawn.extend(node.produced().map(|value| value.id));
        }
        found
    })
}

/// Runs all experiments together; each alone if that cannot be.
fn measure(
    writer: &mut Writer<'_>,
    classes: &mut [Class<'_>],
    host: &Host,
    ground: &Ground<'_>,
) -> Result<()> {
    if classes.is_empty() {
        return Ok(());
    }
    match together(writer, classes, host, ground) {
        Ok(()) => Ok(()),
        Err(Stop::Error(error)) => Err(error),
        Err(Stop::Unrunnable(why)) => {
            if let [only] = classes {
                only.experiment.stop(why.reason);
                return Ok(());
            }
            for class in classes {
                measure(writer, std::slice::from_mut(class), host, ground)?;
            }
            Ok(())
        }
    }
}

fn together(
    writer: &mut Writer<'_>,
    classes: &mut [Class<'_>],
    host: &Host,
    ground: &Ground<'_>,
) -> Result<(), Stop> {
    let regions: Vec<&Sized<'_>> = classes.iter().map(|class| &class.sized).collect();
    let (source, ends) = writer.model(&regions)?;
    let runnable = load(
        ground.view(),
        ("the mask", &source),
        Meaning::Inference,
        host,
    )?;
    for number in 0.. {
        let trials: Vec<Option<Trial>> = classes.iter().map(|c| c.experiment.next()).collect();
        if trials.iter().all(Option::is_none) {
            break;
        }
        let mut generator = SmallRng::seed_from_u64(number);
        let mut inputs = Values::new();
        for ((class, ends), trial) in classes.iter_mut().zip(&ends).zip(&trials) {
            class.last = trial.or(class.last);
            feed(class, ends, &mut inputs, &mut generator);
        }
        let outputs = runnable.run(&inputs, number)?;
        for ((class, ends), trial) in classes.iter_mut().zip(&ends).zip(&trials) {
            if trial.is_some() {
                take(class, ends, &runnable, &outputs);
            }
        }
    }
    Ok(())
}

/// Loads a model of regions, in the first mode in which it can be.
pub(super) fn load(
    view: View<'_>,
    (label, source): (&str, &Source),
    meaning: Meaning,
    host: &Host,
) -> Result<Runnable, Stop> {
    let subject = Subject {
        label,
        source,
        folder: view.model.folder(),
        external: 0,
    };
    try_modes(host, |mode| {
        let parsed = host.read(&subject, meaning, mode)?;
        let shapes = parsed.choose(&BTreeMap::new(), &BTreeMap::new(), Sizes::ALL[0])?;
        parsed.runnable(&shapes)
    })
}

/// Gives a region its numbers.
fn feed(class: &Class<'_>, ends: &Ends, inputs: &mut Values, generator: &mut SmallRng) {
    let Some(trial) = class.last else {
        return;
    };
    for (feed, input) in ends.feeds.iter().zip(&class.inputs) {
        let count = elements(feed);
        let same = |number: f64| vec![number; count];
        let numbers = match *input {
            Input::Data if class.range.is_some() => {
                (0..count).map(|_| within(class.range, generator)).collect()
            }
            Input::Data | Input::Free => (0..count)
                .map(|_| number(feed, *input, generator))
                .collect(),
            Input::Given(number) => same(number),
            Input::Switch(off) => same(if trial.on { 1.0 - off } else { off }),
            Input::Draw => match trial.draw {
                Fill::All(number) => same(number),
                Fill::Coded {
                    numbers,
                    bit,
                    inverted,
                } => {
                    let second = |at: usize| (at >> bit & 1 == 1) != inverted;
                    let pick = |at| if second(at) { numbers.1 } else { numbers.0 };
                    (0..count).map(pick).collect()
                }
                Fill::Random => (0..count).map(|_| drawn(class, generator)).collect(),
            },
        };
        let value = feed
            .element
            .name()
            .and_then(|element| Value::from_numbers(element, &feed.shape, &numbers));
        inputs.extend(value.map(|value| (feed.name.to_string(), value)));
    }
}

/// A number in the upper half of the longer side of a range.
fn within(range: Option<(f64, f64)>, generator: &mut SmallRng) -> f64 {
    let (low, high) = range.unwrap_or((-1.0, 1.0));
    let end = if high >= -low { high } else { low };
    end * generator.random_range(0.5..0.98)
}

/// ± a number in [½, 1.7], never 0, and never one that alpha dropout leaves as it is; a small integer.
fn number(feed: &Feed, input: Input, generator: &mut SmallRng) -> f64 {
    if !feed.element.is_float() {
        let most = if input == Input::Data { 90 } else { 2 };
        return f64::from(generator.random_range(0..most));
    }
    let size = generator.random_range(0.5..1.7);
    if generator.random() { size } else { -size }
}

/// A number as the draw of a region has them.
fn drawn(class: &Class<'_>, generator: &mut SmallRng) -> f64 {
    let share: f64 = generator.random();
    match class.experiment.draw() {
        Some(Draw::Uniform { low, high }) => low + (high - low) * share,
        Some(Draw::Normal { mean, deviation }) => mean + deviation * normal(generator),
        Some(Draw::Bernoulli { one, number }) => number * f64::from(u8::from(share < one)),
        None => 0.0,
    }
}

fn take(class: &mut Class<'_>, ends: &Ends, runnable: &Runnable, outputs: &[Value]) {
    let find = |name: &str| {
        let place = runnable.outputs().iter().position(|other| other == name);
        place.and_then(|place| outputs.get(place))
    };
    let (Some(output), Some(left)) = (find(&ends.output.to_string()), find(&ends.left.to_string()))
    else {
        class.experiment.stop("it has no output".into());
        return;
    };
    let outcome = Outcome {
        shape: output.shape().to_vec(),
        output: output.to_f64(),
        left: left.to_f64(),
    };
    match check_shape(&outcome, left.shape()) {
        Ok(()) => class.experiment.take(&outcome),
        Err(why) => class.experiment.refute(why),
    }
}
