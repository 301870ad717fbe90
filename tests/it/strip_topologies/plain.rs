//! One graph, one scope.

use dropout_onnx::dropout::Convention;
use dropout_onnx::rewrite::strip::{Options, strip};

use crate::common::build::{f32_scalar, f32s, flag, float, graph, int, model, op, x_to_y};
use crate::common::stripped::{refusal, strips, strips_unrun};

#[test]
fn mid_chain_consumers_use_the_data() {
    let nodes = ["h = Relu(x)", "d = Dropout(h)", "y = Tanh(d)"];
    strips(&model(13, x_to_y(nodes.map(op))))
        .leaves(&["h = Relu(x)", "y = Tanh(h)"])
        .keeps_identity_for(&[]);
}

#[test]
fn first_in_the_graph_consumers_use_the_graph_input() {
    let nodes = ["d = Dropout(x)", "y = Relu(d)"];
    strips(&model(13, x_to_y(nodes.map(op)))).leaves(&["y = Relu(x)"]);
}

#[test]
fn before_the_graph_output_the_producer_takes_its_name() {
    let nodes = ["h = Relu(x)", "y = Dropout(h)"];
    strips(&model(13, x_to_y(nodes.map(op))))
        .leaves(&["y = Relu(x)"])
        .keeps_identity_for(&[]);
}

#[test]
fn before_the_graph_output_other_consumers_of_the_data_follow_the_new_name() {
    let nodes = ["h = Relu(x)", "y = Dropout(h)", "z = Tanh(h)"];
    strips(&model(13, x_to_y(nodes.map(op)).output("z")))
        .leaves(&["y = Relu(x)", "z = Tanh(y)"])
        .keeps_identity_for(&[]);
}

#[test]
fn chain_of_three_collapses() {
    let nodes = [
        "h = Relu(x)",
        "a = Dropout(h)",
        "b = Dropout(a)",
        "c = Dropout(b)",
        "y = Tanh(c)",
    ];
    let stripped =
        strips(&model(13, x_to_y(nodes.map(op)))).leaves(&["h = Relu(x)", "y = Tanh(h)"]);
    assert_eq!(stripped.outcome.removed, 3);
}

#[test]
fn chain_of_a_thousand_collapses() {
    let mut nodes = vec![op("d0 = Relu(x)")];
    nodes.extend((0..1000).map(|i| op(&format!("d{} = Dropout(d{i})", i + 1))));
    nodes.push(op("y = Tanh(d1000)"));
    let stripped = strips(&model(13, x_to_y(nodes))).leaves(&["d0 = Relu(x)", "y = Tanh(d0)"]);
    assert_eq!(stripped.outcome.removed, 1000);
}

#[test]
fn chain_of_a_thousand_from_input_to_output_leaves_one_identity() {
    let name = |i| match i {
        0 => "x".to_string(),
        1000 => "y".to_string(),
        i => format!("d{i}"),
    };
    let nodes = (0..1000).map(|i| op(&format!("{} = Dropout({})", name(i + 1), name(i))));
    strips(&model(13, x_to_y(nodes)))
        .leaves(&["y = Identity(x)"])
        .keeps_identity_for(&["y"]);
}

#[test]
fn every_one_of_many_consumers_is_redirected() {
    let nodes = [
        "h = Relu(x)",
        "d = Dropout(h)",
        "a = Tanh(d)",
        "b = Add(d, a)",
        "c = Mul(d, d)",
        "e = Add(b, c)",
        "y = Add(e, h)",
    ];
    strips(&model(13, x_to_y(nodes.map(op)))).leaves(&[
        "h = Relu(x)",
        "a = Tanh(h)",
        "b = Add(h, a)",
        "c = Mul(h, h)",
        "e = Add(b, c)",
        "y = Add(e, h)",
    ]);
}

#[test]
fn graph_input_to_graph_output_leaves_an_identity() {
    let stripped = strips(&model(13, x_to_y([op("y = Dropout(x)").named("drop")])))
        .leaves(&["y = Identity(x)"])
        .keeps_identity_for(&["y"]);
    assert_eq!(stripped.after.main().node[0].name(), "drop");
    insta::assert_snapshot!("graph_input_to_graph_output", stripped.texts());
}

