//! Both engines: the same values, the same draws, and the reasons of both.
//!
//! ONNX Runtime is there if the crate is built with the feature `ort` and its library is found, for example
//! by `ORT_DYLIB_PATH`. Otherwise these tests print that they were left out.

use std::collections::BTreeMap;

use dropout_onnx::verify::engine::{
    Engines, Fill, Host, Meaning, Mode, Port, Runnable, Shapes, Stop, Subject, Value,
};

use super::models::*;
use super::{compare_with, row, unrunnable};
use dropout_onnx::verify::run::{Outcome, Settings};

const DRAWN: Meaning = Meaning::AsWritten { seed: 3 };

/// Reads a model with one engine and makes it ready.
pub(super) fn on(
    engines: Engines,
    subject: &Subject<'_>,
    meaning: Meaning,
    fill: Fill,
) -> Result<(Runnable, Vec<Port>, Shapes), Stop> {
    let mut host = Host::default();
    host.engines = engines;
    let mode = match engines {
        Engines::Ort => Mode::OnnxRuntime,
        _ => Mode::Optimised,
    };
    let parsed = host.read(subject, meaning, mode)?;
    let shapes = parsed.choose(&BTreeMap::new(), &BTreeMap::new(), fill)?;
    let ports = parsed.inputs().to_vec();
    Ok((parsed.runnable(&shapes)?, ports, shapes))
}

/// The same of a model of ours, with at least two of everything.
fn ready(engines: Engines, model: &Model, meaning: Meaning) -> Result<Runnable, Stop> {
    let source = model.source();
    let subject = Subject::new("model", &source);
    Ok(on(engines, &subject, meaning, Fill::ALL[0])?.0)
}

/// True if ONNX Runtime can be loaded; prints it if not.
pub(crate) fn ort_is_here() -> bool {
    let model = model(13)
        .input("x", FLOAT, &[Fix(1)])
        .node(node("Neg", &["x"], &["y"]))
        .output("y", FLOAT, &[Fix(1)]);
    match ready(Engines::Ort, &model, DRAWN) {
        Ok(_) => true,
        Err(Stop::Unrunnable(why)) => {
            println!("left out, as ONNX Runtime is not here: {why}");
            false
        }
        Err(stop) => panic!("{stop}"),
    }
}

fn bits(values: &[Value]) -> Vec<(String, Vec<usize>, Vec<u64>)> {
    let bits = |value: &Value| value.to_f64().into_iter().map(f64::to_bits).collect();
    let values = values.iter();
    values
        .map(|v| (v.element_type().to_string(), v.shape().to_vec(), bits(v)))
        .collect()
}

/// The outputs of both engines, if both are here: of runs 0 and 1, and of run 0 again.
fn both(model: &Model, meaning: Meaning, x: &Value) -> Option<[Vec<Value>; 2]> {
    if !ort_is_here() {
        return None;
    }
    Some([Engines::Tract, Engines::Ort].map(|engines| {
        let ready = self::ready(engines, model, meaning).unwrap_or_else(|stop| panic!("{stop}"));
        let inputs = BTreeMap::from([("x".to_string(), x.clone())]);
        let runs = [0, 1, 0].map(|run| ready.run(&inputs, run).unwrap());
        assert_eq!(bits(&runs[0]), bits(&runs[2]), "{engines}");
        assert!(meaning == Meaning::Inference || bits(&runs[0]) != bits(&runs[1]));
        runs.into_iter().flatten().collect()
    }))
}

const N: usize = 64;

fn counting() -> Value {
    row(&(0..N).map(|i| i as f32 / 7.0 - 3.0).collect::<Vec<_>>())
}

fn unary(opset: i64) -> Model {
    model(opset).input("x", FLOAT, &[Fix(N as i64)])
}

/// A Dropout as each version writes it, of `ratio`, in training.
fn dropout(opset: i64) -> Model {
    let model = unary(opset);
    let outputs = ["y", "mask"];
    let model = match opset {
        12.. => model
            .init(float("ratio", 0.3))
            .init(boolean("training", true))
            .node(node("Dropout", &["x", "ratio", "training"], &outputs).named("drop")),
        _ => model.node(
            node("Dropout", &["x"], &outputs)
                .named("drop")
                .float("ratio", 0.3),
        ),
    };
    let mask = if opset >= 10 { BOOL } else { FLOAT };
    let wide: &[Size] = &[Fix(N as i64)];
    model.output("y", FLOAT, wide).output("mask", mask, wide)
}

