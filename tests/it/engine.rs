//! The engines that run models.

mod agreement;
pub(crate) mod both;
mod broken;
mod compare;
mod data;
mod dropout;
mod functions;
mod inputs;
mod lacks;
mod loops;
mod mends;
mod models;
mod random;
mod reactions;

use std::collections::BTreeMap;

use dropout_onnx::source::Source;
use dropout_onnx::verify::engine::{
    Engines, Fill, Host, Meaning, Mode, Runnable, Shapes, Stop, Subject, Value,
};
use dropout_onnx::verify::run::{self, Outcome, RunReport, Settings};
use models::Model;

/// Makes a model ready with the shapes it declares.
fn load(source: &Source, meaning: Meaning) -> Result<Runnable, Stop> {
    let subject = Subject::new("model", source);
    let parsed = Host::default().read(&subject, meaning, Mode::Optimised)?;
    let shapes = parsed.choose(&BTreeMap::new(), &BTreeMap::new(), Fill::ALL[0])?;
    Host::default().load(&subject, meaning, Mode::Optimised, &shapes)
}

/// Feeds float inputs and returns all outputs.
fn outputs(model: &Model, meaning: Meaning, inputs: &[(&str, Value)], run: u64) -> Vec<Value> {
    let inputs = inputs
        .iter()
        .map(|(name, value)| ((*name).to_string(), value.clone()));
    let runnable = load(&model.source(), meaning).unwrap_or_else(|stop| panic!("{stop}"));
    runnable
        .run(&inputs.collect(), run)
        .unwrap_or_else(|stop| panic!("{stop}"))
}

/// A row of floats.
fn row(elements: &[f32]) -> Value {
    Value::from_f32(&[elements.len()], elements).unwrap()
}

fn reason(stopped: Result<Runnable, Stop>) -> String {
    match stopped {
        Err(Stop::Unrunnable(unrunnable)) => unrunnable.reason,
        Err(stop) => panic!("an error: {stop}"),
        Ok(_) => panic!("it loads"),
    }
}

/// Compares two models to the bit, with tract.
fn compare(before: &Model, after: &Model) -> RunReport {
    let mut settings = Settings::default();
    settings.host.engines = Engines::Tract;
    compare_with(before, after, &settings)
}

fn compare_with(before: &Model, after: &Model, settings: &Settings) -> RunReport {
    let [one, two] = [before, after].map(Model::source);
    let before = Subject::new("before", &one);
    let after = Subject::new("after", &two);
    run::compare(&before, &after, settings).unwrap_or_else(|error| panic!("{error}"))
}

fn difference(report: &RunReport) -> String {
    match &report.outcome {
        Outcome::Different(difference) => difference.to_string(),
        other => panic!("{other}"),
    }
}

fn unrunnable(report: &RunReport) -> (&str, &str) {
    match &report.outcome {
        Outcome::Unrunnable { which, reason, .. } => (which, reason),
        other => panic!("{other}"),
    }
}

#[test]
fn the_version_named_is_the_version_linked() {
    let lock = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.lock")).unwrap();
    let (_, rest) = lock
        .split_once("name = \"tract-onnx\"\nversion = \"")
        .unwrap();
    let (version, _) = rest.split_once('"').unwrap();
    assert_eq!(
        dropout_onnx::verify::engine::TRACT,
        format!("tract {version}")
    );
}

#[test]
fn loading_in_steps_is_loading_at_once() {
    let model = models::model(13)
        .input("x", models::FLOAT, &[models::Sym("n")])
        .node(models::node("Relu", &["x"], &["y"]))
        .output("y", models::FLOAT, &[]);
    let source = model.source();
    let subject = Subject::new("model", &source);
    let mut shapes = Shapes::default();
    shapes.inputs.insert("x".into(), vec![3]);
    shapes.symbols.insert("n".into(), 3);
    let host = Host::default();
    let runnable = host.load(&subject, Meaning::Inference, Mode::Optimised, &shapes);
    let runnable = runnable.unwrap_or_else(|stop| panic!("{stop}"));
    assert_eq!(runnable.outputs(), ["y"]);
    let inputs = BTreeMap::from([("x".to_string(), row(&[-1.0, 0.0, 2.0]))]);
    assert_eq!(
        runnable.run(&inputs, 0).unwrap()[0].to_f64(),
        [0.0, 0.0, 2.0]
    );
    assert!(matches!(
        runnable.run(&BTreeMap::new(), 0),
        Err(Stop::Error(_))
    ));
}
