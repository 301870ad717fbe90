//! What sampling came to.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Serialize;
use serde_json::Value;

use crate::audit::{SiteRecord, TOOL};
use crate::error::Result;
use crate::onnx::Model;
use crate::sample::{self, Report};

/// The document of a sampling.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct Document<'r> {
    /// The version of the document.
    schema: &'static str,
    /// The program that wrote it, with its version.
    tool: &'static str,
    /// The model.
    input: &'r str,
    /// Its dropouts.
    sites: Vec<SiteRecord>,
    /// Runs at every rate.
    runs: usize,
    /// The seed of random inputs.
    seed: u64,
    /// The seed of the masks.
    mask_seed: u64,
    /// The engine and its version.
    engine: String,
    /// The shape of every input.
    shapes: &'r BTreeMap<String, Vec<usize>>,
    /// Inputs with random data.
    random_inputs: &'r [String],
    /// Assumed sizes of symbolic dimensions.
    chosen_dims: &'r BTreeMap<String, usize>,
    /// Remarks.
    notes: &'r [String],
    /// The file of the plot, if there is one.
    plot: Option<String>,
    /// One for each rate; a single one without rates.
    samplings: Vec<Sampling<'r>>,
    /// One for each dropout that ran alone.
    per_site: Vec<SiteSampling<'r>>,
}

/// The outputs at one rate.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Sampling<'r> {
    /// The rate of every dropout; null: each has its own.
    rate: Option<f64>,
    /// In the order of the graph.
    outputs: Vec<Output<'r>>,
}

/// The outputs with only one dropout on.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct SiteSampling<'r> {
    /// Its number in `sites`.
    site: usize,
    /// Its layer, or its node.
    dropout: &'r str,
    /// In the order of the graph.
    outputs: Vec<Output<'r>>,
}

/// One output over all runs; elements in row-major order, NaN as null.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Output<'r> {
    #[serde(flatten)]
    output: &'r sample::Output,
    /// The mean of the standard deviations of its elements.
    #[cfg_attr(test, schemars(with = "Option<f64>"))]
    spread: f64,
    /// Statistics as a classifier's, if it is one.
    classes: Option<Classes<'r>>,
}

/// Statistics of an output as a classifier's.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Classes<'r> {
    #[serde(flatten)]
    classes: &'r sample::Classes,
    /// The top class at inference.
    deterministic_top: Option<Vec<usize>>,
}

/// The document of a sampling of a model, called `input`; `plot`: the file of the plot, if there is one.
///
/// # Errors
/// None that a sampling gives rise to; the serializer's own.
pub fn sample(input: &str, model: &Model, report: &Report, plot: Option<&Path>) -> Result<Value> {
    let sites = report.sites.iter();
    let samplings = report.samplings.iter().map(|at| Sampling {
        rate: at.rate,
        outputs: at.outputs.iter().map(Output::of).collect(),
    });
    let per_site = report.per_site.iter().map(|at| SiteSampling {
        site: at.site,
        dropout: &at.dropout,
        outputs: at.outputs.iter().map(Output::of).collect(),
    });
    let document = Document {
        schema: "dropout-onnx/sample/1",
        tool: TOOL,
        input,
        sites: SiteRecord::all(model, sites),
        runs: report.runs,
        seed: report.seed,
        mask_seed: report.mask_seed,
        engine: report.engine.clone(),
        shapes: &report.shapes,
        random_inputs: &report.made,
        chosen_dims: &report.chosen,
        notes: &report.notes,
        plot: plot.map(|plot| plot.to_string_lossy().into_owned()),
        samplings: samplings.collect(),
        per_site: per_site.collect(),
    };
    Ok(serde_json::to_value(document)?)
}

impl<'r> Output<'r> {
    fn of(output: &'r sample::Output) -> Output<'r> {
        let classes = output.classes.as_ref();
        Output {
            output,
            spread: output.spread(),
            classes: classes.map(|classes| Classes {
                classes,
                deterministic_top: output.deterministic_top(),
            }),
        }
    }
}
