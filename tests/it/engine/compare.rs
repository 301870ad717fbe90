//! Whole comparisons: what is equal passes, and every kind of mistake is found.

use dropout_onnx::verify::compare::Tolerance;
use dropout_onnx::verify::engine::{Meaning, Mode};
use dropout_onnx::verify::run::Settings;

use super::models::*;
use super::{Outcome, compare, compare_with, difference, unrunnable};

/// MatMul, Relu, Dropout, MatMul; the batch is symbolic.
fn network(dropped: bool) -> Model {
    let weights = |scale: f32| {
        (0..16)
            .map(|i| (i as f32 - 7.5) * scale)
            .collect::<Vec<_>>()
    };
    let model = model(13)
        .input("x", FLOAT, &[Sym("batch"), Fix(4)])
        .init(floats("w", &[4, 4], &weights(0.1)))
        .init(floats("v", &[4, 4], &weights(-0.2)))
        .node(node("MatMul", &["x", "w"], &["h"]))
        .node(node("Relu", &["h"], &["r"]));
    let (model, last) = match dropped {
        true => (model.node(node("Dropout", &["r"], &["d", "mask"])), "d"),
        false => (model, "r"),
    };
    model
        .node(node("MatMul", &[last, "v"], &["y"]))
        .output("y", FLOAT, &[Sym("batch"), Fix(4)])
}

#[test]
fn a_dropped_dropout_changes_no_bit() {
    let report = compare(&network(true), &network(false));
    assert_eq!(report.outcome, Outcome::Equal);
    assert_eq!(
        (report.runs, report.elements, report.mode),
        (3, 24, Mode::Optimised)
    );
    assert_eq!(report.chosen["batch"], 2);
    assert_eq!(report.shapes["x"], [2, 4]);
    assert_eq!(report.outputs, ["y"]);
    assert!(report.notes.is_empty(), "{:?}", report.notes);
}

#[test]
fn mistakes_are_found() {
    let before = network(true);
    let mut wrong_input = network(false);
    wrong_input.graph().node[2].input[0] = "h".into();
    let mut dropped_node = network(false);
    dropped_node.graph().node.remove(1);
    dropped_node.graph().node[1].input[0] = "h".into();
    let mut changed_weight = network(false);
    changed_weight.graph().initializer[1].raw_data[3] ^= 1;
    let mut other_shape = network(false);
    other_shape.graph().node[2] = node("Identity", &["q"], &["y"]).0;
    other_shape
        .graph()
        .node
        .insert(2, node("Transpose", &["r"], &["q"]).0);
    for after in [wrong_input, dropped_node, changed_weight, other_shape] {
        let said = difference(&compare(&before, &after));
        assert!(said.starts_with("output y"), "{said}");
    }
}

#[test]
fn swapped_outputs_are_found() {
    let two = |first: &str, second: &str| {
        model(13)
            .input("x", FLOAT, &[Fix(3)])
            .node(node("Relu", &["x"], &[first]))
            .node(node("Neg", &["x"], &[second]))
            .output("a", FLOAT, &[Fix(3)])
            .output("b", FLOAT, &[Fix(3)])
    };
    assert_eq!(
        compare(&two("a", "b"), &two("a", "b")).outcome,
        Outcome::Equal
    );
    assert!(difference(&compare(&two("a", "b"), &two("b", "a"))).starts_with("output a"));
}

#[test]
fn a_mask_of_zeros_or_of_another_type_is_found() {
    let mask = |kind: Node, element: i32| {
        model(13)
            .input("x", FLOAT, &[Fix(3)])
            .init(int64s("three", &[1], &[3]))
            .node(kind)
            .output("mask", element, &[Fix(3)])
    };
    let before = mask(node("Dropout", &["x"], &["", "mask"]), BOOL);
    let fill = |bytes: Vec<u8>, element| {
        node("ConstantOfShape", &["three"], &["mask"])
            .tensor("value", raw("", element, &[1], bytes))
    };
    assert_eq!(
        compare(&before, &mask(fill(vec![1], BOOL), BOOL)).outcome,
        Outcome::Equal
    );
    assert!(
        difference(&compare(&before, &mask(fill(vec![0], BOOL), BOOL)))
            .contains("mask[0] is true before, false after")
    );
    let floats = mask(fill(vec![0, 0, 128, 63], FLOAT), FLOAT);
    assert!(difference(&compare(&before, &floats)).contains("type bool before, float after"));
}

#[test]
fn minus_zero_and_nan() {
    let constant = |value: f32| {
        model(13)
            .input("x", FLOAT, &[Fix(2)])
            .init(floats("c", &[2], &[value, 1.0]))
            .node(node("Identity", &["c"], &["y"]))
            .output("y", FLOAT, &[Fix(2)])
    };
    assert_eq!(
        compare(&constant(-0.0), &constant(-0.0)).outcome,
        Outcome::Equal
    );
    assert!(difference(&compare(&constant(0.0), &constant(-0.0))).contains("0 before, -0 after"));
    assert_eq!(
        compare(&constant(f32::NAN), &constant(f32::NAN)).outcome,
        Outcome::Equal
    );
    assert!(
        difference(&compare(&constant(f32::NAN), &constant(0.0))).contains("NaN before, 0 after")
    );
}

