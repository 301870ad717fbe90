//! What is refused, and why.

use dropout_onnx::onnx::{DataType, Model};
use dropout_onnx::sample::Options;

use super::{fixture, refusal, sampled};
use crate::common::build::{SHAPE, f32_scalar, flag, float, graph, model, op, subgraph, x_to_y};

#[track_caller]
fn refuses(options: Options, why: &str) {
    let found = refusal(&fixture("torch_course_preserve_op17"), &options);
    assert!(found.contains(why), "{found}");
}

#[test]
fn options_that_make_no_sense() {
    for runs in [0, 1] {
        refuses(Options::default().runs(runs), "must be at least 2");
    }
    for rate in [1.0, -0.1, f64::NAN, f64::INFINITY] {
        let rates = vec![0.5, rate];
        refuses(Options::default().rates(rates), "outside [0, 1)");
    }
    let classes = vec!["nope".parse().unwrap()];
    refuses(
        Options::default().classes(classes),
        "no output nope; its outputs: y",
    );
    let dims = [("nope".to_string(), 3)].into();
    refuses(
        Options::default().dims(dims),
        "no input has a dimension nope",
    );
    let inputs = vec!["nope:1,2".parse().unwrap()];
    refuses(
        Options::default().inputs(inputs),
        "no input nope; its inputs: x",
    );
}

#[test]
fn models_without_dropout_are_refused() {
    for (stem, why) in [
        ("keras_course_infer_op15", "it has no dropout, so every run"),
        (
            "keras_vae_op13",
            "it has no dropout; its random operators (graph: RandomNormalLike",
        ),
        (
            "torch24_frozen_mask_op18",
            "a frozen mask, which drops the same elements on every run",
        ),
        ("paddle_downscale_op7", "a constant scale"),
    ] {
        let found = refusal(&fixture(stem), &Options::default());
        assert!(found.contains(why) && found.contains(stem), "{found}");
    }
}

#[test]
fn an_operator_that_no_engine_has_is_named() {
    let model = model(
        13,
        x_to_y(["d = Dropout(x)", "y = acme::Secret(d)"].map(op)),
    );
    let found = refusal(&model.imports("acme", 1).read(), &Options::default());
    assert!(
        found.contains("tract has no operator acme::Secret"),
        "{found}"
    );
}

#[test]
fn a_rate_without_data_is_not_random() {
    let open = graph([op("y = Dropout(x, p)")])
        .input("x")
        .input_of("p", DataType::FLOAT, &[])
        .output("y");
    let operator = model(13, open).read();
    let mask = [
        "u = RandomUniformLike(x)",
        "sum = Add(u, keep)",
        "m = Floor(sum)",
        "s = Div(x, keep)",
        "y = Mul(s, m)",
    ];
    let mask = x_to_y(mask.map(op)).input_of("keep", DataType::FLOAT, &[]);
    let mask = model(13, mask).read();
    for open in [operator, mask] {
        let found = refusal(&open, &Options::default());
        assert!(
            found.contains("its rate is an input of the model"),
            "{found}"
        );
        set(&open);
    }
}

/// The twin of a rate that nobody gives: it is not selected where rates are set.
fn set(open: &Model) {
    let rates = vec![0.2, 0.4];
    let report = sampled(open, &Options::default().rates(rates));
    assert_eq!(report.samplings.len(), 2);
    let std = |at: usize| report.samplings[at].outputs[0].spread();
    assert!(0.0 < std(0) && std(0) < std(1), "{} {}", std(0), std(1));
}

#[test]
fn a_mask_that_is_also_used_otherwise_keeps_its_rate() {
    let nodes = [
        op("u = RandomUniformLike(x)"),
        op("m = Less(u, p)"),
        op("y = Where(m, zero, x)"),
        op("z = Not(m)"),
    ];
    let graph = x_to_y(nodes)
        .output_of("z", DataType::BOOL, SHAPE)
        .init("p", crate::common::build::f32_scalar(0.5))
        .init("zero", crate::common::build::f32_scalar(0.0));
    let model = model(13, graph).read();
    let rates = vec![0.2];
    let found = refusal(&model, &Options::default().rates(rates));
    assert!(found.contains("its rate cannot be set"), "{found}");
    let report = sampled(&model, &Options::default());
    let note = report
        .notes
        .iter()
        .find(|note| note.contains("its mask is an output"));
    assert!(note.is_some(), "{:?}", report.notes);
    let outputs = &report.samplings[0].outputs;
    assert!(outputs[0].deterministic.is_some(), "{outputs:?}");
}

#[test]
fn dropout_without_effect_on_outputs_is_noted() {
    let nodes = [
        op("d = Dropout(x)").with(float("ratio", 0.5)),
        op("y = Relu(x)"),
    ];
    let report = sampled(&model(10, x_to_y(nodes)).read(), &Options::default());
    assert!(
        report
            .notes
            .iter()
            .any(|note| note.contains("every run had the same result")),
        "{:?}",
        report.notes
    );
}

#[test]
fn dropout_that_never_runs() {
    let of = |on: bool| {
        let branch = |text: &str| graph([op(text)]).output_of("o", DataType::FLOAT, SHAPE);
        let run = op("y = If(on)")
            .with(subgraph("then_branch", branch("o = Dropout(x, , yes)")))
            .with(subgraph("else_branch", branch("o = Relu(x)")));
        let graph = x_to_y([run]).init("on", flag(on)).init("yes", flag(true));
        model(13, graph).read()
    };
    let why = refusal(&of(false), &Options::default());
    assert!(why.contains("its only dropout changes no output"), "{why}");
    sampled(&of(true), &Options::default());
}

#[test]
fn dropout_that_is_not_valid_in_training() {
    let with = |node, ratio| model(13, x_to_y([node]).init("r", f32_scalar(ratio))).read();
    let dropout = || op("y = Dropout(x, r)");
    let why = refusal(&with(dropout(), 1.0), &Options::default());
    assert!(why.contains("its rate of 1 is outside [0, 1)"), "{why}");
    let attribute = op("y = Dropout(x)").with(float("ratio", 0.2));
    let why = refusal(&with(attribute, 0.2), &Options::default());
    assert!(why.contains("has the attribute `ratio`"), "{why}");
    sampled(&with(dropout(), 0.2), &Options::default());
}
