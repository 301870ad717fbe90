//! Sizes and random inputs.

use dropout_onnx::error::ErrorKind;
use dropout_onnx::verify::engine::{Fill, Subject};
use dropout_onnx::verify::run::{self, RunReport, Settings};

use super::models::*;
use super::{Outcome, compare, compare_with, difference};

pub(super) fn fed(
    model: &Model,
    settings: &Settings,
) -> Result<RunReport, dropout_onnx::error::Error> {
    let source = model.source();
    let before = Subject::new("before", &source);
    let after = Subject::new("after", &source);
    run::compare(&before, &after, settings)
}

pub(super) fn with(inputs: &[&str]) -> Settings {
    let inputs = inputs.iter().map(|spec| spec.parse().unwrap()).collect();
    Settings::default().inputs(inputs)
}

pub(super) fn sum() -> Model {
    model(13)
        .input("a:0", FLOAT, &[Sym("n"), Sym("m")])
        .input("b", FLOAT, &[Sym("m")])
        .node(node("Add", &["a:0", "b"], &["y"]))
        .output("y", FLOAT, &[Sym("n"), Sym("m")])
}

#[test]
fn symbolic_dimensions_are_assumed_and_reported() {
    let report = compare(&sum(), &sum());
    assert_eq!(report.outcome, Outcome::Equal);
    assert_eq!(
        report.chosen,
        [("m".to_string(), 2), ("n".to_string(), 2)].into()
    );
    let unnamed = model(13)
        .input("x", FLOAT, &[Any, Fix(3)])
        .node(node("Relu", &["x"], &["y"]))
        .output("y", FLOAT, &[]);
    assert_eq!(
        compare(&unnamed, &unnamed).chosen,
        [("x[0]".to_string(), 2)].into()
    );
}

#[test]
fn sizes_can_be_given() {
    let dims = |name: &str, size| Settings::default().dims([(name.to_string(), size)].into());
    let report = fed(&sum(), &dims("n", 5)).unwrap();
    assert_eq!(
        (&report.shapes["a:0"][..], &report.shapes["b"][..]),
        (&[5, 2][..], &[2][..])
    );
    assert_eq!(report.chosen, [("m".to_string(), 2)].into());
    let error = fed(&sum(), &dims("batch", 5)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Usage);
    assert_eq!(
        error.to_string(),
        "no input has a dimension batch; named dimensions: m, n"
    );
}

#[test]
fn shapes_can_be_given_and_bind_the_names() {
    let report = fed(&sum(), &with(&["a:0:3,7"])).unwrap();
    assert_eq!(report.shapes["b"], [7]);
    assert!(report.chosen.is_empty());
    for (specs, why) in [
        (&["a:0:3"][..], "input a:0 has 2 axes, but shape [3] has 1"),
        (
            &["a:0:3,7", "b:8"],
            "dimension m would be 7 and 8 (input b)",
        ),
        (&["c:3"], "the model has no input c; its inputs: a:0, b"),
    ] {
        let error = fed(&sum(), &with(specs)).unwrap_err();
        assert_eq!(
            (error.kind(), error.to_string().as_str()),
            (ErrorKind::Usage, why)
        );
    }
    let fixed = model(13)
        .input("x", FLOAT, &[Fix(3)])
        .node(node("Relu", &["x"], &["y"]))
        .output("y", FLOAT, &[]);
    let error = fed(&fixed, &with(&["x:4"])).unwrap_err();
    assert_eq!(error.to_string(), "axis 0 of input x has size 3, not 4");
}

#[test]
fn names_that_tract_cannot_parse() {
    let model = model(13)
        .input("x", FLOAT, &[Sym("batch size"), Sym("größe")])
        .node(node("Relu", &["x"], &["y"]))
        .output("y", FLOAT, &[Sym("batch size"), Sym("größe")]);
    let settings = Settings::default().dims([("größe".to_string(), 5)].into());
    let report = fed(&model, &settings).unwrap();
    assert_eq!(report.outcome, Outcome::Equal);
    assert_eq!(report.shapes["x"], [2, 5]);
    assert_eq!(report.chosen, [("batch size".to_string(), 2)].into());
}

