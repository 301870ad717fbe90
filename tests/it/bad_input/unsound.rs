//! Messages that are models, but no usable ones.

use tract_onnx::pb::attribute_proto::AttributeType;
use tract_onnx::pb::{self, NodeProto};

use super::build::*;
use crate::common::cli::Folder;

/// Strip and verify refuse the model, naming the file and all of `names`.
#[track_caller]
fn refused(model: &pb::ModelProto, names: &[&str]) {
    let folder = Folder::new();
    folder.write("bad.onnx", bytes(model));
    folder.write("good.onnx", bytes(&sound()));
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
fn refused_by_all(model: &pb::ModelProto, names: &[&str]) {
    refused(model, names);
    let folder = Folder::new();
    folder.write("bad.onnx", bytes(model));
    folder.write("good.onnx", bytes(&sound()));
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

fn main_graph(nodes: Vec<NodeProto>) -> pb::ModelProto {
    model(13, graph(nodes, &["x"], &["y"]))
}

#[test]
fn two_nodes_that_write_one_value() {
    let nodes = vec![
        node("Dropout", &["x"], &["y"]),
        node("Relu", &["x"], &["y"]),
    ];
    refused_by_all(
        &main_graph(nodes),
        &["graph: Relu `y`", "`y` is defined twice"],
    );
}

#[test]
fn a_node_that_writes_an_input_or_an_initializer() {
    let nodes = vec![
        node("Dropout", &["x"], &["x"]),
        node("Relu", &["x"], &["y"]),
    ];
    refused_by_all(&main_graph(nodes), &["Dropout", "`x` is defined twice"]);

    let mut bad = main_graph(vec![
        node("Dropout", &["x"], &["w"]),
        node("Relu", &["w"], &["y"]),
    ]);
    bad.graph
        .as_mut()
        .unwrap()
        .initializer
        .push(scalar("w", 1.0));
    refused_by_all(&bad, &["`w` is defined twice"]);
}

#[test]
fn two_initializers_or_inputs_of_one_name() {
    let mut bad = sound();
    let main = bad.graph.as_mut().unwrap();
    main.initializer = vec![scalar("w", 1.0), scalar("w", 2.0)];
    refused_by_all(&bad, &["graph: ", "`w` is defined twice"]);
    let bad = model(13, graph(sound().graph.unwrap().node, &["x", "x"], &["y"]));
    refused_by_all(&bad, &["graph: ", "`x` is defined twice"]);
}

#[test]
fn a_dropout_that_feeds_itself() {
    let nodes = vec![node("Dropout", &["y"], &["y"])];
    refused_by_all(&main_graph(nodes), &["graph: Dropout `y`", "cycle"]);
}

#[test]
fn nodes_that_feed_each_other() {
    let nodes = vec![
        node("Dropout", &["b"], &["a"]),
        node("Dropout", &["a"], &["b"]),
        node("Relu", &["x"], &["y"]),
    ];
    refused_by_all(&main_graph(nodes), &["graph: Dropout `", "cycle"]);
    let nodes = vec![
        node("Add", &["x", "b"], &["a"]),
        node("Dropout", &["a"], &["b"]),
        node("Relu", &["b"], &["y"]),
    ];
    refused_by_all(&main_graph(nodes), &["graph: ", "cycle"]);
}

#[test]
fn a_cycle_through_what_a_subgraph_captures() {
    let branch = || graph(vec![node("Dropout", &["y"], &["inner"])], &[], &["inner"]);
    let of_if = with_graph(node("If", &["x"], &["y"]), "then_branch", branch());
    let of_if = with_graph(of_if, "else_branch", branch());
    refused_by_all(&main_graph(vec![of_if]), &["graph", "cycle"]);
}

#[test]
fn a_cycle_inside_a_subgraph() {
    let nodes = vec![
        node("Dropout", &["b"], &["a"]),
        node("Relu", &["a"], &["b"]),
    ];
    let of_if = with_graph(
        node("If", &["x"], &["y"]),
        "then_branch",
        graph(nodes, &[], &["a"]),
    );
    refused_by_all(
        &main_graph(vec![of_if]),
        &["graph/y.then_branch: ", "cycle"],
    );
}

#[test]
fn a_cycle_inside_a_function() {
    let mut bad = main_graph(vec![NodeProto {
        domain: "d".into(),
        ..node("F", &["x"], &["y"])
    }]);
    bad.opset_import.push(pb::OperatorSetIdProto {
        domain: "d".into(),
        version: 1,
    });
    bad.functions.push(pb::FunctionProto {
        name: Some("F".into()),
        domain: Some("d".into()),
        input: vec!["i".into()],
        output: vec!["o".into()],
        node: vec![node("Dropout", &["o"], &["o"])],
        opset_import: bad.opset_import.clone(),
        ..Default::default()
    });
    refused_by_all(&bad, &["function:d::F: Dropout `o`", "cycle"]);
}

#[test]
fn a_function_that_calls_itself_does_not_hang() {
    let call = |input: &str, output: &str| NodeProto {
        domain: "d".into(),
        ..node("F", &[input], &[output])
    };
    let mut bad = main_graph(vec![call("x", "y")]);
    bad.opset_import.push(pb::OperatorSetIdProto {
        domain: "d".into(),
        version: 1,
    });
    bad.functions.push(pb::FunctionProto {
        name: Some("F".into()),
        domain: Some("d".into()),
        input: vec!["i".into()],
        output: vec!["o".into()],
        node: vec![node("Dropout", &["i"], &["h"]), call("h", "o")],
        opset_import: bad.opset_import.clone(),
        ..Default::default()
    });
    let folder = Folder::new();
    folder.write("bad.onnx", bytes(&bad));
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
    folder.write("good.onnx", bytes(&sound()));
    audited_as_unsound(&folder, &["function:d::F: the function calls itself"]);
}

#[test]
fn an_input_that_nothing_defines() {
    let nodes = vec![
        node("Dropout", &["nowhere"], &["d"]),
        node("Relu", &["d"], &["y"]),
    ];
    let names = ["graph: Dropout `d`, input 0", "nothing defines `nowhere`"];
    refused_by_all(&main_graph(nodes), &names);
    let nodes = vec![node("Dropout", &["x", "ratio"], &["y"])];
    let names = ["graph: Dropout `y`, input 1", "nothing defines `ratio`"];
    refused_by_all(&main_graph(nodes), &names);
}

#[test]
fn an_inner_value_is_not_defined_outside() {
    let branch = graph(vec![node("Relu", &["x"], &["inner"])], &[], &["inner"]);
    let nodes = vec![
        with_graph(node("If", &["x"], &["z"]), "then_branch", branch),
        node("Dropout", &["inner"], &["y"]),
    ];
    refused_by_all(&main_graph(nodes), &["nothing defines `inner`"]);
}

#[test]
fn an_output_that_nothing_defines() {
    let bad = model(13, graph(sound().graph.unwrap().node, &["x"], &["y", "z"]));
    refused_by_all(&bad, &["graph: output 1", "nothing defines `z`"]);
    let branch = graph(vec![node("Dropout", &["x"], &["inner"])], &[], &["other"]);
    let nodes = vec![with_graph(
        node("If", &["x"], &["y"]),
        "then_branch",
        branch,
    )];
    let names = ["graph/y.then_branch: output 0", "nothing defines `other`"];
    refused_by_all(&main_graph(nodes), &names);
}

#[test]
fn a_dropout_without_data() {
    for inputs in [&[][..], &[""]] {
        let nodes = vec![node("Dropout", inputs, &["y"])];
        refused(&main_graph(nodes), &["graph: Dropout `y`"]);
    }
}

#[test]
fn a_model_that_imports_no_operators() {
    let bad = pb::ModelProto {
        opset_import: Vec::new(),
        ..sound()
    };
    refused(&bad, &["opset"]);
}

fn with_ratio_attribute(ratio: pb::AttributeProto) -> pb::ModelProto {
    let nodes = vec![with(node("Dropout", &["x"], &["y"]), ratio)];
    model(7, graph(nodes, &["x"], &["y"]))
}

fn with_input(index: usize, tensor: pb::TensorProto) -> pb::ModelProto {
    let mut inputs = ["x", "", ""];
    inputs[index] = "p";
    let nodes = vec![node("Dropout", &inputs[..=index], &["y"])];
    let mut bad = model(13, graph(nodes, &["x"], &["y"]));
    bad.graph.as_mut().unwrap().initializer = vec![pb::TensorProto {
        name: "p".into(),
        ..tensor
    }];
    bad
}

/// Also the audit fails, with a finding.
#[track_caller]
fn no_ratio(bad: &pb::ModelProto, names: &[&str]) {
    let names = [&["graph: Dropout `y`"], names].concat();
    refused(bad, &names);
    let folder = Folder::new();
    folder.write("bad.onnx", bytes(bad));
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
        let ratio = pb::AttributeProto {
            f: ratio,
            ..attribute("ratio", AttributeType::Float)
        };
        no_ratio(&with_ratio_attribute(ratio), &["ratio"]);
    }
    for ratio in [0.0, 0.999, 1e-30] {
        let ratio = pb::AttributeProto {
            f: ratio,
            ..attribute("ratio", AttributeType::Float)
        };
        let folder = Folder::new();
        folder.write("good.onnx", bytes(&with_ratio_attribute(ratio)));
        folder.run("strip good.onnx").exits(0);
    }
}

#[test]
fn a_ratio_attribute_of_another_type() {
    let int = pb::AttributeProto {
        i: 0,
        ..attribute("ratio", AttributeType::Int)
    };
    let string = pb::AttributeProto {
        s: b"0.5".to_vec(),
        ..attribute("ratio", AttributeType::String)
    };
    let tensor = pb::AttributeProto {
        t: Some(scalar("", 0.5)),
        ..attribute("ratio", AttributeType::Tensor)
    };
    let floats = pb::AttributeProto {
        floats: vec![0.5],
        ..attribute("ratio", AttributeType::Floats)
    };
    for ratio in [int, string, tensor, floats] {
        no_ratio(&with_ratio_attribute(ratio), &["ratio"]);
    }
}

#[test]
fn a_ratio_input_outside_0_to_1() {
    for ratio in [1.0, 7.0, -0.5, f32::NAN, f32::INFINITY] {
        no_ratio(&with_input(1, scalar("p", ratio)), &["ratio"]);
        // the same by a Constant
        let constant = with(
            node("Constant", &[], &["p"]),
            pb::AttributeProto {
                f: ratio,
                ..attribute("value_float", AttributeType::Float)
            },
        );
        let nodes = vec![constant, node("Dropout", &["x", "p"], &["y"])];
        no_ratio(&model(13, graph(nodes, &["x"], &["y"])), &["ratio"]);
    }
}

#[test]
fn a_ratio_input_of_another_type_or_shape() {
    for tensor in [
        tensor("p", INT64, &[], &0i64.to_le_bytes()),
        tensor("p", BOOL, &[], &[0]),
        tensor("p", FLOAT, &[2], &[0; 8]),
        tensor("p", FLOAT, &[0], &[]),
        pb::TensorProto {
            string_data: vec![b"0.5".to_vec()],
            ..tensor("p", STRING, &[], &[])
        },
        tensor("p", FLOAT, &[], &[0; 3]),
        tensor("p", FLOAT, &[], &[]),
        tensor("p", 99, &[], &[0; 4]),
        tensor("p", FLOAT, &[-1], &[0; 4]),
        tensor("p", FLOAT, &[i64::MAX, i64::MAX], &[0; 4]),
    ] {
        no_ratio(&with_input(1, tensor), &["ratio"]);
    }
}

#[test]
fn a_training_mode_of_another_type() {
    for tensor in [
        tensor("p", INT64, &[], &1i64.to_le_bytes()),
        scalar("p", 1.0),
        tensor("p", BOOL, &[2], &[0, 1]),
    ] {
        no_ratio(&with_input(2, tensor), &["training_mode"]);
    }
}
