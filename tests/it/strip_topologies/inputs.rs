//! Inputs that only dropout used.

use dropout_onnx::onnx::DataType;
use dropout_onnx::rewrite::strip::{Options, Stripped, strip};
use dropout_onnx::verify::{self, Demand, Verdict, run, structure};
use prost::Message;

use crate::common::build::{f32_scalar, flag, function, graph, model, op, x_to_y};
use crate::common::proto::{Graph, Model};

fn pruned(model: &Model) -> (Model, Stripped) {
    let options = Options::default().prune_inputs(true);
    let stripped = strip(&model.read(), &options).expect("strip");
    let found = stripped
        .verify(&model.read(), None, &verify::Options::default())
        .unwrap();
    assert_eq!(found.verdict(Demand::Rewrite), Verdict::Equal, "{found:?}");
    assert_eq!(found.run.expect("asked for").outcome, run::Outcome::Equal);
    let mut bytes = Vec::new();
    stripped.edited.rope.write_to(&mut bytes).unwrap();
    (Model::decode(&bytes[..]).unwrap(), stripped)
}

fn inputs(model: &Model) -> Vec<&str> {
    let inputs = model.main().input.iter();
    inputs.filter_map(|info| info.name.as_deref()).collect()
}

/// A switch before the data and a rate after it.
fn switched() -> Graph {
    let nodes = ["h = Relu(x)", "d = Dropout(h, p, on)", "y = Tanh(d)"];
    let graph = graph(nodes.map(op)).input_of("on", DataType::BOOL, &[]);
    graph
        .input("x")
        .input_of("p", DataType::FLOAT, &[])
        .output("y")
}

#[test]
fn switches_and_rates_leave_the_interface_if_asked() {
    let (after, stripped) = pruned(&model(13, switched()));
    assert_eq!(inputs(&after), ["x"]);
    assert_eq!(stripped.outcome.pruned_inputs, ["on", "p"]);
    assert!(stripped.outcome.idle_inputs.is_empty());
    let kept = strip(&model(13, switched()).read(), &Options::default()).unwrap();
    assert_eq!(kept.outcome.idle_inputs, ["on", "p"]);
    assert!(kept.outcome.pruned_inputs.is_empty());
}

#[test]
fn defaults_leave_with_their_inputs() {
    let graph = switched()
        .init("on", flag(false))
        .init("p", f32_scalar(0.3));
    let (after, _) = pruned(&model(13, graph));
    assert_eq!(inputs(&after), ["x"]);
    assert!(after.main().initializer.is_empty());
}

#[test]
fn what_else_is_used_or_was_not_used_before_stays() {
    let mut graph =
        switched()
            .input_of("idle", DataType::FLOAT, &[])
            .output_of("z", DataType::FLOAT, &[]);
    graph.node.push(op("z = Neg(p)"));
    let (after, stripped) = pruned(&model(13, graph));
    assert_eq!(inputs(&after), ["x", "p", "idle"]);
    assert_eq!(stripped.outcome.pruned_inputs, ["on"]);
}

#[test]
fn without_what_strip_reports_a_removed_input_is_a_difference() {
    let before = model(13, switched());
    let (_, stripped) = pruned(&before);
    let found = verify::verify(
        &before.read(),
        stripped.edited.model(),
        &verify::Options::default(),
    );
    let found = found.unwrap();
    assert!(
        matches!(found.structure, Some(structure::Verdict::Different(_))),
        "{found:?}"
    );
    assert!(matches!(
        found.run.unwrap().outcome,
        run::Outcome::Different(_)
    ));
}

#[test]
fn a_model_without_dropout_keeps_its_inputs() {
    let before = model(
        13,
        x_to_y([op("y = Relu(x)")]).input_of("idle", DataType::FLOAT, &[]),
    );
    let options = Options::default().prune_inputs(true);
    let stripped = strip(&before.read(), &options).unwrap();
    assert!(stripped.outcome.is_unchanged() && stripped.outcome.pruned_inputs.is_empty());
}

#[test]
fn a_switch_that_only_functions_used_leaves_with_the_arguments() {
    let body = ["a = Dropout(i, , t)", "o = Relu(a)"].map(op);
    let nodes = ["h = local::F(x, on)", "y = local::F(h, on)"].map(op);
    let graph = x_to_y(nodes).input_of("on", DataType::BOOL, &[]);
    let called = model(13, graph).imports("local", 1);
    let called = called.function(function("F", "i, t", "o", 13, body));
    let (after, stripped) = pruned(&called);
    assert_eq!(inputs(&after), ["x"]);
    assert_eq!(after.lines()[0], "h = local::F(x, )");
    assert_eq!(stripped.outcome.pruned_inputs, ["on"]);
}
