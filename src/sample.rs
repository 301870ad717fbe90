//! Sampling: a model run many times with its dropout on, and what its outputs then are on average,
//! how far they spread, and how sure the model is of a class.
//!
//! Monte-Carlo dropout: Y. Gal and Z. Ghahramani, *Dropout as a Bayesian Approximation: Representing
//! Model Uncertainty in Deep Learning* (2016). Every `Dropout` drops, also one that is inert in the
//! file or that its version never lets drop; random masks draw from our seeded generator. All this
//! happens to a copy in memory. One engine model is in memory at a time, for all runs at one rate.
//!
//! ```
//! use dropout_onnx::onnx::Model;
//! use dropout_onnx::sample::{Options, sample};
//!
//! # fn main() -> dropout_onnx::Result<()> {
//! let model = Model::open("fixtures/keras_course_train_op8.onnx")?;
//! let options = Options::default().runs(20).seed(7);
//! let report = sample(&model, &options, &mut |_, _| {})?;
//! let output = &report.samplings[0].outputs[0];
//! assert!(output.std.iter().all(|&std| std > 0.0));
//! let classes = output.classes.as_ref().expect("a softmax comes last");
//! assert!(classes.entropy[0] <= f64::ln(10.0));
//! # Ok(())
//! # }
//! ```

mod at;
mod caveats;
mod classes;
mod collect;
mod copy;
mod labels;
mod moments;
mod npz;
mod per_site;
mod plot;
mod rate;
mod session;

use std::collections::BTreeMap;

use serde::Serialize;

use crate::dropout::{Form, Site};
use crate::error::{Error, ErrorKind, Result};
use crate::onnx::{GraphKind, Model};
use crate::verify::engine::Host;
use crate::verify::inputs::InputSpec;

pub use classes::Classes;
#[doc(hidden)]
pub use classes::{ClassSpec, Numbers, Taken};
#[doc(hidden)]
pub use labels::LabelData;
pub use labels::Labels;

/// What to sample.
#[derive(Clone, Debug, derive_setters::Setters)]
#[non_exhaustive]
pub struct Options {
    /// Runs at every rate; at least two.
    pub runs: usize,
    /// Seed of random inputs.
    pub seed: u64,
    /// Seed of the masks; without one, `seed`.
    pub mask_seed: Option<u64>,
    /// Rates to set all dropout to in turn, each in `[0, 1)`; empty for the rates of the model.
    pub rates: Vec<f64>,
    /// How to read outputs as a classifier's, or not as one.
    pub classes: Vec<ClassSpec>,
    /// The true classes of the rows of outputs.
    pub labels: Vec<Labels>,
    /// Also run each dropout alone, the others inert; with at most one rate.
    pub per_site: bool,
    /// Sizes of symbolic dimensions, by name.
    pub dims: BTreeMap<String, usize>,
    /// Shapes or data of inputs.
    pub inputs: Vec<InputSpec>,
    /// Where the model runs.
    pub host: Host,
}

impl Default for Options {
    /// A hundred runs from seed 0, at the rates of the model, in this process.
    fn default() -> Self {
        Options {
            runs: 100,
            seed: 0,
            mask_seed: None,
            rates: Vec::new(),
            classes: Vec::new(),
            labels: Vec::new(),
            per_site: false,
            dims: BTreeMap::new(),
            inputs: Vec::new(),
            host: Host::default(),
        }
    }
}

/// What came of it, and all that is needed to repeat it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Report {
    /// The dropouts of the model, as they are in the file.
    pub sites: Vec<Site>,
    /// One for each rate; a single one without rates.
    pub samplings: Vec<Sampling>,
    /// One for each dropout that ran alone, in the order of `sites`.
    pub per_site: Vec<SiteSampling>,
    /// Runs at every rate.
    pub runs: usize,
    /// The seed of random inputs.
    pub seed: u64,
    /// The seed of the masks.
    pub mask_seed: u64,
    /// Shape of every input.
    pub shapes: BTreeMap<String, Vec<usize>>,
    /// Inputs with random data, because none was supplied.
    pub made: Vec<String>,
    /// Assumed sizes of symbolic dimensions, by name or as `input[axis]`.
    pub chosen: BTreeMap<String, usize>,
    /// What a reader should know.
    pub notes: Vec<String>,
    /// The engine and its version.
    pub engine: String,
}

/// The outputs at one rate.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Sampling {
    /// The rate of every dropout; `None`: each has its own.
    pub rate: Option<f64>,
    /// In the order of the graph.
    pub outputs: Vec<Output>,
}

