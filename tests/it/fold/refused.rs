//! Refused: why a factor stays where it is, and the model as it was, byte for byte.

use dropout_onnx::ErrorKind;
use dropout_onnx::onnx::DataType;
use dropout_onnx::rewrite::fold::{Options, fold};

use super::check::{bytes, folds_unrun, has_no_factor, nodes, of, opset17, some, stays};
use crate::common::build::entry;
use crate::common::build::{f32_scalar, f32s, graph, model, op, raw, typed};
use crate::common::proto::{Model, Training};
use prost::Message;

/// `h = x · s` and then these, with weights `w` of `[3, 2]`.
pub fn product(texts: &[&str], y: &[i64]) -> Model {
    let mut all = vec!["h = Mul(x, s)"];
    all.extend(texts);
    let graph = of(&[2, 3], y, nodes(&all));
    opset17(
        graph
            .init("s", f32_scalar(0.7))
            .init("w", f32s(&[3, 2], &some(6))),
    )
}

#[track_caller]
pub fn stays_because(model: &Model, why: &str) {
    let found = stays(model);
    assert!(found.contains(why), "{found}");
}

#[test]
fn does_not_fold_past_what_does_not_commute() {
    for operator in [
        "Sigmoid",
        "Tanh",
        "Softmax",
        "LogSoftmax",
        "Elu",
        "Selu",
        "Celu",
        "Gelu",
        "HardSigmoid",
        "HardSwish",
        "Mish",
        "Softplus",
        "ThresholdedRelu",
        "Exp",
        "Log",
        "Sqrt",
        "Erf",
        "Reciprocal",
        "LRN",
        "LpNormalization",
        "MeanVarianceNormalization",
        "ReduceProd",
        "ReduceSumSquare",
        "ReduceLogSumExp",
        "Floor",
        "Hardmax",
    ] {
        let node = op(&format!("k = {operator}(h)"));
        let mut model = product(&["y = MatMul(k, w)"], &[2, 2]);
        model.main_mut().node.insert(1, node);
        stays_because(
            &model,
            &format!("{operator} `k`: does not commute with a factor"),
        );
    }
}

#[test]
fn does_not_fold_what_a_custom_operator_uses() {
    let model = product(&["k = other::Relu(h)", "y = MatMul(k, w)"], &[2, 2]).imports("other", 1);
    stays_because(&model, "does not commute");
}

#[test]
fn does_not_fold_a_value_with_another_consumer_that_cannot_take_it() {
    let model = product(
        &["k = MatMul(h, w)", "t = Sigmoid(h)", "y = MatMul(t, w)"],
        &[2, 2],
    );
    stays_because(&model, "Sigmoid `t`: does not commute");
}

#[test]
fn does_not_fold_a_value_that_is_an_output() {
    let mut model = product(&["y = MatMul(h, w)"], &[2, 2]);
    model
        .main_mut()
        .output
        .push(typed("h", DataType::FLOAT, &[2, 3]));
    stays_because(&model, "`h` is an output of its graph");
}

#[test]
fn does_not_fold_back_into_data_with_another_consumer() {
    let texts = [
        "g = MatMul(x, w)",
        "h = Mul(g, s)",
        "t = Sigmoid(h)",
        "y = Add(t, g)",
    ];
    let graph = of(&[2, 3], &[2, 2], nodes(&texts));
    let model = opset17(
        graph
            .init("s", f32_scalar(0.7))
            .init("w", f32s(&[3, 2], &some(6))),
    );
    stays_because(&model, "backward: `g` has other readers");
}

#[test]
fn does_not_fold_weights_that_callers_may_replace() {
    let mut model = product(&["y = MatMul(h, w)"], &[2, 2]);
    model
        .main_mut()
        .input
        .push(typed("w", DataType::FLOAT, &[3, 2]));
    stays_because(&model, "`w` is also a graph input");
    // before IR version 4 an initializer had to be an input as well
    let old = product(&["y = MatMul(h, w)"], &[2, 2]);
    let mut old = Model {
        opset_import: crate::common::build::model(8, graph([])).opset_import,
        ..old
    }
    .ir(3);
    for (name, dims) in [("w", &[3, 2][..]), ("s", &[])] {
        old.main_mut()
            .input
            .push(typed(name, DataType::FLOAT, dims));
    }
    let folded = folds_unrun(&old);
    assert_eq!(folded.whole.outcome.idle_inputs, ["s"]);
}

