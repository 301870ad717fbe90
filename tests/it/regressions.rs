//! What generated models and fuzzers found, each by name.

use crate::common::promises::{Reached, folding, parse, stripping};
use dropout_onnx::audit::ModelAudit;
use dropout_onnx::onnx::{Model, Values};
use dropout_onnx::rewrite::fold;
use dropout_onnx::source::Source;
use dropout_onnx::wire::{bytes_field, varint_field};

/// A message of fields that hold bytes.
fn message(fields: &[(u32, &[u8])]) -> Vec<u8> {
    let fields = fields.iter();
    fields
        .flat_map(|&(number, payload)| bytes_field(number, payload))
        .collect()
}

fn tensor(name: &str, data_type: u64, dims: &[u64]) -> Vec<u8> {
    let dims = dims.iter().flat_map(|&dim| varint_field(1, dim));
    let data_type = varint_field(2, data_type);
    let name = bytes_field(8, name.as_bytes());
    dims.chain(data_type).chain(name).collect()
}

/// A model of opset 13 with this graph.
fn model(graph: &[u8]) -> Vec<u8> {
    model_of(13, graph)
}

fn model_of(opset: u64, graph: &[u8]) -> Vec<u8> {
    let opset = varint_field(2, opset);
    [varint_field(1, 8), message(&[(8, &opset), (7, graph)])].concat()
}

fn read(bytes: &[u8]) -> Model {
    Model::read(Source::from_bytes(bytes.to_vec())).unwrap()
}

#[test]
fn a_tensor_of_one_long_string_is_shown_by_its_hash() {
    let long = [b's'; 5000];
    let tensor = [tensor("w", 8, &[]), bytes_field(6, &long)].concat();
    let model = read(&model(&message(&[(5, &tensor)])));
    let text = dropout_onnx::show::text(&model).unwrap();
    assert!(text.contains("initializer w: string[] #"), "{text}");
}

#[test]
fn a_ratio_that_is_a_long_string_is_a_problem_of_its_site() {
    let long = [b's'; 5000];
    let ratio = [tensor("r", 8, &[]), bytes_field(6, &long)].concat();
    let node = message(&[(1, b"x"), (1, b"r"), (2, b"y"), (4, b"Dropout")]);
    let (x, y) = (message(&[(1, b"x")]), message(&[(1, b"y")]));
    let model = read(&model(&message(&[
        (1, &node),
        (5, &ratio),
        (11, &x),
        (12, &y),
    ])));
    let audit = ModelAudit::new("model.onnx", &model).unwrap();
    let message = &audit.findings[0].message;
    assert!(
        message.ends_with("ratio is a string, not a float scalar"),
        "{message}"
    );
}

#[test]
fn dims_of_a_sparse_ratio_may_be_as_large_as_they_like() {
    let dims: Vec<u8> = [1 << 62, 7]
        .iter()
        .flat_map(|&dim| varint_field(3, dim))
        .collect();
    let values = tensor("", 1, &[1]);
    let sparse = [message(&[(1, &values)]), dims].concat();
    let attribute = message(&[(1, b"sparse_value"), (22, &sparse)]);
    let constant = message(&[(2, b"r"), (4, b"Constant"), (5, &attribute)]);
    let dropout = message(&[(1, b"x"), (1, b"r"), (2, b"y"), (4, b"Dropout")]);
    let (x, y) = (message(&[(1, b"x")]), message(&[(1, b"y")]));
    let bytes = model(&message(&[
        (1, &constant),
        (1, &dropout),
        (11, &x),
        (12, &y),
    ]));
    assert_eq!(parse(&bytes), Reached::Read);
}

