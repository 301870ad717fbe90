//! Messages that are models, but no usable ones.

use dropout_onnx::onnx::DataType;
use prost::Message;

use super::sound;
use crate::common::build::*;
use crate::common::cli::Folder;
use crate::common::proto::{Attribute, Model, Node, Tensor};

/// Strip and verify refuse the model, naming the file and all of `names`.
#[track_caller]
fn refused(model: &Model, names: &[&str]) {
    let folder = Folder::new();
    folder.write("bad.onnx", model.encode_to_vec());
    folder.write("good.onnx", sound().encode_to_vec());
    let names = [&["error: bad.onnx: "], names].concat();
    for arguments in [
        "strip bad.onnx",
        "strip --in-place bad.onnx",
        "strip bad.onnx -",
        "strip bad.onnx --verify none",
        "strip --dry-run bad.onnx",
    ] {
        folder.refuses(arguments, &names);
    }
}

/// As [`refused`]; also `verify` does.
#[track_caller]
fn refused_by_all(model: &Model, names: &[&str]) {
    refused(model, names);
    let folder = Folder::new();
    folder.write("bad.onnx", model.encode_to_vec());
    folder.write("good.onnx", sound().encode_to_vec());
    let names = [&["error: bad.onnx: "], names].concat();
    folder.refuses("verify bad.onnx good.onnx", &names);
    folder.refuses("verify good.onnx bad.onnx", &names);
    let said = folder.run("show bad.onnx");
    assert!(!said.stderr.contains("panicked"), "{}", said.stderr);
    assert!((0..=2).contains(&said.status), "{said:?}");
    audited_as_unsound(&folder, &names);
}

/// The audit of `bad.onnx` fails with a finding that is `names`, and goes on with `good.onnx`.
#[track_caller]
fn audited_as_unsound(folder: &Folder, names: &[&str]) {
    let said = folder.run("audit bad.onnx good.onnx").exits(2);
    for name in names {
        assert!(
            said.stderr.contains(name),
            "no `{name}` in: {}",
            said.stderr
        );
    }
    assert!(said.text().contains("\ngood.onnx: "), "{}", said.text());
    let said = folder.run("audit --format json bad.onnx").exits(2);
    let model = &said.json()["models"][0];
    let rules = model["findings"].as_array().unwrap().iter();
    let mut rules = rules.map(|finding| (&finding["rule"], &finding["level"]));
    assert!(rules.any(|(rule, level)| rule == "unsound-model" && level == "error"));
    let verdict = model["verdict"].as_str().unwrap();
    assert!(["unknown", "active"].contains(&verdict), "{verdict}");
    assert_eq!(folder.run("audit good.onnx --deny unsound-model").status, 0);
    // whoever allows it still gets no other verdict
    let said = folder.run("audit --allow unsound-model --format json bad.onnx");
    assert_eq!(said.json()["models"][0]["verdict"], verdict);
}

fn main_graph(nodes: impl IntoIterator<Item = Node>) -> Model {
    model(13, x_to_y(nodes))
}

#[test]
fn two_nodes_that_write_one_value() {
    let nodes = vec![op("y = Dropout(x)"), op("y = Relu(x)")];
    refused_by_all(
        &main_graph(nodes),
        &["graph: Relu `y`", "`y` is defined twice"],
    );
}

#[test]
fn a_node_that_writes_an_input_or_an_initializer() {
    let nodes = vec![op("x = Dropout(x)"), op("y = Relu(x)")];
    refused_by_all(&main_graph(nodes), &["Dropout", "`x` is defined twice"]);

    let mut bad = main_graph(vec![op("w = Dropout(x)"), op("y = Relu(w)")]);
    let main = bad.main_mut();
    *main = main.clone().init("w", f32_scalar(1.0));
    refused_by_all(&bad, &["`w` is defined twice"]);
}

#[test]
fn two_initializers_or_inputs_of_one_name() {
    let main = sound().main().clone();
    let twice = main.init("w", f32_scalar(1.0)).init("w", f32_scalar(2.0));
    refused_by_all(&model(13, twice), &["graph: ", "`w` is defined twice"]);
    let bad = model(13, sound().main().clone().input("x"));
    refused_by_all(&bad, &["graph: ", "`x` is defined twice"]);
}