#[test]
fn graph_input_to_graph_output_that_is_also_consumed_leaves_an_identity() {
    let nodes = ["y = Dropout(x)", "z = Relu(y)"];
    strips(&model(13, x_to_y(nodes.map(op)).output("z")))
        .leaves(&["y = Identity(x)", "z = Relu(y)"])
        .keeps_identity_for(&["y"]);
}

#[test]
fn graph_output_that_is_also_consumed_is_one_name_for_both() {
    let nodes = ["h = Relu(x)", "y = Dropout(h)", "z = Tanh(y)"];
    strips(&model(13, x_to_y(nodes.map(op)).output("z")))
        .leaves(&["y = Relu(x)", "z = Tanh(y)"])
        .keeps_identity_for(&[]);
}

#[test]
fn several_outputs_from_one_value_share_one_producer() {
    let nodes = [
        "h = Relu(x)",
        "y = Dropout(h)",
        "z = Dropout(h)",
        "w = Dropout(h)",
    ];
    let stripped = strips(&model(13, x_to_y(nodes.map(op)).output("z").output("w")))
        .leaves(&["y = Relu(x)", "z = Identity(y)", "w = Identity(y)"])
        .keeps_identity_for(&["z", "w"]);
    insta::assert_snapshot!("several_outputs_from_one_value", stripped.texts());
}

#[test]
fn data_that_is_itself_an_output_keeps_its_name() {
    let nodes = ["h = Relu(x)", "y = Dropout(h)"];
    strips(&model(13, x_to_y(nodes.map(op)).output("h")))
        .leaves(&["h = Relu(x)", "y = Identity(h)"])
        .keeps_identity_for(&["y"]);
}

#[test]
fn chain_whose_every_link_is_an_output() {
    let nodes = ["h = Relu(x)", "y = Dropout(h)", "z = Dropout(y)"];
    strips(&model(13, x_to_y(nodes.map(op)).output("z")))
        .leaves(&["y = Relu(x)", "z = Identity(y)"])
        .keeps_identity_for(&["z"]);
}

#[test]
fn chain_whose_every_link_is_an_output_listed_last_to_first() {
    let nodes = ["h = Relu(x)", "y = Dropout(h)", "z = Dropout(y)"];
    let graph = graph(nodes.map(op)).input("x").output("z").output("y");
    strips(&model(13, graph)).leaves(&["y = Relu(x)", "z = Identity(y)"]);
}

#[test]
fn the_same_output_listed_twice_stays_listed_twice() {
    let nodes = ["h = Relu(x)", "y = Dropout(h)"];
    let twice = model(13, x_to_y(nodes.map(op)).output("y"));
    let stripped = strips(&twice).leaves(&["y = Relu(x)"]);
    assert_eq!(stripped.after.main().output.len(), 2);
}

#[test]
fn second_output_of_a_node_takes_the_name() {
    let split = op("a, b = Split(x)").with(int("axis", 0));
    let nodes = [split, op("y = Dropout(b)"), op("z = Relu(a)")];
    let half = &[1, 3];
    let graph = graph(nodes)
        .input("x")
        .output_of("y", dropout_onnx::onnx::DataType::FLOAT, half)
        .output_of("z", dropout_onnx::onnx::DataType::FLOAT, half);
    strips(&model(13, graph)).leaves(&["a, y = Split(x)", "z = Relu(a)"]);
}

#[test]
fn an_unused_dropout_is_removed() {
    let nodes = ["h = Relu(x)", "d = Dropout(h)", "y = Tanh(h)"];
    strips(&model(13, x_to_y(nodes.map(op)))).leaves(&["h = Relu(x)", "y = Tanh(h)"]);
}

#[test]
fn active_dropout_is_removed_too() {
    let nodes = ["h = Relu(x)", "d = Dropout(h, , t)", "y = Tanh(d)"];
    let stripped = strips(&model(13, x_to_y(nodes.map(op)).init("t", flag(true))))
        .leaves(&["h = Relu(x)", "y = Tanh(h)"])
        .keeps_initializers(&[]);
    assert_eq!(stripped.sites[0].mode, dropout_onnx::dropout::Mode::Active);
}

#[test]
fn dropout_of_a_custom_domain_is_not_dropout() {
    let nodes = [
        op("h = Relu(x)"),
        op("a = com.example::Dropout(h)"),
        op("b = Dropout(a)"),
        op("y = Tanh(b)"),
    ];
    let model = model(13, x_to_y(nodes)).imports("com.example", 1);
    strips_unrun(&model, "com.example::Dropout").leaves(&[
        "h = Relu(x)",
        "a = com.example::Dropout(h)",
        "y = Tanh(a)",
    ]);
}

