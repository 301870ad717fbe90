//! Ratio and training_mode: what goes with the dropout, what stays.

use dropout_onnx::dropout::{Mode, RateOrigin};
use dropout_onnx::onnx::DataType;
use dropout_onnx::rewrite::strip::{Options, strip};

use crate::common::build::{
    f32_scalar, f32s, flag, float, floats, i64s, int, model, op, raw, scale_of, sparse, tensor,
    x_to_y,
};
use crate::common::proto::{Attribute, Model, SparseTensor};
use crate::common::stripped::{refusal, strips, strips_unrun_because};

/// `y = Tanh(Dropout(Relu(x), r, t))`.
fn flagged() -> crate::common::proto::Graph {
    x_to_y(["h = Relu(x)", "d = Dropout(h, r, t)", "y = Tanh(d)"].map(op))
}

const LEFT: &[&str] = &["h = Relu(x)", "y = Tanh(h)"];

#[test]
fn initializers_that_nothing_else_uses_go() {
    let graph = flagged().init("r", f32_scalar(0.1)).init("t", flag(false));
    let stripped = strips(&model(13, graph))
        .leaves(LEFT)
        .keeps_initializers(&[]);
    assert_eq!(stripped.outcome.initializers, ["r", "t"]);
}

#[test]
fn initializers_that_two_dropouts_share_go_once() {
    let nodes = [
        "a = Dropout(x, r, t)",
        "b = Dropout(a, r, t)",
        "y = Relu(b)",
    ]
    .map(op);
    let graph = x_to_y(nodes)
        .init("r", f32_scalar(0.1))
        .init("t", flag(false));
    let stripped = strips(&model(13, graph))
        .leaves(&["y = Relu(x)"])
        .keeps_initializers(&[]);
    assert_eq!(stripped.outcome.initializers, ["r", "t"]);
}

#[test]
fn initializers_that_something_else_uses_stay() {
    let nodes = [
        "a = Dropout(x, r, t)",
        "b = Mul(a, r)",
        "n = Not(t)",
        "y = Where(n, a, b)",
    ];
    let graph = x_to_y(nodes.map(op))
        .init("r", f32_scalar(0.1))
        .init("t", flag(false));
    let stripped = strips(&model(13, graph))
        .leaves(&["b = Mul(x, r)", "n = Not(t)", "y = Where(n, x, b)"])
        .keeps_initializers(&["r", "t"]);
    assert!(stripped.outcome.initializers.is_empty());
}

#[test]
fn initializers_that_an_annotation_names_stay() {
    let graph = flagged()
        .init("r", f32_scalar(0.1))
        .init("t", flag(false))
        .annotation(scale_of("h", "r"));
    strips(&model(13, graph))
        .leaves(LEFT)
        .keeps_initializers(&["r"]);
}

#[test]
fn an_initializer_that_is_an_output_stays() {
    let graph = flagged()
        .init("r", f32_scalar(0.1))
        .init("t", flag(false))
        .output_of("r", DataType::FLOAT, &[]);
    strips(&model(13, graph))
        .leaves(LEFT)
        .keeps_initializers(&["r"]);
}

#[test]
fn constant_nodes_that_nothing_else_uses_go() {
    let nodes = [
        op("r = Constant()").with(tensor("value", f32_scalar(0.1))),
        op("t = Constant()").with(tensor("value", flag(true))),
        op("a = Dropout(x, r, t)"),
        op("y = Relu(a)"),
    ];
    let stripped = strips(&model(13, x_to_y(nodes))).leaves(&["y = Relu(x)"]);
    assert_eq!(stripped.outcome.nodes, ["r", "t"]);
    assert_eq!(stripped.sites[0].mode, Mode::Active);
    insta::assert_snapshot!("constant_nodes", stripped.texts());
}

#[test]
fn constant_nodes_that_something_else_uses_stay() {
    let nodes = [
        op("r = Constant()").with(tensor("value", f32_scalar(0.1))),
        op("a = Dropout(x, r)"),
        op("y = Mul(a, r)"),
    ];
    strips(&model(13, x_to_y(nodes))).leaves(&["r = Constant()", "y = Mul(x, r)"]);
}