#[test]
fn a_dropout_that_feeds_itself() {
    let nodes = vec![op("y = Dropout(y)")];
    refused_by_all(&main_graph(nodes), &["graph: Dropout `y`", "cycle"]);
}

#[test]
fn nodes_that_feed_each_other() {
    let nodes = vec![
        op("a = Dropout(b)"),
        op("b = Dropout(a)"),
        op("y = Relu(x)"),
    ];
    refused_by_all(&main_graph(nodes), &["graph: Dropout `", "cycle"]);
    let nodes = vec![op("a = Add(x, b)"), op("b = Dropout(a)"), op("y = Relu(b)")];
    refused_by_all(&main_graph(nodes), &["graph: ", "cycle"]);
}

#[test]
fn a_cycle_through_what_a_subgraph_captures() {
    let branch = || graph([op("inner = Dropout(y)")]).output("inner");
    let of_if = op("y = If(x)")
        .with(subgraph("then_branch", branch()))
        .with(subgraph("else_branch", branch()));
    refused_by_all(&main_graph(vec![of_if]), &["graph", "cycle"]);
}

#[test]
fn a_cycle_inside_a_subgraph() {
    let nodes = vec![op("a = Dropout(b)"), op("b = Relu(a)")];
    let of_if = op("y = If(x)").with(subgraph("then_branch", graph(nodes).output("a")));
    refused_by_all(
        &main_graph(vec![of_if]),
        &["graph/y.then_branch: ", "cycle"],
    );
}

#[test]
fn a_cycle_inside_a_function() {
    let bad = main_graph([op("y = local::F(x)")])
        .imports("local", 1)
        .function(function("F", "i", "o", 13, [op("o = Dropout(o)")]));
    refused_by_all(&bad, &["function:local::F: Dropout `o`", "cycle"]);
}

#[test]
fn a_function_that_calls_itself_does_not_hang() {
    let nodes = [op("h = Dropout(i)"), op("o = local::F(h)")];
    let bad = main_graph([op("y = local::F(x)")])
        .imports("local", 1)
        .function(function("F", "i", "o", 13, nodes));
    let folder = Folder::new();
    folder.write("bad.onnx", bad.encode_to_vec());
    for arguments in [
        "audit bad.onnx",
        "show bad.onnx",
        "strip bad.onnx",
        "strip -f bad.onnx --verify structure",
        "strip -f bad.onnx --verify run",
        "verify bad.onnx bad.onnx",
    ] {
        let said = folder.run(arguments);
        match arguments {
            "show bad.onnx" => assert_eq!(said.status, 0, "{said:?}"),
            "audit bad.onnx" => assert_eq!(said.status, 2, "{said:?}"),
            _ => said.refused(&["bad.onnx: "]),
        }
    }
    folder.write("good.onnx", sound().encode_to_vec());
    audited_as_unsound(&folder, &["function:local::F: the function calls itself"]);
}

#[test]
fn an_input_that_nothing_defines() {
    let nodes = vec![op("d = Dropout(nowhere)"), op("y = Relu(d)")];
    let names = ["graph: Dropout `d`, input 0", "nothing defines `nowhere`"];
    refused_by_all(&main_graph(nodes), &names);
    let nodes = vec![op("y = Dropout(x, ratio)")];
    let names = ["graph: Dropout `y`, input 1", "nothing defines `ratio`"];
    refused_by_all(&main_graph(nodes), &names);
}

#[test]
fn an_inner_value_is_not_defined_outside() {
    let branch = graph([op("inner = Relu(x)")]).output("inner");
    let nodes = vec![
        op("z = If(x)").with(subgraph("then_branch", branch)),
        op("y = Dropout(inner)"),
    ];
    refused_by_all(&main_graph(nodes), &["nothing defines `inner`"]);
}

#[test]
fn an_output_that_nothing_defines() {
    let bad = model(13, sound().main().clone().output("z"));
    refused_by_all(&bad, &["graph: output 1", "nothing defines `z`"]);
    let branch = graph([op("inner = Dropout(x)")]).output("other");
    let nodes = vec![op("y = If(x)").with(subgraph("then_branch", branch))];
    let names = ["graph/y.then_branch: output 0", "nothing defines `other`"];
    refused_by_all(&main_graph(nodes), &names);
}

#[test]
fn a_dropout_without_data() {
    let mut empty = op("y = Dropout()");
    empty.input = vec![String::new()];
    for dropout in [op("y = Dropout()"), empty] {
        refused(&main_graph([dropout]), &["graph: Dropout `y`"]);
    }
}