#[test]
fn does_not_fold_a_factor_that_callers_may_replace() {
    let mut model = product(&["y = MatMul(h, w)"], &[2, 2]);
    model
        .main_mut()
        .input
        .push(typed("s", DataType::FLOAT, &[]));
    stays_because(&model, "`s` is also a graph input");
}

#[test]
fn does_not_fold_weights_that_training_updates() {
    let training = Training {
        algorithm: Some(graph([op("u = Identity(w)")]).output("u")),
        update_binding: vec![entry("w", "u")],
        ..Training::default()
    };
    let model = product(&["y = MatMul(h, w)"], &[2, 2]).training(training);
    stays_because(&model, "`w` is trained by the model itself");
}

#[test]
fn does_not_fold_factors_that_are_no_numbers_to_multiply_by() {
    for (s, text) in [
        (0.0, "a factor of 0"),
        (f32::NAN, "a factor of NaN"),
        (f32::INFINITY, "a factor of inf"),
    ] {
        let mut model = product(&["y = MatMul(h, w)"], &[2, 2]);
        model.main_mut().initializer[0].raw_data = Some(s.to_le_bytes().to_vec());
        stays_because(&model, text);
    }
    let mut model = product(&["y = MatMul(h, w)"], &[2, 2]);
    model.main_mut().node[0] = op("h = Div(x, s)");
    model.main_mut().initializer[0].raw_data = Some(0f32.to_le_bytes().to_vec());
    stays_because(&model, "a factor of inf");
}

#[test]
fn does_not_fold_what_spreads_the_data() {
    let graph = of(
        &[2, 1],
        &[2, 2],
        nodes(&["h = Mul(x, s)", "y = MatMul(h, w)"]),
    );
    let model = opset17(
        graph
            .init("s", f32s(&[3], &some(3)))
            .init("w", f32s(&[3, 2], &some(6))),
    );
    stays_because(&model, "broadcasting would enlarge `x`");
    let graph = of(&[3], &[1, 2], nodes(&["h = Mul(x, s)", "y = MatMul(h, w)"]));
    let model = opset17(
        graph
            .init("s", f32s(&[1, 1], &[0.7]))
            .init("w", f32s(&[3, 2], &some(6))),
    );
    stays_because(&model, "broadcasting would add axes to `x`");
    let mut unknown = product(&["y = MatMul(h, w)"], &[2, 2]);
    unknown.main_mut().initializer[0] = crate::common::proto::Tensor {
        name: Some("s".into()),
        ..f32s(&[3], &some(3))
    };
    unknown.main_mut().input[0].r#type = None;
    stays_because(&unknown, "the rank of `x` is unknown");
}

#[test]
fn does_not_fold_along_an_axis_that_the_weights_do_not_have() {
    let graph = of(
        &[2, 3],
        &[2, 2],
        nodes(&["h = Mul(x, s)", "y = MatMul(h, w)"]),
    );
    let model = opset17(
        graph
            .init("s", f32s(&[2, 1], &[0.5, 2.0]))
            .init("w", f32s(&[3, 2], &some(6))),
    );
    stays_because(&model, "the factor is along a different axis");
}

#[test]
fn does_not_fold_where_one_node_uses_the_product_twice() {
    let model = product(&["k = Mul(h, h)", "y = MatMul(k, w)"], &[2, 2]);
    stays_because(&model, "Mul `k` uses it more than once");
}

#[test]
fn does_not_fold_what_would_overflow() {
    let half = |number: f32| half::f16::from_f32(number).to_le_bytes().to_vec();
    let mut elements = half(1.0).repeat(5);
    elements.extend(half(40000.0));
    let graph = graph(nodes(&["h = Mul(x, s)", "y = MatMul(h, w)"]))
        .input_of("x", DataType::FLOAT16, &[2, 3])
        .output_of("y", DataType::FLOAT16, &[2, 2])
        .init("s", raw(DataType::FLOAT16, &[], &half(2.0)))
        .init("w", raw(DataType::FLOAT16, &[3, 2], &elements));
    stays_because(&opset17(graph), "`w` would overflow float16");
}

