//! Sampling: a model run many times with its dropout on, and what its outputs then are on average,
//! how far they spread, and how sure the model is of a class.
//!
//! Monte-Carlo dropout: Y. Gal and Z. Ghahramani, *Dropout as a Bayesian Approximation: Representing
//! Model Uncertainty in Deep Learning* (2016). Every `Dropout` drops, also one that is inert in the
//! file or that its version never lets drop; random masks draw from our seeded generator. All of that
//! happens to a copy in memory. One engine model is in memory at a time, for all runs at one rate.
//!
//! ```
//! use dropout_onnx::onnx::Model;
//! use dropout_onnx::sample::{Options, sample};
//!
//! # fn main() -> dropout_onnx::Result<()> {
//! let model = Model::open("fixtures/keras_course_train_op8.onnx")?;
//! let options = Options { runs: 20, seed: 7, ..Options::default() };
//! let report = sample(&model, &options, &mut |_, _| {})?;
//! let output = &report.samplings[0].outputs[0];
//! assert!(output.std.iter().all(|&std| std > 0.0));
//! let classes = output.classes.as_ref().expect("a softmax comes last");
//! assert!(classes.entropy[0] <= f64::ln(10.0));
//! # Ok(())
//! # }
//! ```

mod classes;
mod copy;
mod moments;
mod npz;
mod plot;

use std::collections::BTreeMap;

use crate::dropout::{self, Form, Mode, RateOrigin, Site};
use crate::error::{Error, ErrorKind, Result};
use crate::onnx::{GraphKind, Model, Name, Values};
use crate::rewrite::strip;
use crate::verify::engine::{Engine, Meaning, Runnable, Stop, Subject, TRACT, Value};
use crate::verify::inputs::InputSpec;
use crate::verify::run::{Footing, Settings, footing};

pub use classes::Classes;
use classes::Counter;
use moments::Moments;

/// What to sample.
#[derive(Clone, Debug)]
pub struct Options {
    /// Runs at every rate; at least two.
    pub runs: usize,
    /// Seed of the masks, and of the inputs that nobody gives.
    pub seed: u64,
    /// Rates to set every dropout to, one after the other, each in `[0, 1)`; none: as the model says.
    pub rates: Vec<f64>,
    /// Outputs whose last axis are classes, though they are no distribution: softmax makes one.
    pub classes: Vec<String>,
    /// Sizes of symbolic dimensions, by name.
    pub dims: BTreeMap<String, usize>,
    /// Shapes or data of inputs.
    pub inputs: Vec<InputSpec>,
}

impl Default for Options {
    /// A hundred runs from seed 0, at the rates of the model.
    fn default() -> Self {
        Options {
            runs: 100,
            seed: 0,
            rates: Vec::new(),
            classes: Vec::new(),
            dims: BTreeMap::new(),
            inputs: Vec::new(),
        }
    }
}

/// What came of it, and all that is needed to repeat it.
#[derive(Clone, Debug)]
pub struct Report {
    /// The dropouts of the model, as they are in the file.
    pub sites: Vec<Site>,
    /// One for every rate asked for; one as the model says, if none was.
    pub samplings: Vec<Sampling>,
    /// Runs at every rate.
    pub runs: usize,
    /// The seed.
    pub seed: u64,
    /// Shape of every input.
    pub shapes: BTreeMap<String, Vec<usize>>,
    /// Inputs that are random numbers, as nobody gave data for them.
    pub made: Vec<String>,
    /// Sizes chosen for dimensions that nobody gave: by name, or as `input[axis]`.
    pub chosen: BTreeMap<String, usize>,
    /// What a reader should know.
    pub notes: Vec<String>,
    /// The engine and its version.
    pub engine: &'static str,
}

/// The outputs at one rate.
#[derive(Clone, Debug, PartialEq)]
pub struct Sampling {
    /// The rate of every dropout; `None`: each has its own.
    pub rate: Option<f64>,
    /// In the order of the graph.
    pub outputs: Vec<Output>,
}

/// One output over all runs; elements in row-major order.
#[derive(Clone, Debug, PartialEq)]
pub struct Output {
    /// Its name.
    pub name: String,
    /// Its shape.
    pub shape: Vec<usize>,
    /// What it is at inference; `None` if that could not be run.
    pub deterministic: Option<Vec<f64>>,
    /// The mean of every element.
    pub mean: Vec<f64>,
    /// The standard deviation of every element, of a sample.
    pub std: Vec<f64>,
    /// If its last axis are classes: what the runs say of them.
    pub classes: Option<Classes>,
}

