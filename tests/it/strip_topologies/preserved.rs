//! What a rewrite has no business with.

use dropout_onnx::onnx::DataType;
use prost::Message;

use crate::common::build::{
    entry, f32_scalar, f32s, flag, function, graph, model, op, scale_of, subgraph, untyped, x_to_y,
};
use crate::common::proto::{Model, UNKNOWN};
use crate::common::stripped::strips;

fn infos(model: &Model) -> Vec<&str> {
    let infos = model.main().value_info.iter();
    infos.map(|info| info.name()).collect()
}

fn annotated(model: &Model) -> Vec<&str> {
    let all = model.main().quantization_annotation.iter();
    all.map(|annotation| annotation.tensor_name()).collect()
}

#[test]
fn types_of_removed_values_are_removed_and_others_kept() {
    let nodes = ["h = Relu(x)", "d, m = Dropout(h, r)", "y = Tanh(d)"].map(op);
    let mut graph = x_to_y(nodes).init("r", f32_scalar(0.5)).info("h").info("d");
    for (name, element) in [("m", DataType::BOOL), ("r", DataType::FLOAT)] {
        let info = crate::common::build::typed(name, element, &[]);
        graph.value_info.push(info);
    }
    graph = graph.info("y");
    let stripped = strips(&model(13, graph));
    assert_eq!(infos(&stripped.after), ["h", "y"]);
}

#[test]
fn the_type_of_a_producer_renamed_to_the_output_is_removed() {
    let nodes = ["h = Relu(x)", "y = Dropout(h)"].map(op);
    let stripped = strips(&model(13, x_to_y(nodes).info("h").info("x")));
    assert_eq!(infos(&stripped.after), ["x"]);
}

#[test]
fn annotations_of_removed_values_are_removed_and_others_kept() {
    let nodes = ["h = Relu(x)", "d = Dropout(h)", "y = Tanh(d)"].map(op);
    let graph = x_to_y(nodes)
        .init("s", f32_scalar(0.5))
        .annotation(scale_of("h", "s"))
        .annotation(scale_of("d", "s"))
        .annotation(scale_of("y", "s"));
    let stripped = strips(&model(13, graph)).keeps_initializers(&["s"]);
    assert_eq!(annotated(&stripped.after), ["h", "y"]);
}

#[test]
fn an_annotation_follows_its_value_to_the_outputs_name() {
    let nodes = ["h = Relu(x)", "y = Dropout(h)"].map(op);
    let graph = x_to_y(nodes)
        .init("s", f32_scalar(0.5))
        .annotation(scale_of("h", "s"));
    let stripped = strips(&model(13, graph)).leaves(&["y = Relu(x)"]);
    assert_eq!(annotated(&stripped.after), ["y"]);
    let kept = &stripped.after.main().quantization_annotation[0];
    assert_eq!(
        kept.quant_parameter_tensor_names,
        [entry("SCALE_TENSOR", "s")]
    );
}

#[test]
fn the_outputs_own_annotation_wins_over_the_producers() {
    let nodes = ["h = Relu(x)", "y = Dropout(h)"].map(op);
    let graph = x_to_y(nodes)
        .init("s", f32_scalar(0.5))
        .init("u", f32_scalar(0.25))
        .annotation(scale_of("h", "s"))
        .annotation(scale_of("y", "u"));
    let stripped = strips(&model(13, graph));
    let kept = &stripped.after.main().quantization_annotation;
    assert_eq!(kept[..], [scale_of("y", "u")]);
}

#[test]
fn nodes_keep_the_order_of_the_file_though_it_is_not_the_order_of_use() {
    let nodes = [
        "y = Tanh(d2)",
        "d2 = Dropout(d1)",
        "z = Dropout(h)",
        "d1 = Dropout(h)",
        "h = Relu(x)",
    ];
    strips(&model(13, x_to_y(nodes.map(op)).output("z"))).leaves(&["y = Tanh(z)", "z = Relu(x)"]);
}