#[test]
fn a_model_that_imports_no_operators() {
    let bad = Model {
        opset_import: Vec::new(),
        ..sound()
    };
    refused(&bad, &["opset"]);
}

/// A Dropout that acts, with this ratio: without effect its ratio would be ignored.
fn with_ratio_attribute(ratio: Attribute) -> Model {
    model(6, x_to_y([op("y = Dropout(x)").with(ratio)]))
}

fn with_input(index: usize, tensor: Tensor) -> Model {
    let dropout = ["", "y = Dropout(x, p, on)", "y = Dropout(x, , p)"][index];
    let graph = x_to_y([op(dropout)]).init("p", tensor);
    model(13, graph.init("on", flag(true)))
}

/// Also the audit fails, with a finding.
#[track_caller]
fn no_ratio(bad: &Model, names: &[&str]) {
    let names = [&["graph: Dropout `y`"], names].concat();
    refused(bad, &names);
    let folder = Folder::new();
    folder.write("bad.onnx", bad.encode_to_vec());
    let before = folder.listing();
    let said = folder.run("audit bad.onnx").exits(2);
    for name in names {
        assert!(said.stderr.contains(name), "{}", said.stderr);
    }
    let said = folder.run("audit bad.onnx --format json").exits(2);
    let model = &said.json()["models"][0];
    let rule = &model["findings"][0]["rule"];
    assert!(
        rule == "invalid-rate" || rule == "invalid-dropout" || model["error"].is_string(),
        "{model}"
    );
    assert!(folder.listing() == before);
}

#[test]
fn a_ratio_attribute_outside_0_to_1() {
    for ratio in [1.0, 1.5, -0.1, f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        no_ratio(&with_ratio_attribute(float("ratio", ratio)), &["ratio"]);
    }
    for ratio in [0.0, 0.999, 1e-30] {
        let folder = Folder::new();
        folder.write(
            "good.onnx",
            with_ratio_attribute(float("ratio", ratio)).encode_to_vec(),
        );
        folder.run("strip good.onnx").exits(0);
    }
}

#[test]
fn a_ratio_attribute_of_another_type() {
    let int = int("ratio", 0);
    let string = string("ratio", "0.5");
    let tensor = tensor("ratio", f32_scalar(0.5));
    let floats = floats("ratio", &[0.5]);
    for ratio in [int, string, tensor, floats] {
        no_ratio(&with_ratio_attribute(ratio), &["ratio"]);
    }
}

#[test]
fn a_ratio_input_outside_0_to_1() {
    for ratio in [1.0, 7.0, -0.5, f32::NAN, f32::INFINITY] {
        no_ratio(&with_input(1, f32_scalar(ratio)), &["ratio"]);
        let constant = op("p = Constant()").with(float("value_float", ratio));
        let nodes = [constant, op("y = Dropout(x, p, on)")];
        let graph = x_to_y(nodes).init("on", flag(true));
        no_ratio(&model(13, graph), &["ratio"]);
    }
}

#[test]
fn a_ratio_input_of_another_type_or_shape() {
    for tensor in [
        raw(DataType::INT64, &[], &0i64.to_le_bytes()),
        raw(DataType::BOOL, &[], &[0]),
        raw(DataType::FLOAT, &[2], &[0; 8]),
        raw(DataType::FLOAT, &[0], &[]),
        Tensor {
            string_data: vec![b"0.5".to_vec()],
            ..raw(DataType::STRING, &[], &[])
        },
        raw(DataType::FLOAT, &[], &[0; 3]),
        raw(DataType::FLOAT, &[], &[]),
        raw(DataType(99), &[], &[0; 4]),
        raw(DataType::FLOAT, &[-1], &[0; 4]),
        raw(DataType::FLOAT, &[i64::MAX, i64::MAX], &[0; 4]),
    ] {
        no_ratio(&with_input(1, tensor), &["ratio"]);
    }
}

#[test]
fn a_training_mode_of_another_type() {
    for tensor in [
        raw(DataType::INT64, &[], &1i64.to_le_bytes()),
        f32_scalar(1.0),
        raw(DataType::BOOL, &[2], &[0, 1]),
    ] {
        no_ratio(&with_input(2, tensor), &["training_mode"]);
    }
}