#[test]
fn a_model_with_a_custom_domain_dropout_alone_is_left_alone() {
    let nodes = [op("h = com.example::Dropout(x)"), op("y = Relu(h)")];
    let model = model(13, x_to_y(nodes)).imports("com.example", 1);
    let stripped = strips_unrun(&model, "com.example::Dropout");
    assert!(stripped.outcome.is_unchanged());
    assert_eq!(stripped.after, model);
}

#[test]
fn ai_onnx_is_the_default_domain() {
    let nodes = [
        op("h = ai.onnx::Relu(x)"),
        op("d = ai.onnx::Dropout(h)"),
        op("y = Tanh(d)"),
    ];
    let mut spelled = model(13, x_to_y(nodes));
    spelled.opset_import[0].domain = Some("ai.onnx".into());
    strips(&spelled).leaves(&["h = ai.onnx::Relu(x)", "y = Tanh(h)"]);
}

#[test]
fn absent_mask_by_empty_name() {
    let nodes = ["h = Relu(x)", "d, = Dropout(h)", "y = Tanh(d)"];
    let model = model(13, x_to_y(nodes.map(op)));
    assert_eq!(model.main().node[1].output, ["d", ""]);
    strips(&model).leaves(&["h = Relu(x)", "y = Tanh(h)"]);
}

#[test]
fn absent_inputs_by_empty_name() {
    let nodes = ["h = Relu(x)", "d = Dropout(h, , )", "y = Tanh(d)"];
    let model = model(13, x_to_y(nodes.map(op)));
    assert_eq!(model.main().node[1].input, ["h", "", ""]);
    strips(&model).leaves(&["h = Relu(x)", "y = Tanh(h)"]);
}

#[test]
fn every_operator_version_is_removed() {
    for opset in [1, 6, 7, 8, 9, 10, 11, 12, 13, 17, 22] {
        let nodes = ["h = Relu(x)", "d = Dropout(h)", "y = Tanh(d)"];
        let stripped = strips(&model(opset, x_to_y(nodes.map(op))));
        stripped.leaves(&["h = Relu(x)", "y = Tanh(h)"]);
    }
}

/// The result is valid, although the model was not.
#[test]
fn attributes_of_another_version_go_with_their_node() {
    let wrong = [
        op("d = Dropout(h)").with(float("ratio", 0.2)),
        op("d = Dropout(h)").with(int("training_mode", 1)),
        op("d = Dropout(h, r)"),
    ];
    for dropout in wrong {
        let nodes = [op("h = Relu(x)"), dropout, op("y = Tanh(d)")];
        let graph = x_to_y(nodes).init("r", f32s(&[1], &[0.2]));
        let stripped = strip(&model(13, graph).read(), &Options::default()).unwrap();
        let nodes = stripped.edited.model().nodes();
        let left: Vec<String> = nodes.map(|(_, node)| node.op_type.to_string()).collect();
        assert_eq!(left, ["Relu", "Tanh"]);
    }
}

/// What it scales by is the ratio in the node.
#[test]
fn a_ratio_of_another_version_is_the_classic_scale() {
    let dropout = op("d = Dropout(h)").with(float("ratio", 0.2));
    let nodes = [op("h = Relu(x)"), dropout, op("y = Tanh(d)")];
    let options = Options::default().convention(Convention::Classic);
    let stripped = strip(&model(13, x_to_y(nodes)).read(), &options).unwrap();
    assert_eq!(stripped.outcome.scales, [("d".into(), 0.8)]);
}

/// A ratio of 1 is only read in training.
#[test]
fn an_inert_dropout_of_ratio_one_is_removed() {
    let of = |on| {
        let nodes = ["h = Relu(x)", "d = Dropout(h, r, on)", "y = Tanh(d)"];
        let graph = x_to_y(nodes.map(op)).init("on", flag(on));
        model(13, graph.init("r", f32_scalar(1.0)))
    };
    strips(&of(false)).leaves(&["h = Relu(x)", "y = Tanh(h)"]);
    assert!(refusal(&of(true)).contains("ratio 1 is outside [0, 1)"));
}