#[test]
fn interfaces_must_agree() {
    let before = network(true);
    let renamed_input = {
        let mut model = network(false);
        model.graph().input[0].name = "z".into();
        model.graph().node[0].input[0] = "z".into();
        model
    };
    assert!(difference(&compare(&before, &renamed_input)).contains("input x is missing after"));
    let more = network(false).input("extra", FLOAT, &[Fix(1)]);
    assert!(difference(&compare(&before, &more)).contains("input extra is new after"));
    let output = network(false).output("r", FLOAT, &[]);
    assert!(difference(&compare(&before, &output)).contains("output r is new after"));
    assert!(difference(&compare(&output, &before)).contains("output r is missing after"));
    let mut fixed = network(false);
    fixed.graph().input[0] = value("x", FLOAT, &[Sym("batch"), Fix(4), Fix(1)]);
    assert!(difference(&compare(&before, &fixed)).contains("different shape"));
    let mut typed = network(false);
    typed.graph().input[0] = value("x", DOUBLE, &[Sym("batch"), Fix(4)]);
    assert!(difference(&compare(&before, &typed)).contains("float before, double after"));
}

#[test]
fn outputs_are_compared_by_name() {
    let mut reordered = network(true).output("r", FLOAT, &[]);
    let before = reordered.clone();
    reordered.graph().output.swap(0, 1);
    assert_eq!(compare(&before, &reordered).outcome, Outcome::Equal);
}

#[test]
fn a_tolerance_lets_rounding_pass_and_no_more() {
    let scaled = |factor: f32| {
        let mut model = network(false);
        let weights = (0..16)
            .map(|i| (i as f32 - 7.5) * -0.2 * factor)
            .collect::<Vec<_>>();
        model.graph().initializer[1] = floats("v", &[4, 4], &weights);
        model
    };
    let with = |factor, tolerance| {
        let settings = Settings::default().tolerance(tolerance);
        compare_with(&network(true), &scaled(factor), &settings).outcome == Outcome::Equal
    };
    assert!(with(1.000_001, Tolerance::ByType) && !with(1.000_001, Tolerance::Exact));
    assert!(!with(1.01, Tolerance::ByType));
    assert!(with(
        1.01,
        Tolerance::Close {
            rtol: 0.02,
            atol: 1e-6
        }
    ));
}

#[test]
fn training_dropout_is_compared_by_its_inference_meaning() {
    let mut training = network(true).init(boolean("t", true));
    training.graph().node[2]
        .input
        .extend(["".into(), "t".into()]);
    assert_eq!(compare(&training, &network(false)).outcome, Outcome::Equal);
    let settings = Settings::default().meaning(Meaning::AsWritten { seed: 1 });
    assert!(matches!(
        compare_with(&training, &network(false), &settings).outcome,
        Outcome::Different(_)
    ));
    assert_eq!(
        compare_with(&training, &training, &settings).outcome,
        Outcome::Equal
    );
}

#[test]
fn declared_shapes_that_are_wrong_are_ignored_on_both_sides() {
    let wrong = |dropped| network(dropped).value_info("h", FLOAT, &[Fix(9), Fix(9)]);
    let report = compare(&wrong(true), &wrong(false));
    assert_eq!(
        (report.outcome, report.mode),
        (Outcome::Equal, Mode::Optimised)
    );
    assert_eq!(report.notes, Vec::<String>::new());
}

#[test]
fn an_output_that_is_nan_everywhere_is_noted() {
    let model = |operator: &str| {
        model(13)
            .input("x", FLOAT, &[Fix(3)])
            .node(node("Abs", &["x"], &["a"]))
            .node(node("Neg", &["a"], &["n"]))
            .node(node(operator, &["n"], &["y"]))
            .output("y", FLOAT, &[Fix(3)])
    };
    let note = |model: &Model| {
        compare(model, model)
            .notes
            .iter()
            .any(|note| note.contains("NaN"))
    };
    assert!(note(&model("Log")));
    assert!(!note(&model("Exp")));
    let relu = compare(&model("Relu"), &model("Relu"));
    assert!(
        relu.notes
            .iter()
            .any(|note| note.contains("output y was 0 everywhere for all inputs")),
        "{:?}",
        relu.notes
    );
}

#[test]
fn the_reason_of_the_first_mode_is_kept() {
    let model = model(13)
        .input("x", FLOAT, &[Fix(3)])
        .init(floats("w", &[2], &[1.0, 2.0]))
        .node(node("Add", &["x", "w"], &["y"]).named("sum"))
        .output("y", FLOAT, &[Fix(3)]);
    let report = compare(&model, &model);
    let (which, reason) = unrunnable(&report);
    assert!(which == "before" && reason.contains("sum"), "{reason}");
    assert_eq!((report.runs, report.elements), (0, 0));
}

