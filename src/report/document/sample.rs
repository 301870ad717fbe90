//! What sampling came to.

use std::path::Path;

use serde_json::{Value, json};

use crate::audit::SiteRecord;
use crate::onnx::Model;
use crate::sample::{Output, Report};

/// The document of a sampling of a model, called `input`; `plot`: the file of the plot, if there is one.
pub fn sample(input: &str, model: &Model, report: &Report, plot: Option<&Path>) -> Value {
    let sites = report.sites.iter();
    let sites: Vec<_> = sites.map(|site| SiteRecord::new(model, site)).collect();
    let samplings = report.samplings.iter().map(|at| {
        let outputs: Vec<_> = at.outputs.iter().map(value).collect();
        json!({"rate": at.rate, "outputs": outputs})
    });
    json!({
        "schema": "dropout-onnx/sample/1",
        "input": input,
        "sites": sites,
        "runs": report.runs, "seed": report.seed, "engine": report.engine,
        "shapes": report.shapes, "random_inputs": report.made, "chosen_dims": report.chosen,
        "notes": report.notes, "plot": plot.map(Path::to_string_lossy),
        "samplings": samplings.collect::<Vec<_>>(),
    })
}

fn value(output: &Output) -> Value {
    let classes = output.classes.as_ref().map(|classes| {
        json!({
            "numbers": classes.numbers.name(), "axis": classes.axis, "count": classes.count,
            "shape": classes.shape, "mean": classes.mean,
            "entropy": classes.entropy, "top": classes.top, "agreement": classes.agreement,
            "deterministic_top": output.deterministic_top(),
        })
    });
    json!({
        "name": output.name, "element_type": output.element_type, "shape": output.shape,
        "spread": output.spread(),
        "deterministic": output.deterministic, "mean": output.mean, "std": output.std,
        "not_finite": output.not_finite,
        "classes": classes,
    })
}
