//! Masks that something uses: all true at inference, of the version's type, in the data's shape.

use dropout_onnx::onnx::DataType;

use crate::common::build::{SHAPE, function, graph, int, model, op, x_to_y};
use crate::common::proto::{Model, Node};
use crate::common::stripped::{Stripped, refusal, strips};

const OPSETS: [i64; 8] = [1, 6, 7, 9, 10, 12, 13, 22];
const ELEMENTS: [DataType; 3] = [DataType::FLOAT16, DataType::FLOAT, DataType::DOUBLE];

fn mask_type(opset: i64, element: DataType) -> DataType {
    match opset {
        ..10 => element,
        _ => DataType::BOOL,
    }
}

fn dropout(opset: i64) -> Node {
    let node = op("y, m = Dropout(h)");
    match opset {
        ..7 => node.with(int("is_test", 1)),
        _ => node,
    }
}

/// `y, m = Dropout(Relu(x))`, with the mask as an output or used by a node that makes `z`.
fn masked(opset: i64, element: DataType, output: bool, used: bool) -> Model {
    let mask = mask_type(opset, element);
    let mut nodes = vec![op("h = Relu(x)"), dropout(opset)];
    if used {
        nodes.push(match mask {
            DataType::BOOL => op("z = Not(m)"),
            _ => op("z = Mul(h, m)"),
        });
    }
    let mut graph = graph(nodes)
        .input_of("x", element, SHAPE)
        .output_of("y", element, SHAPE);
    if output {
        graph = graph.output_of("m", mask, SHAPE);
    }
    if used {
        graph = graph.output_of("z", mask, SHAPE);
    }
    model(opset, graph)
}

/// The type that the nodes which stand for the mask give it.
fn made_type(stripped: &Stripped) -> DataType {
    let nodes = &stripped.after.main().node;
    let maker = nodes.iter().find(|node| node.output == ["m"]).unwrap();
    let attribute = &maker.attribute[0];
    match (maker.op_type(), &attribute.t, &attribute.s) {
        ("ConstantOfShape", Some(one), _) => DataType(one.data_type()),
        ("Cast", _, Some(name)) if name == b"FLOAT16" => DataType::FLOAT16,
        ("Cast", _, Some(name)) if name == b"FLOAT" => DataType::FLOAT,
        ("Cast", _, Some(name)) if name == b"DOUBLE" => DataType::DOUBLE,
        ("Cast", ..) => DataType(attribute.i() as i32),
        other => panic!("{other:?} makes the mask"),
    }
}

fn all_true(output: bool, used: bool) {
    for opset in OPSETS {
        for element in ELEMENTS {
            let stripped = strips(&masked(opset, element, output, used));
            assert_eq!(
                made_type(&stripped),
                mask_type(opset, element),
                "opset {opset}, {element}"
            );
            assert_eq!(stripped.outcome.masks, ["m"]);
            assert_eq!(stripped.after.lines()[0], "y = Relu(x)");
        }
    }
}

#[test]
fn a_mask_that_is_an_output_is_all_true_in_every_version_and_type() {
    all_true(true, false);
}

#[test]
fn a_mask_that_a_node_uses_is_all_true_in_every_version_and_type() {
    all_true(false, true);
}

#[test]
fn a_mask_that_is_both_is_all_true_in_every_version_and_type() {
    all_true(true, true);
}

#[test]
fn a_mask_before_opset_9_is_made_without_constant_of_shape() {
    let stripped = strips(&masked(7, DataType::FLOAT, true, false));
    insta::assert_snapshot!("mask_opset_7", stripped.texts());
}

#[test]
fn a_mask_from_opset_10_on_is_boolean() {
    let stripped = strips(&masked(13, DataType::FLOAT, true, true));
    insta::assert_snapshot!("mask_opset_13", stripped.texts());
}

#[test]
fn an_unused_mask_is_removed() {
    strips(&masked(13, DataType::FLOAT, false, false)).leaves(&["y = Relu(x)"]);
}

#[test]
fn a_mask_alone_without_the_first_output() {
    let nodes = [op("y = Relu(x)"), op(", m = Dropout(x)")];
    assert_eq!(nodes[1].output, ["", "m"]);
    let graph = x_to_y(nodes).output_of("m", DataType::BOOL, SHAPE);
    let stripped = strips(&model(13, graph));
    assert_eq!(
        stripped.after.lines(),
        [
            "y = Relu(x)",
            "m/shape = Shape(x)",
            "m = ConstantOfShape(m/shape)"
        ]
    );
}

#[test]
fn masks_of_a_chain_are_made_from_the_name_that_the_data_ends_up_with() {
    let nodes = [
        op("h = Relu(x)"),
        op("a, m = Dropout(h)"),
        op("y, n = Dropout(a)"),
    ];
    let graph = x_to_y(nodes)
        .output_of("m", DataType::BOOL, SHAPE)
        .output_of("n", DataType::BOOL, SHAPE);
    strips(&model(13, graph)).leaves(&[
        "y = Relu(x)",
        "m/shape = Shape(y)",
        "m = ConstantOfShape(m/shape)",
        "n/shape = Shape(y)",
        "n = ConstantOfShape(n/shape)",
    ]);
}

#[test]
fn made_names_do_not_collide_with_names_that_are_there() {
    let nodes = [
        op("m/shape = Relu(x)"),
        op("y, m = Dropout(m/shape)"),
        op("m/shape_2 = Tanh(y)"),
    ];
    let graph = x_to_y(nodes)
        .output("m/shape_2")
        .output_of("m", DataType::BOOL, SHAPE);
    let stripped = strips(&model(13, graph));
    let mut outputs: Vec<_> = stripped.after.main().node.iter().collect();
    outputs.sort_by(|a, b| a.output.cmp(&b.output));
    outputs.dedup_by(|a, b| a.output == b.output);
    assert_eq!(outputs.len(), 4);
}

#[test]
fn a_mask_of_the_datas_type_is_refused_if_the_type_is_unknown() {
    let body = [
        op("h = Relu(x)"),
        op("y, m = Dropout(h)"),
        op("z = Mul(y, m)"),
    ];
    let called = |nodes: &[Node]| {
        model(9, x_to_y(nodes.to_vec()))
            .imports("local", 1)
            .function(function("F", "x", "z", 9, body.clone()))
    };
    let to = |to: DataType| int("to", i64::from(to.0));
    let why = refusal(&called(&[
        op("a = local::F(x)"),
        op("b = Cast(a)").with(to(DataType::DOUBLE)),
        op("c = local::F(b)"),
        op("y = Cast(c)").with(to(DataType::FLOAT)),
    ]));
    assert!(why.contains("its mask is used"), "{why}");
    assert!(why.contains("function:local::F"), "{why}");
    // what its only caller gives it is a type, and so are its ones
    let after = strips(&called(&[op("y = local::F(x)")])).after;
    let ones = after.functions[0]
        .node
        .iter()
        .find(|node| node.op_type() == "ConstantOfShape");
    let value = ones.unwrap().attribute[0].t.as_ref().unwrap();
    assert_eq!(value.data_type(), DataType::FLOAT.0);
}