#[test]
fn a_size_that_does_not_run_is_replaced() {
    let model = model(13)
        .input("x", FLOAT, &[Sym("n"), Sym("h"), Sym("w")])
        .init(int64s("row", &[2], &[-1, 1024]))
        .node(node("Reshape", &["x", "row"], &["y"]))
        .output("y", FLOAT, &[]);
    let report = compare(&model, &model);
    assert_eq!(report.outcome, Outcome::Equal, "{}", report.outcome);
    assert_eq!(report.chosen["n"], Fill::ALL[0].first);
    assert!(report.chosen["h"] >= 32, "{:?}", report.chosen);
    // A batch of one is all this one can do.
    let single = super::models::model(13)
        .input("x", FLOAT, &[Sym("n"), Fix(4)])
        .init(int64s("flat", &[2], &[1, 4]))
        .node(node("Reshape", &["x", "flat"], &["y"]))
        .output("y", FLOAT, &[]);
    assert_eq!(compare(&single, &single).chosen["n"], 1);
}

#[test]
fn inputs_with_an_initializer_keep_it() {
    for version in [3, 8] {
        let mut model = model(9)
            .input("x", FLOAT, &[Fix(2)])
            .input("w", FLOAT, &[Fix(2)])
            .init(floats("w", &[2], &[10.0, 20.0]))
            .node(node("Mul", &["x", "w"], &["y"]))
            .output("y", FLOAT, &[Fix(2)]);
        model.0.ir_version = version;
        let report = compare(&model, &model);
        assert_eq!(report.outcome, Outcome::Equal);
        assert_eq!(report.shapes.keys().collect::<Vec<_>>(), ["x"]);
        let mut other = model.clone();
        other.graph().initializer[0] = floats("w", &[2], &[10.0, 21.0]);
        difference(&compare(&model, &other));
    }
}

#[test]
fn integers_stay_in_range() {
    let gather = |rows: i64| {
        let table: Vec<f32> = (0..rows).map(|row| row as f32).collect();
        model(13)
            .input("i", INT64, &[Sym("n")])
            .init(floats("table", &[rows], &table))
            .node(node("Gather", &["table", "i"], &["y"]))
            .output("y", FLOAT, &[Sym("n")])
    };
    for (rows, note) in [(8, None), (2, Some("0 or 1")), (1, Some("all 0"))] {
        let report = compare(&gather(rows), &gather(rows));
        assert_eq!(report.outcome, Outcome::Equal, "{rows} rows");
        let said = report
            .notes
            .iter()
            .find(|note| note.contains("integer inputs"));
        assert_eq!(
            said.map(|said| said.contains(note.unwrap_or("?"))),
            note.map(|_| true),
            "{rows} rows"
        );
    }
    let divide = model(13)
        .input("i", INT64, &[Fix(64)])
        .init(int64s("ten", &[], &[10]))
        .node(node("Div", &["ten", "i"], &["y"]))
        .output("y", INT64, &[Fix(64)]);
    let report = compare(&divide, &divide);
    assert_eq!(report.outcome, Outcome::Equal);
    assert!(
        report.notes.iter().any(|note| note.contains("all 1")),
        "{:?}",
        report.notes
    );
}

#[test]
fn the_seed_decides_the_inputs() {
    // Equal for positive numbers only: some seeds and runs show it, all by themselves.
    let one = model(13)
        .input("x", FLOAT, &[Fix(1)])
        .node(node("Relu", &["x"], &["y"]))
        .output("y", FLOAT, &[]);
    let two = model(13)
        .input("x", FLOAT, &[Fix(1)])
        .node(node("Identity", &["x"], &["y"]))
        .output("y", FLOAT, &[]);
    let outcome = |seed| compare_with(&one, &two, &Settings::default().seed(seed).runs(1)).outcome;
    let outcomes: Vec<_> = (0..20).map(outcome).collect();
    assert_eq!(outcomes, (0..20).map(outcome).collect::<Vec<_>>());
    assert!(outcomes.contains(&Outcome::Equal) && outcomes.iter().any(|o| *o != Outcome::Equal));
    let more = Settings::default().runs(20);
    difference(&compare_with(&one, &two, &more));
    let error = fed(&one, &Settings::default().runs(0)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Usage);
}
