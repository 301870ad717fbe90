//! Two models of the same architecture: which weights differ, and what else does.

use dropout_onnx::onnx::DataType;
use dropout_onnx::verify::structure::{self, Weights};
use dropout_onnx::verify::{Demand, Options, Verdict, verify};

use crate::common::build::{f32_scalar, f32s, flag, float, graph, i64s, model, op, x_to_y};
use crate::common::proto::{Model, Tensor};

/// `Relu(x w + b) v + c`, with dropout between them.
fn layers(weights: [(&str, Tensor); 4], train: bool) -> Model {
    let [w, b, v, c] = weights.each_ref().map(|(name, _)| *name);
    let nodes = [
        op(&format!("p = Gemm(x, {w}, {b})")),
        op("r = Relu(p)"),
        op("d = Dropout(r, ratio, train)"),
        op(&format!("m = MatMul(d, {v})")),
        op(&format!("y = Add(m, {c})")),
    ];
    let mut graph = graph(nodes)
        .input_of("x", DataType::FLOAT, &[2, 2])
        .output_of("y", DataType::FLOAT, &[2, 2]);
    for (name, tensor) in weights {
        graph = graph.init(name, tensor);
    }
    let graph = graph.init("ratio", f32_scalar(if train { 0.5 } else { 0.1 }));
    model(13, graph.init("train", flag(train)))
}

fn square(first: f32) -> Tensor {
    f32s(&[2, 2], &[first, 2.0, 3.0, 4.0])
}

fn original() -> [(&'static str, Tensor); 4] {
    let zeros = || f32s(&[2], &[0.0, 0.0]);
    [
        ("w", square(1.0)),
        ("b", zeros()),
        ("v", square(5.0)),
        ("c", zeros()),
    ]
}

/// The weights that differ, and the verdict.
fn compared(before: &Model, after: &Model) -> (Option<Weights>, Verdict) {
    let found = verify(&before.read(), &after.read(), &Options::default()).unwrap();
    let weights = match &found.structure {
        Some(structure::Verdict::Different(mismatch)) => mismatch.weights.clone(),
        other => panic!("{other:?}"),
    };
    (weights, found.verdict(Demand::Outputs))
}

fn text(before: &Model, after: &Model) -> String {
    let (weights, verdict) = compared(before, after);
    let text = weights.expect("the architecture is the same").to_string();
    let Verdict::Different { why } = verdict else {
        panic!("{verdict:?}")
    };
    assert!(why.starts_with(&format!("{text}; ")), "{why}");
    text
}

#[test]
fn all_weights_differ() {
    let tuned = [
        ("w", square(1.5)),
        ("b", f32s(&[2], &[0.25, 0.0])),
        ("v", square(5.0)),
        ("c", f32s(&[2], &[0.0, -0.125])),
    ];
    // both biases were the same constant, and the dropout of the tuned model is on
    assert_eq!(
        text(&layers(original(), false), &layers(tuned, true)),
        "same architecture, 3 weights differ (max |Δ| 0.5): `w` [2, 2], `b` [2], `c` [2]"
    );
}

#[test]
fn names_may_be_others_and_only_the_first_are_listed() {
    let tuned = [
        ("w.1", square(1.001)),
        ("b.1", f32s(&[2], &[0.5, 0.5])),
        ("v.1", square(-5.0)),
        ("c.1", f32s(&[2], &[0.5, 0.5])),
    ];
    assert_eq!(
        text(&layers(original(), false), &layers(tuned, false)),
        "same architecture, 4 weights differ (max |Δ| 10.0): `w` (now `w.1`) [2, 2], `b` (now `b.1`) \
         [2], `v` (now `v.1`) [2, 2] and 1 more"
    );
}

#[test]
fn something_else_differs() {
    let before = layers(original(), false);
    let tuned = || {
        let mut tuned = original();
        tuned[0].1 = square(1.5);
        tuned
    };
    assert!(
        compared(&before, &layers(tuned(), false)).0.is_some(),
        "the twin"
    );
    // another operator, besides the weights and instead of them
    for weights in [tuned(), original()] {
        let mut after = layers(weights, false);
        after.graph.as_mut().unwrap().node[1].op_type = Some("Tanh".into());
        assert_eq!(compared(&before, &after).0, None);
    }
    // an attribute
    let mut after = layers(tuned(), false);
    let attribute = float("alpha", 2.0);
    after.graph.as_mut().unwrap().node[0]
        .attribute
        .push(attribute);
    assert_eq!(compared(&before, &after).0, None);
    // another shape
    let mut wide = original();
    wide[3].1 = f32s(&[1, 2], &[0.5, 0.5]);
    assert_eq!(compared(&before, &layers(wide, false)).0, None);
}

#[test]
fn indices_and_scalars_are_no_weights() {
    let gather = |row: i64| {
        let nodes = [op("h = Gather(e, i)"), op("y = Add(x, h)")];
        let graph = x_to_y(nodes).init("e", f32s(&[3, 1], &[1.0, 2.0, 3.0]));
        model(13, graph.init("i", i64s(&[row])))
    };
    assert_eq!(compared(&gather(0), &gather(1)).0, None);
    let scaled = |factor: f32| {
        let graph = x_to_y([op("y = Mul(x, s)")]);
        model(13, graph.init("s", f32_scalar(factor)))
    };
    assert_eq!(compared(&scaled(1.5), &scaled(2.5)).0, None);
}