#[test]
fn a_computed_flag_is_removed_with_its_nodes_and_its_input_kept() {
    let nodes = [
        op("t = Not(deterministic)"),
        op("a = Dropout(x, r, t)"),
        op("y = Relu(a)"),
    ];
    let graph = x_to_y(nodes)
        .input_of("deterministic", DataType::BOOL, &[])
        .init("r", f32_scalar(0.1));
    let stripped = strips(&model(18, graph))
        .leaves(&["y = Relu(x)"])
        .reports_idle(&["deterministic"]);
    assert_eq!(stripped.sites[0].mode, Mode::Runtime);
    assert_eq!(stripped.outcome.nodes, ["t"]);
    insta::assert_snapshot!("computed_flag", stripped.texts());
}

#[test]
fn a_computed_flag_that_something_else_uses_stays() {
    let nodes = [
        op("t = Not(deterministic)"),
        op("a = Dropout(x, , t)"),
        op("b = Relu(a)"),
        op("y = Where(t, a, b)"),
    ];
    let graph = x_to_y(nodes).input_of("deterministic", DataType::BOOL, &[]);
    strips(&model(18, graph))
        .leaves(&[
            "t = Not(deterministic)",
            "b = Relu(x)",
            "y = Where(t, x, b)",
        ])
        .reports_idle(&[]);
}

#[test]
fn training_mode_as_a_graph_input_stays_in_the_interface_and_is_reported() {
    let graph = flagged()
        .input_of("t", DataType::BOOL, &[])
        .init("r", f32_scalar(0.1));
    let stripped = strips(&model(13, graph)).leaves(LEFT).reports_idle(&["t"]);
    assert_eq!(stripped.sites[0].mode, Mode::Runtime);
    assert!(stripped.sites[0].switch.is_some());
}

#[test]
fn an_input_that_was_idle_before_is_not_reported() {
    let graph = flagged()
        .input_of("t", DataType::BOOL, &[])
        .input("nobody")
        .init("r", f32_scalar(0.1));
    strips(&model(13, graph)).reports_idle(&["t"]);
}

/// Up to IR version 3 every initializer is a graph input too: a constant, but in the interface.
#[test]
fn initializers_that_are_graph_inputs_stay() {
    let graph = flagged()
        .input_of("r", DataType::FLOAT, &[])
        .input_of("t", DataType::BOOL, &[])
        .init("r", f32_scalar(0.1))
        .init("t", flag(true));
    let stripped = strips(&model(12, graph).ir(3))
        .leaves(LEFT)
        .keeps_initializers(&["r", "t"])
        .reports_idle(&["r", "t"]);
    assert_eq!(stripped.sites[0].mode, Mode::Active);
    assert_eq!(stripped.sites[0].rate_origin, RateOrigin::Constant);
}

/// From IR version 4 on such an initializer is a default that a caller may override.
#[test]
fn an_overridable_default_is_decided_at_run_time_and_stays() {
    let graph = flagged()
        .input_of("r", DataType::FLOAT, &[])
        .input_of("t", DataType::BOOL, &[])
        .init("r", f32_scalar(0.1))
        .init("t", flag(false));
    let stripped = strips(&model(13, graph))
        .leaves(LEFT)
        .keeps_initializers(&["r", "t"])
        .reports_idle(&["r", "t"]);
    assert_eq!(stripped.sites[0].mode, Mode::Runtime);
    assert_eq!(stripped.sites[0].rate, Some(0.1));
    assert_eq!(stripped.sites[0].rate_origin, RateOrigin::Input);
}

#[test]
fn data_that_is_an_initializer_leaves_an_identity_before_an_output_alone() {
    let nodes = ["d = Dropout(w)", "z = Dropout(w)", "y = Add(x, d)"].map(op);
    let w = f32s(&[2, 3], &[1., 2., 3., 4., 5., 6.]);
    strips(&model(13, x_to_y(nodes).output("z").init("w", w)))
        .leaves(&["z = Identity(w)", "y = Add(x, w)"])
        .keeps_initializers(&["w"])
        .keeps_identity_for(&["z"]);
}