/// The outputs with only one dropout on.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
#[doc(hidden)]
pub struct SiteSampling {
    /// Its number in the sites of the report.
    pub site: usize,
    /// Its layer, or its node.
    pub dropout: String,
    /// In the order of the graph.
    pub outputs: Vec<Output>,
}

/// One output over all runs; elements in row-major order.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Output {
    /// Its name.
    pub name: String,
    /// Its element type in ONNX, in lower case: `float`, `int64`, `bool`.
    pub element_type: &'static str,
    /// Its shape.
    pub shape: Vec<usize>,
    /// What it is at inference; `None` if that could not be run.
    #[cfg_attr(test, schemars(with = "Option<Vec<Option<f64>>>"))]
    pub deterministic: Option<Vec<f64>>,
    /// The mean of every element; NaN if it was NaN or infinite in any run.
    #[cfg_attr(test, schemars(with = "Vec<Option<f64>>"))]
    pub mean: Vec<f64>,
    /// The standard deviation of every element, that of a sample: the squared deviations are divided
    /// by one less than the runs (numpy's `ddof=1`). NaN where the mean is.
    #[cfg_attr(test, schemars(with = "Vec<Option<f64>>"))]
    pub std: Vec<f64>,
    /// Elements that were NaN or infinite in some run.
    pub not_finite: usize,
    /// Statistics as a classifier's, if it is one.
    #[serde(skip)]
    pub classes: Option<Classes>,
}

impl Output {
    /// The mean of the standard deviations of its elements, those left out that have none; 0 if it has
    /// no elements, NaN if none has one.
    pub fn spread(&self) -> f64 {
        let known: Vec<f64> = (self.std.iter().copied())
            .filter(|std| !std.is_nan())
            .collect();
        match known.is_empty() && !self.std.is_empty() {
            true => f64::NAN,
            false => average(&known),
        }
    }

    /// The class that is on top at inference, row by row.
    pub fn deterministic_top(&self) -> Option<Vec<usize>> {
        let values = self.deterministic.as_ref()?;
        Some(self.classes.as_ref()?.tops(values))
    }
}

impl Report {
    /// A picture, as an SVG document: spread against rate, a line for every output, if there are at least two
    /// rates; a bar for every dropout that ran alone.
    pub fn svg(&self) -> Option<String> {
        match self.per_site.is_empty() {
            true => plot::rates(&self.samplings),
            false => plot::sites(&self.per_site),
        }
    }

    /// All figures as numpy's `.npz`, in doubles. In the shape of the output: `OUTPUT.mean`,
    /// `OUTPUT.std`, `OUTPUT.deterministic` and, of classes, `OUTPUT.probabilities` (their mean); in the
    /// shape of its rows: `OUTPUT.entropy`, `OUTPUT.agreement` and `OUTPUT.top`. With labels, `OUTPUT.accuracy`. Besides, `runs`,
    /// `seed` and `mask_seed`. With rates, `rates`, and rates along a first axis of the figures. What single runs gave is
    /// not kept.
    ///
    /// # Errors
    /// Two arrays would have the same name.
    pub fn npz(&self) -> Result<Vec<u8>> {
        npz::write(self)
    }
}

/// The mean of numbers; 0 without any.
#[doc(hidden)]
pub fn average(numbers: &[f64]) -> f64 {
    match numbers.len() {
        0 => 0.0,
        count => numbers.iter().sum::<f64>() / count as f64,
    }
}

/// True of dropout that is sampled: not of a mask that is a constant, of a scale, or of what runs never
/// or in training only (`training_info`).
#[doc(hidden)]
pub fn is_sampled(model: &Model, site: &Site) -> bool {
    let root = &model.graph(model.root(site.graph)).kind;
    let runs = matches!(root, GraphKind::Main | GraphKind::Function(_));
    runs && !site.unreachable && matches!(site.form, Form::Operator | Form::RandomMask)
}

/// Runs a model with its dropout on. `watch` is called before each run with the number of runs done, and of
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
    model.check_external()?;
    session::sample(model, options, watch).map_err(|e| model.source().name_in(e))
}

fn check(options: &Options) -> Result<()> {
    let usage = |why: String| Err(Error::new(ErrorKind::Usage, why));
    let classes = options.classes.iter().enumerate();
    for (index, spec) in classes {
        let mut before = options.classes[..index].iter();
        if before.any(|other| other.output == spec.output) {
            return usage(format!(
                "the classes of output {} are given twice",
                spec.output
            ));
        }
    }
    if options.runs < 2 {
        return usage("--runs must be at least 2".to_string());
    }
    if options.per_site && options.rates.len() > 1 {
        return usage("--per-site takes at most one of --rates".to_string());
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