impl Output {
    /// The mean of the standard deviations of its elements; 0 if it has none.
    pub fn spread(&self) -> f64 {
        average(&self.std)
    }

    /// The class that is on top at inference, row by row.
    pub fn deterministic_top(&self) -> Option<Vec<usize>> {
        let count = self.classes.as_ref()?.count;
        let rows = self.deterministic.as_ref()?.chunks_exact(count);
        Some(rows.map(classes::top).collect())
    }
}

impl Report {
    /// Spread against rate, a line for every output, as an SVG document; `None` unless there are at
    /// least two rates.
    pub fn svg(&self) -> Option<String> {
        plot::svg(&self.samplings)
    }

    /// All figures as numpy's `.npz`: arrays `OUTPUT.mean`, `OUTPUT.std` and, where there are,
    /// `OUTPUT.deterministic`, `OUTPUT.entropy`, `OUTPUT.top` and `OUTPUT.agreement`; `runs` and `seed`.
    /// With rates, `rates`, and rates along the first axis of the others.
    ///
    /// # Errors
    /// Two arrays would have the same name.
    pub fn npz(&self) -> Result<Vec<u8>> {
        npz::write(self)
    }
}

/// The mean of numbers; 0 if there are none.
pub fn average(numbers: &[f64]) -> f64 {
    match numbers.len() {
        0 => 0.0,
        count => numbers.iter().sum::<f64>() / count as f64,
    }
}

/// True of dropout that is sampled: not of a mask that is a constant, of a scale, or of what runs in
/// training only (`training_info`).
pub fn is_sampled(model: &Model, site: &Site) -> bool {
    let root = &model.graph(model.root(site.graph)).kind;
    let runs = matches!(root, GraphKind::Main | GraphKind::Function(_));
    runs && matches!(site.form, Form::Operator | Form::RandomMask)
}

/// Runs a model with its dropout on. `watch` is told, before each run, how many runs are done, and of
/// how many.
///
/// # Errors
/// The options make no sense or do not fit the model; the model has no dropout, cannot be run by
/// tract, or the rate of a mask cannot be set.
pub fn sample(
    model: &Model,
    options: &Options,
    watch: &mut dyn FnMut(usize, usize),
) -> Result<Report> {
    check(options)?;
    sample_unnamed(model, options, watch).map_err(|e| model.source().name_in(e))
}

fn check(options: &Options) -> Result<()> {
    let usage = |why: String| Err(Error::new(ErrorKind::Usage, why));
    if options.runs < 2 {
        return usage("a standard deviation takes at least two runs".to_string());
    }
    match options
        .rates
        .iter()
        .find(|rate| !(0.0..1.0).contains(*rate))
    {
        Some(rate) => usage(format!("rate {rate} is outside [0, 1)")),
        None => Ok(()),
    }
}

fn sample_unnamed(
    model: &Model,
    options: &Options,
    watch: &mut dyn FnMut(usize, usize),
) -> Result<Report> {
    let values = Values::new(model);
    let sites = dropout::find(model, &values)?;
    let sampled: Vec<&Site> = sites
        .iter()
        .filter(|site| is_sampled(model, site))
        .collect();
    if sampled.is_empty() {
        return Err(none(&sites));
    }
    if options.rates.is_empty() {
        settled(model, &sampled, options)?;
    }
    let rates: Vec<Option<f64>> = match options.rates[..] {
        [] => vec![None],
        ref rates => rates.iter().copied().map(Some).collect(),
    };
    let mut report = Report {
        samplings: Vec::new(),
        runs: options.runs,
        seed: options.seed,
        shapes: BTreeMap::new(),
        made: Vec::new(),
        chosen: BTreeMap::new(),
        notes: Vec::new(),
        engine: TRACT,
        sites: sites.clone(),
    };
    let all = rates.len() * options.runs;
    let mut stand: Option<Footing> = None;
    for (index, &rate) in rates.iter().enumerate() {
        let given = |name: &Name| is_given(options, &name.to_string());
        let copy = copy::of(model, &values, &sampled, rate, &given)?;
        let on = At {
            model: &copy.edited.model,
            options,
            rate,
        };
        let stand = match &stand {
            Some(stand) => stand,
            None => {
                let found = on.footing()?;
                report.shapes = found.shapes.inputs.clone();
                report.made = found.made.clone();
                report.chosen = found.shapes.chosen.clone();
                report.notes.extend(found.notes.iter().cloned());
                report
                    .notes
                    .extend(notes(model, &sites, &copy.notes, options));
                stand.insert(found)
            }
        };
        let inference = on.inference(stand);
        let mut watch = |run| watch(index * options.runs + run, all);
        let mut outputs = on.run(stand, &mut watch)?;
        match inference {
            Ok(values) => {
                for output in &mut outputs {
                    let value = values.get(&output.name).map(Value::to_f64);
                    output.deterministic = value.filter(|value| value.len() == output.mean.len());
                }
            }
            Err(why) => report.notes.push(format!("no deterministic output: {why}")),
        }
        report.samplings.push(Sampling { rate, outputs });
    }
    let drops = |at: &&Sampling| at.rate != Some(0.0);
    let mut outputs = report
        .samplings
        .iter()
        .filter(drops)
        .flat_map(|at| &at.outputs);
    if outputs.all(|output| output.std.iter().all(|&std| std == 0.0)) {
        let note = "every run gave the same: no dropout that acts lies on the way to an output";
        report.notes.push(note.to_string());
    }
    report.notes.dedup();
    Ok(report)
}

