//! Operators that draw: the same numbers on both sides, and not a constant.

use dropout_onnx::verify::engine::{Meaning, Value};

use super::models::*;
use super::{Outcome, compare, load, outputs, row};

fn drawing(draw: Node) -> Model {
    model(15)
        .input("x", FLOAT, &[Fix(20_000)])
        .node(draw.named("draw"))
        .node(node("Add", &["x", "r"], &["y"]))
        .output("y", FLOAT, &[Fix(20_000)])
}

fn drawn(draw: Node) -> Vec<f64> {
    outputs(
        &drawing(draw),
        Meaning::Inference,
        &[("x", row(&[0.0; 20_000]))],
        0,
    )[0]
    .to_f64()
}

fn moments(values: &[f64]) -> (f64, f64) {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let variance = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / n;
    (mean, variance.sqrt())
}

#[test]
fn the_laws_are_those_of_the_operators() {
    let near = |(mean, deviation): (f64, f64), expected: (f64, f64)| {
        assert!(
            (mean - expected.0).abs() < 0.05 && (deviation - expected.1).abs() < 0.05,
            "{mean} {deviation}"
        );
    };
    let shape = [20_000];
    let third = 1.0 / 3f64.sqrt();
    near(
        moments(&drawn(
            node("RandomUniform", &[], &["r"]).ints("shape", &shape),
        )),
        (0.5, third / 2.0),
    );
    let wide = node("RandomUniformLike", &["x"], &["r"])
        .float("low", -1.0)
        .float("high", 3.0);
    near(moments(&drawn(wide)), (1.0, 2.0 * third));
    near(
        moments(&drawn(node("RandomNormalLike", &["x"], &["r"]))),
        (0.0, 1.0),
    );
    let normal = node("RandomNormal", &[], &["r"])
        .ints("shape", &shape)
        .float("mean", 2.0)
        .float("scale", 0.5);
    near(moments(&drawn(normal)), (2.0, 0.5));
}

#[test]
fn bernoulli_draws_ones_with_the_chance_given() {
    let model = model(15)
        .input("x", FLOAT, &[Fix(20_000)])
        .node(node("Bernoulli", &["x"], &["y"]).int("dtype", INT64.into()))
        .output("y", INT64, &[Fix(20_000)]);
    let found = outputs(&model, Meaning::Inference, &[("x", row(&[0.3; 20_000]))], 0);
    assert_eq!(found[0].element_type(), "int64");
    let (mean, _) = moments(&found[0].to_f64());
    assert!((mean - 0.3).abs() < 0.02, "{mean}");
}

#[test]
fn both_sides_draw_the_same_whatever_was_removed() {
    for kind in ["RandomUniformLike", "RandomNormalLike", "Bernoulli"] {
        let draw = || node(kind, &["p"], &["r"]).named("draw");
        let base = || {
            model(15)
                .input("x", FLOAT, &[Fix(8)])
                .output("y", FLOAT, &[Fix(8)])
                .node(node("Sigmoid", &["x"], &["p"]))
        };
        let before = base()
            .node(node("Dropout", &["x"], &["d"]).named("drop"))
            .node(draw())
            .node(node("Mul", &["d", "r"], &["y"]));
        let after = base().node(draw()).node(node("Mul", &["x", "r"], &["y"]));
        let report = compare(&before, &after);
        assert_eq!(report.outcome, Outcome::Equal);
        assert!(
            report.notes.iter().any(|note| note.contains(kind)),
            "{:?}",
            report.notes
        );
        // The twin: another node draws other numbers.
        let renamed = base()
            .node(node(kind, &["p"], &["r"]).named("other"))
            .node(node("Mul", &["x", "r"], &["y"]));
        super::difference(&compare(&before, &renamed));
    }
}

#[test]
fn multinomial_is_repeatable() {
    let model = model(15)
        .input("x", FLOAT, &[Fix(2), Fix(6)])
        .node(node("Multinomial", &["x"], &["y"]).int("sample_size", 50))
        .output("y", INT32, &[Fix(2), Fix(50)]);
    assert_eq!(compare(&model, &model).outcome, Outcome::Equal);
}

#[test]
fn every_run_draws_again_and_is_reproducible() {
    let model = drawing(node("RandomUniform", &[], &["r"]).ints("shape", &[20_000]));
    let runnable = load(&model.source(), Meaning::Inference).unwrap();
    let inputs = [("x".to_string(), row(&[0.0; 20_000]))].into();
    let draw = |run| -> Vec<f64> { Value::to_f64(&runnable.run(&inputs, run).unwrap()[0]) };
    assert_eq!(draw(0), draw(0));
    assert_ne!(draw(0), draw(1));
    // In threads of their own as well: the run belongs to the thread.
    let elsewhere = std::thread::scope(|scope| scope.spawn(|| draw(1)).join().unwrap());
    assert_eq!(elsewhere, draw(1));
}