#[test]
fn nothing_compared_is_not_equal() {
    let empty = |name: &str| {
        model(13)
            .input("x", FLOAT, &[Fix(0), Fix(3)])
            .node(node("Relu", &["x"], &["y"]))
            .output("y", FLOAT, &[])
            .node(node("Shape", &["x"], &[name]))
    };
    let report = compare(&empty("s"), &empty("s"));
    assert!(unrunnable(&report).1.contains("no output has any elements"));
    let partly = empty("s").output("s", INT64, &[Fix(2)]);
    let steady = Settings::default().steady(["s".to_string()].into());
    let report = compare_with(&partly, &partly, &steady);
    assert_eq!((&report.outcome, report.elements), (&Outcome::Equal, 6));
    assert!(
        report
            .notes
            .iter()
            .any(|note| note.contains("output y is empty")),
        "{:?}",
        report.notes
    );
    let none = model(13)
        .input("x", FLOAT, &[Fix(1)])
        .node(node("Relu", &["x"], &["y"]));
    unrunnable(&compare(&none, &none));
}

#[test]
fn names_of_nodes_may_be_the_same() {
    let twice = |names: [&str; 2]| {
        model(13)
            .input("x", FLOAT, &[Fix(2)])
            .init(floats("w", &[2], &[3.0, 4.0]))
            .node(node("Add", &["x", "w"], &["h"]).named(names[0]))
            .node(node("Mul", &["h", "w"], &["y"]).named(names[1]))
            .output("y", FLOAT, &[Fix(2)])
    };
    let apart = twice(["a", "b"]);
    for names in [["a", "a"], ["x", "w"], ["a#2", "a"], ["", ""]] {
        assert_eq!(
            compare(&twice(names), &apart).outcome,
            Outcome::Equal,
            "{names:?}"
        );
    }
    // the twin
    let other = model(13)
        .input("x", FLOAT, &[Fix(2)])
        .init(floats("w", &[2], &[3.0, 4.0]))
        .node(node("Mul", &["x", "w"], &["h"]).named("a"))
        .node(node("Add", &["h", "w"], &["y"]).named("a"))
        .output("y", FLOAT, &[Fix(2)]);
    difference(&compare(&other, &apart));
}

#[test]
fn a_tolerance_is_relative_to_the_largest_element_and_no_channel_may_be_wrong() {
    let scales = |factors: [f32; 4]| {
        model(17)
            .input("x", FLOAT, &[Fix(2), Fix(4)])
            .init(floats("k", &[4], &factors))
            .node(node("Mul", &["x", "k"], &["y"]))
            .output("y", FLOAT, &[Fix(2), Fix(4)])
    };
    let by_type = Settings::default().tolerance(Tolerance::ByType);
    let equal = |one, two| {
        let report = compare_with(&scales(one), &scales(two), &by_type);
        report.outcome == Outcome::Equal
    };
    assert!(equal([1e3, 1.0, 1.0, 0.1], [1e3, 1.000_05, 1.0, 0.1]));
    assert!(!equal([1e3, 1.0, 1.0, 0.1], [1e3, 1.1, 1.0, 0.1]));
    assert!(!equal([1e3, 1.0, 1.0, 0.1], [1e3, 1.0, 1.0, 0.2]));
    // small outputs are no closer to each other than large ones
    assert!(!equal([1e-6; 4], [1e-6, 1e-6, 1.1e-6, 1e-6]));
}

#[test]
fn what_the_original_rounds_away_is_no_difference() {
    // two products, or one: Sin shows how each is rounded
    let wave = |factors: &[f32]| {
        let mut model = model(17).input("x", FLOAT, &[Fix(64)]);
        let mut last = "x".to_string();
        for (index, &factor) in factors.iter().chain(&[1e4]).enumerate() {
            let (k, h) = (format!("k{index}"), format!("h{index}"));
            let product = node("Mul", &[&last, &k], &[&h]);
            model = model.init(floats(&k, &[], &[factor])).node(product);
            last = format!("a{index}");
            model = model.node(node("Abs", &[&h], &[&last]));
        }
        let sine = node("Sin", &[&last], &["y"]);
        model.node(sine).output("y", FLOAT, &[Fix(64)])
    };
    let by_type = Settings::default().tolerance(Tolerance::ByType);
    let report = compare_with(&wave(&[3.0, 0.7]), &wave(&[2.1]), &by_type);
    assert_eq!(report.outcome, Outcome::Equal);
    let note = "no more than the rounding of the original";
    assert!(report.notes[0].contains(note), "{:?}", report.notes);
    let report = compare_with(&wave(&[3.0, 0.7]), &wave(&[2.11]), &by_type);
    assert!(difference(&report).starts_with("output y"));
}
