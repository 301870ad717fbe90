//! Broken rewrites inside graphs, functions and training graphs.

use dropout_onnx::onnx::DataType;

use super::check::{Run, broken, differ};
use super::models::{branches, calls, inner, node};
use crate::common::build::{entry, f32s, flag, float, graph, i64s, model, op, subgraph, x_to_y};
use crate::common::proto::{Model, Training};

#[test]
fn branch_of_another_operator() {
    broken(&branches(), Run::Different, |after| {
        inner(after, "else_branch").node[0].op_type = Some("Tanh".into());
    });
}

#[test]
fn branches_exchanged() {
    broken(&branches(), Run::Different, |after| {
        let attributes = &mut node(after, "y").attribute;
        attributes[0].name = Some("else_branch".into());
        attributes[1].name = Some("then_branch".into());
    });
}

#[test]
fn branch_captures_another_value() {
    broken(&branches(), Run::Different, |after| {
        inner(after, "else_branch").node[0].input[0] = "x".into();
    });
}

/// What a redirect does that does not look whether the name is hidden: the branch has an `h` of its
/// own.
#[test]
fn redirected_to_a_hidden_name() {
    let mut after = branches();
    after.main_mut().node.remove(1);
    let then = inner(&mut after, "then_branch");
    then.node.remove(1);
    then.node[1].input = vec!["h".into(), "h".into()];
    inner(&mut after, "else_branch").node[0].input[0] = "h".into();
    differ(&branches().read(), &after.read(), Run::Different);
}

#[test]
fn branch_hands_out_another_value() {
    broken(&branches(), Run::Different, |after| {
        inner(after, "else_branch").output[0].name = Some("e".into());
    });
}

/// A loop that carries two values, with a Dropout on one of them.
fn loops() -> Model {
    let nodes = [
        "go_on = Identity(go)",
        "e = Dropout(a)",
        "c = Add(e, b)",
        "d = Sub(e, b)",
    ];
    let body = graph(nodes.map(op))
        .input_of("i", DataType::INT64, &[])
        .input_of("go", DataType::BOOL, &[])
        .input("a")
        .input("b")
        .output_of("go_on", DataType::BOOL, &[])
        .output("c")
        .output("d");
    let turns = op("y, z = Loop(turns, yes, x, w)").with(subgraph("body", body));
    let graph = x_to_y([turns])
        .output("z")
        .init("w", f32s(&[2, 3], &[1., 2., 3., 4., 5., 6.]))
        .init("turns", i64s(&[2]))
        .init("yes", flag(true));
    model(13, graph)
}

#[test]
fn loop_body_uses_its_inputs_the_wrong_way_round() {
    broken(&loops(), Run::Different, |after| {
        let body = inner(after, "body");
        assert_eq!(body.node[2].input, ["a", "b"]);
        body.node[2].input = vec!["b".into(), "a".into()];
    });
}

#[test]
fn loop_body_lists_its_inputs_in_another_order() {
    broken(&loops(), Run::Different, |after| {
        inner(after, "body").input.swap(2, 3);
    });
}

#[test]
fn loop_body_lists_its_outputs_in_another_order() {
    broken(&loops(), Run::Different, |after| {
        inner(after, "body").output.swap(1, 2);
    });
}

#[test]
fn loop_outputs_exchanged() {
    broken(&loops(), Run::Different, |after| {
        node(after, "y").output.reverse();
    });
}

#[test]
fn function_of_another_operator() {
    let why = broken(&calls(), Run::Different, |after| {
        after.functions[0].node[1].op_type = Some("Selu".into());
    });
    assert!(why.contains("local::F"), "{why}");
}

#[test]
fn function_lists_its_inputs_in_another_order() {
    broken(&calls(), Run::Different, |after| {
        after.functions[0].input.reverse();
    });
}

#[test]
fn function_of_another_opset() {
    broken(&calls(), Run::Equal, |after| {
        after.functions[0].opset_import[0].version = Some(5);
    });
}

#[test]
fn default_of_a_functions_attribute_changed() {
    broken(&calls(), Run::Different, |after| {
        after.functions[0].attribute_proto = vec![float("curve", 2.0)];
    });
}

#[test]
fn default_of_a_functions_attribute_lost() {
    broken(&calls(), Run::Different, |after| {
        after.functions[0].attribute_proto.clear();
    });
}

#[test]
fn attribute_of_a_call_changed() {
    broken(&calls(), Run::Different, |after| {
        node(after, "y").attribute[0].f = Some(0.75);
    });
}

#[test]
fn attribute_of_a_function_refers_to_another() {
    broken(&calls(), Run::Different, |after| {
        after.functions[0].node[1].attribute[0].ref_attr_name = Some("slope".into());
    });
}

#[test]
fn function_lost() {
    broken(&calls(), Run::Unrunnable, |after| after.functions.clear());
}

#[test]
fn function_nothing_calls_changed() {
    let mut before = calls();
    let mut idle = before.functions[0].clone();
    idle.name = Some("Idle".into());
    before.functions.push(idle);
    broken(&before, Run::Equal, |after| {
        after.functions[1].node[1].op_type = Some("Selu".into());
    });
}

fn trained() -> Model {
    let algorithm =
        graph(["d = Dropout(h)", "g = Mul(d, d)", "w_new = Sub(w, g)"].map(op)).output("w_new");
    let nodes = ["h = Sigmoid(x)", "d = Dropout(h)", "y = Mul(d, w)"].map(op);
    let graph = x_to_y(nodes).init("w", f32s(&[2, 3], &[1., 2., 3., 4., 5., 6.]));
    let graph = graph.init("v", f32s(&[2, 3], &[6., 5., 4., 3., 2., 1.]));
    model(13, graph).training(Training {
        algorithm: Some(algorithm),
        update_binding: vec![entry("w", "w_new")],
        ..Training::default()
    })
}

#[test]
fn training_graph_changed() {
    let why = broken(&trained(), Run::Equal, |after| {
        let algorithm = after.training_info[0].algorithm.as_mut().unwrap();
        algorithm.node[0].input[1] = "w".into();
    });
    assert!(why.contains("training_info[0].algorithm"), "{why}");
}

#[test]
fn training_binding_changed() {
    broken(&trained(), Run::Equal, |after| {
        after.training_info[0].update_binding[0] = entry("v", "w_new");
    });
}

#[test]
fn training_lost() {
    broken(&trained(), Run::Equal, |after| after.training_info.clear());
}