/// An attribute that is a reference and a graph at once: the graph's nodes are found, so they have to
/// be written as well.
#[test]
fn a_dropout_in_a_subgraph_with_a_reference_attribute_is_stripped() {
    let dropout = message(&[(1, b"x"), (2, b"z"), (4, b"Dropout")]);
    let relu = message(&[(1, b"z"), (2, b"y"), (4, b"Relu")]);
    let y = message(&[(1, b"y")]);
    let inner = message(&[(1, &dropout), (1, &relu), (12, &y)]);
    let attribute = message(&[(1, b"body"), (6, &inner), (21, b"other")]);
    let node = message(&[(2, b"out"), (4, b"Anything"), (5, &attribute), (7, b"odd")]);
    let (x, out) = (message(&[(1, b"x")]), message(&[(1, b"out")]));
    let bytes = model(&message(&[(1, &node), (11, &x), (12, &out)]));
    let found = read(&bytes);
    found.check(&Values::new(&found)).unwrap();
    assert_eq!(found.nodes().count(), 3);
    assert_eq!(stripping(&bytes), Reached::Stripped);
}

/// A graph with a mask that is used and that only the dropout's output gives a type.
fn used_mask(data_type: u64) -> Vec<u8> {
    let anything = message(&[(1, b"x"), (2, b"v"), (4, b"Anything"), (7, b"odd")]);
    let dropout = message(&[(1, b"v"), (2, b"y"), (2, b"m"), (4, b"Dropout")]);
    let relu = message(&[(1, b"m"), (2, b"z"), (4, b"Relu")]);
    let kind = message(&[(1, &varint_field(1, data_type))]);
    let (x, y) = (message(&[(1, b"x")]), message(&[(1, b"y"), (2, &kind)]));
    let z = message(&[(1, b"z")]);
    let nodes: [(u32, &[u8]); 3] = [(1, &anything), (1, &dropout), (1, &relu)];
    let interface: [(u32, &[u8]); 3] = [(11, &x), (12, &y), (12, &z)];
    message(&[nodes, interface].concat())
}

/// Strip and the comparison of structures have to find the type of a mask in the same places, and
/// to know the same ways of writing ones.
#[test]
fn masks_of_every_type_that_strip_writes_are_known_as_ones() {
    for opset in [1, 6, 7, 8, 9, 10, 13] {
        for data_type in [1, 9, 10, 11] {
            let bytes = model_of(opset, &used_mask(data_type));
            assert_eq!(stripping(&bytes), Reached::Stripped, "{opset} {data_type}");
        }
    }
}

#[test]
fn a_mask_of_a_type_that_strip_cannot_write_is_refused() {
    for data_type in [7, 16, 17] {
        let bytes = model_of(9, &used_mask(data_type));
        assert_eq!(stripping(&bytes), Reached::Read, "{data_type}");
    }
}

#[test]
fn elements_of_another_wire_type_are_no_elements() {
    // raw_data as a number, float_data as numbers
    let unknown = [varint_field(9, 7), varint_field(4, 7)].concat();
    let tensor = [
        tensor("w", 1, &[]),
        bytes_field(4, &[0, 0, 0x80, 0x3f]),
        unknown,
    ]
    .concat();
    let text = dropout_onnx::show::text(&read(&model(&message(&[(5, &tensor)])))).unwrap();
    assert!(text.contains("initializer w: float[] {1.0}"), "{text}");
}

#[test]
fn a_type_is_read_past_fields_of_another_wire_type() {
    let tensor_type = [bytes_field(1, b"?"), varint_field(1, 1)].concat();
    let x = message(&[(1, b"x"), (2, &message(&[(1, &tensor_type)]))]);
    let text = dropout_onnx::show::text(&read(&model(&message(&[(11, &x)])))).unwrap();
    assert!(text.contains("input x: float"), "{text}");
}

/// A factor whose name is that of its output with more behind it, in letters of several bytes.
#[test]
fn a_factor_called_almost_as_strip_calls_it() {
    for (name, dims) in [
        ("y/scale\u{e9}", &[][..]),
        ("y/scale_", &[1]),
        ("y/scale_2", &[u64::MAX]),
    ] {
        let multiply = message(&[(1, b"x"), (1, name.as_bytes()), (2, b"y"), (4, b"Mul")]);
        let factor = tensor(name, 1, dims);
        let (x, y) = (message(&[(1, b"x")]), message(&[(1, b"y")]));
        let bytes = model(&message(&[
            (1, &multiply),
            (5, &factor),
            (11, &x),
            (12, &y),
        ]));
        folding(&bytes);
        let only_dropout = fold::Options::default().only_dropout(true);
        fold::fold(&read(&bytes), &only_dropout).unwrap();
    }
}