fn none(sites: &[Site]) -> Error {
    let frozen = sites.iter().any(|site| site.form == Form::FrozenMask);
    let why = match (sites.is_empty(), frozen) {
        (true, _) => {
            "there is no dropout in it: every run would give the same, and a spread of 0 \
                      would say nothing of what the model is sure of"
        }
        (_, true) => "its only dropout is a frozen mask, which drops the same in every run",
        _ => "all that is left of its dropout is a scale: every run would give the same",
    };
    Error::new(ErrorKind::Usage, why)
}

/// True if an input is fed data.
fn is_given(options: &Options, name: &str) -> bool {
    options.inputs.iter().any(|spec| match spec {
        InputSpec::Array { input, .. } => input == name,
        InputSpec::Archive { .. } | InputSpec::TestSet { .. } => true,
        InputSpec::Shape { .. } => false,
    })
}

/// Refuses rates that would be random numbers.
fn settled(model: &Model, sites: &[&Site], options: &Options) -> Result<()> {
    let fed = |spec: &InputSpec| !matches!(spec, InputSpec::Shape { .. });
    if options.inputs.iter().any(fed) {
        return Ok(());
    }
    let open = |site: &&&Site| site.rate.is_none() && site.rate_origin == RateOrigin::Input;
    match sites.iter().find(open) {
        None => Ok(()),
        Some(site) => {
            let why = "its rate is an input of the model: give that one data (--input), or set rates (--rates)";
            Err(Error::new(ErrorKind::Usage, why).at(model.place(site.nodes[0])))
        }
    }
}

fn notes(model: &Model, sites: &[Site], of_copy: &[String], options: &Options) -> Vec<String> {
    let mut notes = of_copy.to_vec();
    for site in sites {
        let place = model.place(site.nodes[0]);
        if site.form == Form::FrozenMask {
            notes.push(format!(
                "{place}: a frozen mask, which drops the same in every run"
            ));
        }
        let idle = site.mode == Mode::Inert && site.rate == Some(0.0);
        if idle && options.rates.is_empty() {
            notes.push(format!("{place}: has rate 0, and drops nothing"));
        }
        let noise = site.kind == dropout::Kind::GaussianNoise;
        if noise && !options.rates.is_empty() {
            notes.push(format!(
                "{place}: Gaussian noise has no rate, and stays as it is"
            ));
        }
    }
    let sources: Vec<_> = sites.iter().filter_map(Site::source).collect();
    let other = |id| !sources.contains(&id);
    let mut draws = model
        .nodes()
        .filter(|(id, node)| node.draws() && other(*id));
    if let Some((id, _)) = draws.next() {
        let others = match draws.count() {
            0 => String::new(),
            more => format!(" (and {more} more)"),
        };
        let place = model.place(id);
        notes.push(format!(
            "{place}{others}: draws random numbers that are no dropout; they are part of the spread, and one draw of the deterministic output"
        ));
    }
    notes
}

/// A copy at one rate.
struct At<'a> {
    model: &'a Model,
    options: &'a Options,
    rate: Option<f64>,
}