#[test]
fn dropout_drops_the_same_in_both() {
    let training = Meaning::Training {
        seed: 5,
        rate: None,
    };
    for opset in [7, 9, 10, 12, 13, 22] {
        for meaning in [Meaning::Inference, training] {
            if let Some([tract, ort]) = both(&dropout(opset), meaning, &counting()) {
                assert_eq!(bits(&tract), bits(&ort), "opset {opset}, {meaning:?}");
            }
        }
    }
}

#[test]
fn draws_are_the_same_in_both() {
    let draws = [
        node("RandomUniform", &[], &["r"]).ints("shape", &[N as i64]),
        node("RandomNormal", &[], &["r"])
            .ints("shape", &[N as i64])
            .float("mean", 1.5),
        node("RandomUniformLike", &["x"], &["r"]).float("low", -2.0),
        node("RandomNormalLike", &["x"], &["r"]).float("scale", 0.1),
        node("Bernoulli", &["p"], &["r"]),
    ];
    for draw in draws {
        let model = unary(15)
            .node(node("Sigmoid", &["x"], &["p"]))
            .node(draw.named("draw"))
            .node(node("Add", &["r", "p"], &["y"]))
            .output("y", FLOAT, &[Fix(N as i64)])
            .output("r", FLOAT, &[Fix(N as i64)]);
        if let Some([tract, ort]) = both(&model, DRAWN, &counting()) {
            assert_eq!(bits(&tract[1..2]), bits(&ort[1..2]));
        }
    }
}

/// Copies contain it whatever the opset, and ONNX Runtime has it from opset 9 on.
#[test]
fn constants_of_a_shape_are_of_every_opset() {
    for opset in [7, 8, 9] {
        let model = unary(opset)
            .node(node("Shape", &["x"], &["s"]))
            .node(node("ConstantOfShape", &["s"], &["c"]).tensor("value", floats("", &[1], &[0.5])))
            .node(node("Add", &["x", "c"], &["y"]))
            .output("y", FLOAT, &[Fix(N as i64)]);
        if let Some([tract, ort]) = both(&model, Meaning::Inference, &counting()) {
            assert_eq!(bits(&tract), bits(&ort), "opset {opset}");
            assert_eq!(ort[0].to_f64()[0], -2.5);
        }
    }
}

/// A determinant, which tract has not.
fn determinant() -> Model {
    model(13)
        .input("x", FLOAT, &[Fix(2), Fix(2)])
        .node(node("Det", &["x"], &["y"]))
        .output("y", FLOAT, &[])
}

fn run_by(engines: Engines, model: &Model) -> super::RunReport {
    let mut settings = Settings::default();
    settings.host.engines = engines;
    compare_with(model, model, &settings)
}

#[test]
fn auto_runs_what_tract_cannot_and_names_the_engine() {
    let report = run_by(Engines::Tract, &determinant());
    let (_, why) = unrunnable(&report);
    assert!(why.starts_with("tract ") && report.engine.starts_with("tract "));
    let report = run_by(Engines::Auto, &determinant());
    if ort_is_here() {
        assert_eq!(report.outcome, Outcome::Equal);
        assert!(
            report.engine.starts_with("ONNX Runtime 1."),
            "{}",
            report.engine
        );
        assert!(report.notes.iter().any(|note| note.starts_with(why)));
    } else {
        assert!(unrunnable(&report).1.starts_with(why));
    }
}

#[test]
fn auto_runs_with_tract_what_it_can() {
    let model = unary(13)
        .node(node("Neg", &["x"], &["y"]))
        .output("y", FLOAT, &[Fix(N as i64)]);
    let report = run_by(Engines::Auto, &model);
    assert_eq!(report.outcome, Outcome::Equal);
    assert!(report.engine.starts_with("tract "), "{}", report.engine);
}

#[test]
fn what_neither_runs_has_both_reasons() {
    let model =
        unary(13)
            .node(node("Nonsense", &["x"], &["y"]))
            .output("y", FLOAT, &[Fix(N as i64)]);
    let report = run_by(Engines::Auto, &model);
    let (_, why) = unrunnable(&report);
    assert!(why.contains("tract has no operator Nonsense"), "{why}");
    assert_eq!(why.contains("ONNX Runtime"), cfg!(feature = "ort"), "{why}");
    let report = run_by(Engines::Ort, &model);
    assert!(unrunnable(&report).1.contains("ONNX Runtime"), "{why}");
}