#[test]
fn does_not_fold_the_rescale_of_a_mask_that_is_still_there() {
    let texts = [
        "g = MatMul(x, w)",
        "h = Mul(g, s)",
        "r = RandomUniformLike(h)",
        "k = GreaterOrEqual(r, p)",
        "m = Cast(k)",
        "y = Mul(h, m)",
    ];
    let mut nodes = nodes(&texts);
    nodes[4] = nodes[4].clone().with(crate::common::build::int("to", 1));
    let graph = of(&[2, 3], &[2, 2], nodes)
        .init("s", f32_scalar(2.0))
        .init("p", f32_scalar(0.5))
        .init("w", f32s(&[3, 2], &some(6)));
    stays_because(&opset17(graph), "it is part of dropout or noise");
}

#[test]
fn does_not_fold_a_normalisation_in_training() {
    let bn = op("h = BatchNormalization(x, w, w, w, w)")
        .with(crate::common::build::int("training_mode", 1));
    let graph = of(
        &[2, 3],
        &[2, 3],
        [bn, op("m = Mul(h, s)"), op("y = Sigmoid(m)")],
    );
    let model = opset17(
        graph
            .init("s", f32_scalar(0.7))
            .init("w", f32s(&[3], &[1.0, 2.0, 3.0])),
    );
    stays_because(&model, "BatchNormalization is in training mode");
}

#[test]
fn does_not_fold_along_an_axis_of_its_own_before_opset_7() {
    let mul = op("h = Mul(x, s)")
        .with(crate::common::build::int("broadcast", 1))
        .with(crate::common::build::int("axis", 0));
    let graph = of(&[2, 3], &[2, 2], [mul, op("y = MatMul(h, w)")]);
    let graph = graph
        .init("s", f32s(&[2], &[0.5, 2.0]))
        .init("w", f32s(&[3, 2], &some(6)));
    stays_because(&model(6, graph), "it broadcasts along a new axis");
}

#[test]
fn nothing_to_fold_leaves_the_model_as_it_is() {
    has_no_factor(&opset17(of(&[2, 3], &[2, 3], nodes(&["y = Relu(x)"]))));
    let full = of(&[2, 3], &[2, 3], nodes(&["y = Mul(x, s)"])).init("s", f32s(&[2, 3], &some(6)));
    has_no_factor(&opset17(full));
    let integers = of(&[2, 3], &[2, 3], nodes(&["y = Mul(x, s)"]));
    has_no_factor(&opset17(
        integers.init("s", crate::common::build::i64s(&[2])),
    ));
    let computed = of(&[2, 3], &[2, 3], nodes(&["r = Relu(x)", "y = Mul(x, r)"]));
    has_no_factor(&opset17(computed));
}

#[test]
fn names_that_are_no_factors_and_factors_that_cannot_go_are_errors() {
    let model = product(&["k = MatMul(h, w)", "y = Sigmoid(k)"], &[2, 2]).read();
    let at = |name: &str| Options::default().at(vec![name.into()]);
    assert_eq!(fold(&model, &at("h")).unwrap().outcome.folded, 1);
    let error = fold(&model, &at("k")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Usage);
    assert!(
        error
            .why()
            .contains("`k` is no product or quotient by a constant"),
        "{error}"
    );
    let stuck = product(&["k = Sigmoid(h)", "y = MatMul(k, w)"], &[2, 2]).read();
    let error = fold(&stuck, &at("h")).unwrap_err();
    assert!(
        error
            .to_string()
            .contains("graph: Mul `h`: the factor cannot be folded"),
        "{error}"
    );
}

#[test]
fn only_what_dropout_left_is_folded_on_request() {
    let texts = [
        "h = Mul(x, s)",
        "k = MatMul(h, w)",
        "d = Mul(k, d/scale)",
        "y = MatMul(d, v)",
    ];
    let graph = of(&[2, 3], &[2, 2], nodes(&texts))
        .init("s", f32_scalar(0.7))
        .init("d/scale", f32_scalar(0.5))
        .init("w", f32s(&[3, 2], &some(6)))
        .init("v", f32s(&[2, 2], &some(4)));
    let before = opset17(graph);
    let options = Options::default().only_dropout(true);
    let folded = fold(&before.read(), &options).unwrap();
    assert_eq!(folded.outcome.folded, 1);
    let after = Model::decode(&bytes(&folded.edited.rope)[..]).unwrap();
    assert_eq!(
        after.lines(),
        ["h = Mul(x, s)", "k = MatMul(h, w)", "y = MatMul(k, v)"]
    );
}