impl At<'_> {
    fn meaning(&self) -> Meaning {
        Meaning::Training {
            seed: self.options.seed,
            rate: self.rate,
        }
    }

    fn footing(&self) -> Result<Footing> {
        let settings = Settings {
            runs: 1,
            seed: self.options.seed,
            dims: self.options.dims.clone(),
            inputs: self.options.inputs.clone(),
            meaning: self.meaning(),
            ..Settings::default()
        };
        footing(&subject(self.model), &settings).map_err(error)
    }

    /// The outputs at inference, by name: what strip leaves is run.
    fn inference(&self, stand: &Footing) -> Result<BTreeMap<String, Value>, String> {
        let options = strip::Options {
            kinds: dropout::Kind::ALL.to_vec(),
            ..strip::Options::default()
        };
        let stripped = strip::strip(self.model, &options).map_err(|e| e.to_string())?;
        let subject = subject(&stripped.edited.model);
        let runnable = Engine::load(&subject, Meaning::Inference, stand.mode, &stand.shapes);
        let runnable = runnable.map_err(|stop| stop.to_string())?;
        let values = runnable
            .run(&stand.inputs, 0)
            .map_err(|stop| stop.to_string())?;
        Ok(runnable.outputs().iter().cloned().zip(values).collect())
    }

    fn run(&self, stand: &Footing, watch: &mut dyn FnMut(usize)) -> Result<Vec<Output>> {
        let subject = subject(self.model);
        let runnable = Engine::load(&subject, self.meaning(), stand.mode, &stand.shapes);
        let runnable = runnable.map_err(error)?;
        let mut collectors: Vec<Collector> = Vec::new();
        for run in 0..self.options.runs {
            watch(run);
            let values = runnable.run(&stand.inputs, run as u64).map_err(error)?;
            if run == 0 {
                collectors = self.collectors(&runnable, &values)?;
            }
            for (collector, value) in collectors.iter_mut().zip(&values) {
                collector.push(value)?;
            }
        }
        Ok(collectors.into_iter().map(Collector::finish).collect())
    }

    fn collectors(&self, runnable: &Runnable, values: &[Value]) -> Result<Vec<Collector>> {
        let names = runnable.outputs();
        for asked in &self.options.classes {
            if !names.contains(asked) {
                let why = format!(
                    "the model has no output {asked}; its outputs: {}",
                    names.join(", ")
                );
                return Err(Error::new(ErrorKind::Usage, why));
            }
        }
        let pairs = names.iter().zip(values);
        pairs
            .map(|(name, value)| Collector::new(name, value, self.options.classes.contains(name)))
            .collect()
    }
}

fn subject(model: &Model) -> Subject<'_> {
    Subject {
        label: "the model",
        source: model.source(),
        folder: model.folder(),
    }
}

fn error(stop: Stop) -> Error {
    match stop {
        Stop::Error(error) => error,
        Stop::Unrunnable(why) => Error::new(ErrorKind::Unsupported, why.reason),
    }
}

/// One output while runs come in.
struct Collector {
    name: String,
    shape: Vec<usize>,
    /// How far the sum of a distribution may be from 1.
    tolerance: f64,
    moments: Moments,
    classes: Option<Counter>,
}

impl Collector {
    fn new(name: &str, first: &Value, asked: bool) -> Result<Collector> {
        let float = ["float16", "float", "double"].contains(&first.element_type());
        let classes = Counter::new(first.shape(), asked).filter(|_| float);
        if asked && classes.is_none() {
            let (shape, element) = (first.shape(), first.element_type());
            let why = format!(
                "output {name} is {element}{shape:?}: classes are floats along a last axis of at least 2"
            );
            return Err(Error::new(ErrorKind::Usage, why));
        }
        Ok(Collector {
            name: name.to_string(),
            shape: first.shape().to_vec(),
            tolerance: if first.element_type() == "float16" {
                1e-2
            } else {
                1e-3
            },
            moments: Moments::default(),
            classes,
        })
    }

    fn push(&mut self, value: &Value) -> Result<()> {
        let numbers = value.to_f64();
        if value.shape() != self.shape || numbers.len() != value.len() {
            let (name, shape, other) = (&self.name, &self.shape, value.shape());
            let why = match numbers.len() == value.len() {
                true => {
                    format!("output {name} has shape {shape:?} in one run and {other:?} in another")
                }
                false => format!("output {name} holds no numbers"),
            };
            return Err(Error::new(ErrorKind::Unsupported, why));
        }
        self.moments.push(&numbers);
        let tolerance = self.tolerance;
        let fits = |counter: &mut Counter| counter.push(&numbers, tolerance);
        if !self.classes.as_mut().is_some_and(fits) {
            self.classes = None;
        }
        Ok(())
    }

    fn finish(self) -> Output {
        Output {
            name: self.name,
            shape: self.shape,
            deterministic: None,
            mean: self.moments.mean().to_vec(),
            std: self.moments.std(),
            classes: self.classes.map(Counter::finish),
        }
    }
}
