//! Outputs that do not react to the inputs: they are equal whatever the models compute.

use std::collections::BTreeSet;

use dropout_onnx::verify::Pairing;
use dropout_onnx::verify::run::Settings;

use super::models::*;
use super::{Outcome, compare, compare_with, difference};

/// `x` of 4 times 8 floats to `y` of any type.
fn network(nodes: Vec<Node>, inits: Vec<(&str, f32)>, element: i32) -> Model {
    let model = model(17).input("x", FLOAT, &[Fix(4), Fix(8)]);
    let inits = inits.into_iter();
    let model = inits.fold(model, |m, (name, k)| m.init(floats(name, &[], &[k])));
    let model = nodes.into_iter().fold(model, Model::node);
    model.output("y", element, &[Fix(4), Fix(8)])
}

/// The function, and the same of another input.
fn pair(function: fn(&str) -> Vec<Node>, inits: &[(&'static str, f32)], to: i32) -> [Model; 2] {
    [
        node("Identity", &["x"], &["a"]),
        node("Neg", &["x"], &["a"]),
    ]
    .map(|first| {
        let nodes = std::iter::once(first).chain(function("a")).collect();
        network(nodes, inits.to_vec(), to)
    })
}

#[track_caller]
fn reached(pair: [Model; 2]) {
    let [before, after] = pair;
    assert!(difference(&compare(&before, &after)).starts_with("output y"));
    let report = compare(&before, &before);
    assert_eq!(report.outcome, Outcome::Equal);
    assert!(report.still.is_empty(), "{:?}", report.still);
    assert!(report.notes[0].contains("65536"), "{:?}", report.notes);
}

#[test]
fn inputs_that_are_too_small_or_too_large_are_scaled() {
    let relu = |x: &str| vec![node("Sub", &[x, "k"], &["s"]), node("Relu", &["s"], &["y"])];
    reached(pair(relu, &[("k", 100.0)], FLOAT));
    let saturated = |x: &str| {
        vec![
            node("Mul", &[x, "k"], &["s"]),
            node("Add", &["s", "l"], &["t"]),
            node("Sigmoid", &["t"], &["y"]),
        ]
    };
    reached(pair(saturated, &[("k", 1.0), ("l", 3000.0)], FLOAT));
    let flag = |x: &str| vec![node("Greater", &[x, "k"], &["y"])];
    reached(pair(flag, &[("k", 50.0)], BOOL));
    let whole = |x: &str| {
        let scaled = node("Div", &[x, "k"], &["s"]);
        vec![scaled, node("Cast", &["s"], &["y"]).int("to", INT64.into())]
    };
    reached(pair(whole, &[("k", 500.0)], INT64));
}

#[test]
fn an_output_that_never_reacts_is_named() {
    let zero = |x: &str| {
        let square = node("Mul", &[x, x], &["q"]);
        vec![
            square,
            node("Neg", &["q"], &["n"]),
            node("Relu", &["n"], &["y"]),
        ]
    };
    let [before, after] = pair(zero, &[], FLOAT);
    let report = compare(&before, &after);
    assert_eq!(
        (&report.outcome, report.still.as_slice()),
        (&Outcome::Equal, &["y".to_string()][..])
    );
    assert!(report.runs > 3);
    // the twin that the inputs cannot change need not react
    let steady = Settings::default().steady(BTreeSet::from(["y".to_string()]));
    let report = compare_with(&before, &after, &steady);
    assert!(report.still.is_empty() && report.runs == 3, "{report:?}");
}

#[test]
fn one_run_asked_for_is_two_with_different_inputs() {
    let relu = network(vec![node("Relu", &["x"], &["y"])], Vec::new(), FLOAT);
    let one = Settings::default().runs(1);
    let report = compare_with(&relu, &relu, &one);
    assert_eq!((report.runs, report.still.len()), (2, 0));
}

#[test]
fn outputs_can_be_paired_by_position() {
    let named = |name: &str, operator: &str| {
        let model = model(17).input("x", FLOAT, &[Fix(3)]);
        let model = model.node(node(operator, &["x"], &[name]));
        model.output(name, FLOAT, &[Fix(3)])
    };
    let [before, after] = [named("a", "Relu"), named("b", "Relu")];
    let said = difference(&compare(&before, &after));
    assert!(
        said.contains("output a is missing after (--outputs by-position"),
        "{said}"
    );
    let by_position = Settings::default().outputs(Pairing::ByPosition);
    let report = compare_with(&before, &after, &by_position);
    assert_eq!(report.outcome, Outcome::Equal);
    let report = compare_with(&before, &named("b", "Neg"), &by_position);
    assert!(difference(&report).starts_with("output a[0]"));
}
