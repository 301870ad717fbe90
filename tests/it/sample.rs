//! Sampling: the figures against closed forms, on models built here and on exporters' own.

mod certainty;
mod damaged;
mod fixtures;
#[cfg(all(feature = "cli", target_os = "linux"))]
mod growth;
mod labels;
mod per_site;
mod places;
mod readings;
mod refusals;
mod spread;
mod types;
mod written;

use std::path::PathBuf;

use crate::common::proto::Model;
use dropout_onnx::onnx;
use dropout_onnx::sample::{Options, Report, sample};
use dropout_onnx::verify::inputs::InputSpec;
use ndarray::{ArrayD, IxDyn};
use ndarray_npy::WriteNpyExt;
use tempfile::TempDir;

/// A fixture, and where it lies.
fn fixture(stem: &str) -> onnx::Model {
    onnx::Model::open(fixtures().join(format!("{stem}.onnx"))).unwrap()
}

fn fixtures() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fixtures")
}

/// Samples a model.
fn sampled(model: &onnx::Model, options: &Options) -> Report {
    sample(model, options, &mut |_, _| {}).unwrap_or_else(|error| panic!("{error}"))
}

/// Samples a model whose input x is fed these numbers.
fn fed(model: &Model, shape: &[usize], x: &[f32], options: Options) -> Report {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("x.npy");
    let array = ArrayD::from_shape_vec(IxDyn(shape), x.to_vec()).unwrap();
    array
        .write_npy(std::fs::File::create(&file).unwrap())
        .unwrap();
    let inputs = vec![InputSpec::Array {
        input: "x".into(),
        file,
    }];
    let report = sampled(&model.read(), &options.inputs(inputs));
    assert!(report.made.is_empty(), "{:?}", report.made);
    report
}

fn refusal(model: &onnx::Model, options: &Options) -> String {
    match sample(model, options, &mut |_, _| {}) {
        Err(error) => error.to_string(),
        Ok(_) => panic!("it is sampled"),
    }
}