/// A model with a field that no version of ONNX has in every message, and texts for people.
fn full() -> Model {
    let branch = |node: &str| {
        let mut graph = graph([op("b = Dropout(h)"), op(node)]);
        graph.output.push(untyped("t"));
        graph.unknown = Some(UNKNOWN.into());
        graph.doc_string = Some("a branch".into());
        graph
    };
    let nodes = [
        op("h = local::F(x)").named("call"),
        op("d = Dropout(h, r, f)").named("drop"),
        op("e = Tanh(d)").named("tanh"),
        op("g = If(c)")
            .named("choice")
            .with(subgraph("then_branch", branch("t = Relu(b)")))
            .with(subgraph("else_branch", branch("t = Tanh(b)"))),
        op("y = Add(e, g)").named("sum"),
    ];
    let mut graph = x_to_y(nodes)
        .input_of("c", DataType::BOOL, &[])
        .init("w", f32s(&[2], &[1.0, 2.0]))
        .init("r", f32_scalar(0.5))
        .init("f", flag(false));
    graph.doc_string = Some("the graph".into());
    graph.unknown = Some(UNKNOWN.into());
    for node in &mut graph.node {
        node.doc_string = Some("a node".into());
        node.metadata_props = vec![entry("layer", "one")];
        node.unknown = Some(UNKNOWN.into());
    }
    let body = [op("a = Dropout(i)"), op("o = Sigmoid(a)")];
    let mut f = function("F", "i", "o", 13, body);
    f.unknown = Some(UNKNOWN.into());
    let mut model = model(13, graph).imports("local", 1).function(f);
    model.metadata_props = vec![entry("author", "us")];
    model.unknown = Some(UNKNOWN.into());
    model
}

/// The result is the very message that one would have written without the dropouts, byte for byte.
#[test]
fn all_that_is_not_dropout_is_preserved_byte_for_byte() {
    let before = full();
    let mut expected = before.clone();
    let main = expected.main_mut();
    main.initializer.retain(|tensor| tensor.name() == "w");
    main.node.retain(|node| !node.is("Dropout"));
    main.node[1].input = vec!["h".into()];
    for attribute in &mut main.node[2].attribute {
        let graph = attribute.g.as_mut().unwrap();
        graph.node.remove(0);
        graph.node[0].input = vec!["h".into()];
    }
    let f = &mut expected.functions[0];
    f.node.remove(0);
    f.node[0].input = vec!["i".into()];
    let stripped = strips(&before);
    assert_eq!(stripped.after, expected);
    let read = before.read();
    let edited = dropout_onnx::rewrite::strip::strip(&read, &Default::default()).unwrap();
    let mut bytes = Vec::new();
    edited.edited.rope.write_to(&mut bytes).unwrap();
    assert_eq!(bytes, expected.encode_to_vec());
}

#[test]
fn a_model_without_dropout_is_the_same_bytes() {
    let model = model(13, x_to_y([op("y = Relu(x)")]).info("nobody"));
    let stripped = strips(&model);
    assert!(stripped.outcome.is_unchanged());
    assert_eq!(stripped.after, model);
}

#[test]
fn only_inert_leaves_what_is_active() {
    use dropout_onnx::dropout::Mode;
    use dropout_onnx::rewrite::strip::{Options, strip};
    let nodes = ["a = Dropout(x, , t)", "b = Dropout(a)", "y = Relu(b)"].map(op);
    let read = model(13, x_to_y(nodes).init("t", flag(true))).read();
    let options = Options::default().only(vec![Mode::Inert]);
    let stripped = strip(&read, &options).unwrap();
    assert_eq!(stripped.outcome.removed, 1);
    let mut bytes = Vec::new();
    stripped.edited.rope.write_to(&mut bytes).unwrap();
    let after = Model::decode(&bytes[..]).unwrap();
    assert_eq!(after.lines(), ["a = Dropout(x, , t)", "y = Relu(a)"]);
}

#[test]
fn what_takes_the_place_of_a_value_inherits_its_type_and_annotation() {
    let nodes = [
        "h = Relu(x)",
        "d = Dropout(h)",
        "e = Dropout(d)",
        "y = Tanh(e)",
    ]
    .map(op);
    let graph = || x_to_y(nodes.clone()).init("s", f32_scalar(0.5)).info("x");
    let described = graph().info("e").annotation(scale_of("d", "s"));
    let stripped = strips(&model(13, described)).keeps_initializers(&["s"]);
    assert_eq!(infos(&stripped.after), ["x", "h"]);
    assert_eq!(annotated(&stripped.after), ["h"]);
    // the nearest to what stays wins
    let twice = graph().info("d").info("e");
    let twice = twice
        .annotation(scale_of("e", "s"))
        .annotation(scale_of("d", "s"));
    let stripped = strips(&model(13, twice));
    assert_eq!(infos(&stripped.after), ["x", "h"]);
    assert_eq!(annotated(&stripped.after), ["h"]);
}

#[test]
fn an_input_that_takes_the_place_of_a_value_keeps_its_own_type() {
    let nodes = ["d = Dropout(x)", "y = Tanh(d)"].map(op);
    let graph = x_to_y(nodes).init("s", f32_scalar(0.5)).info("d");
    let stripped = strips(&model(13, graph.annotation(scale_of("d", "s"))));
    assert!(infos(&stripped.after).is_empty());
    assert_eq!(annotated(&stripped.after), ["x"]);
}