/// `y = Relu(Dropout(x, r))`, `r` a Constant with this attribute.
fn constant_ratio(attribute: Attribute) -> Model {
    let nodes = [
        op("r = Constant()").with(attribute),
        op("a = Dropout(x, r)"),
        op("y = Relu(a)"),
    ];
    model(13, x_to_y(nodes))
}

fn sparse_scalar() -> SparseTensor {
    SparseTensor {
        values: Some(f32s(&[1], &[0.75])),
        indices: Some(i64s(&[0])),
        dims: vec![1],
    }
}

#[test]
fn constant_in_every_form_that_is_a_float() {
    let forms = [
        tensor("value", f32_scalar(0.75)),
        tensor("value", f32s(&[1], &[0.75])),
        float("value_float", 0.75),
        floats("value_floats", &[0.75]),
    ];
    for form in forms {
        let stripped = strips(&constant_ratio(form)).leaves(&["y = Relu(x)"]);
        assert_eq!(stripped.sites[0].rate, Some(0.75));
        assert_eq!(stripped.sites[0].rate_origin, RateOrigin::Constant);
    }
}

#[test]
fn constant_in_sparse_form() {
    let model = constant_ratio(sparse("sparse_value", sparse_scalar()));
    let stripped = strips_unrun_because(&model, "sparse tensors").leaves(&["y = Relu(x)"]);
    assert_eq!(stripped.sites[0].rate, Some(0.75));
}

#[test]
fn constant_in_a_form_that_is_no_float_is_refused() {
    let forms = [
        (
            int("value_int", 0),
            "ratio is the int64 0, not a float scalar",
        ),
        (
            crate::common::build::ints("value_ints", &[1, 2]),
            "ratio is a int64 of shape [2], not a float scalar",
        ),
        (
            floats("value_floats", &[0.1, 0.2]),
            "ratio is a float of shape [2], not a float scalar",
        ),
        (
            crate::common::build::string("value_string", "0.5"),
            "ratio is a string, not a float scalar",
        ),
        (
            tensor("value", raw(DataType::INT32, &[], &[0; 4])),
            "ratio is the int32 0, not a float scalar",
        ),
    ];
    for (form, expected) in forms {
        let mut acting = constant_ratio(form);
        let main = acting.main_mut();
        let dropout = main.node.iter_mut().find(|node| node.is("Dropout"));
        dropout.unwrap().input.push("on".into());
        *main = main.clone().init("on", flag(true));
        let why = refusal(&acting);
        assert!(why.contains(expected), "{why}");
        assert!(why.contains("Dropout `a`"), "{why}");
    }
}

#[test]
fn a_refused_site_stays_and_the_others_go() {
    let nodes = [
        op("a = Dropout(x)"),
        op("b = Dropout(a, r, on)"),
        op("y = Relu(b)"),
    ];
    let graph = x_to_y(nodes).init("r", f32_scalar(1.0));
    let two = model(13, graph.init("on", flag(true)));
    let why = "ratio 1 is outside [0, 1)";
    let stripped = strip(&two.read(), &Options::default()).unwrap();
    let refused: Vec<_> = stripped
        .plan
        .refusals()
        .map(|(_, why)| why.text())
        .collect();
    assert_eq!((stripped.outcome.removed, &refused[..]), (1, &[why][..]));
    let left = stripped.edited.model();
    let left = left.nodes().filter(|(_, node)| node.is("Dropout"));
    assert_eq!(left.count(), 1);
    let strict = Options::default().strict(true);
    assert!(strip(&two.read(), &strict).unwrap_err().why().contains(why));
    // the twin: alone it is an error
    let alone = x_to_y([op("b = Dropout(x, r, on)"), op("y = Relu(b)")]);
    let alone = alone.init("r", f32_scalar(1.0)).init("on", flag(true));
    let alone = model(13, alone);
    assert!(refusal(&alone).contains(why));
}
