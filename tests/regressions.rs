//! What generated models and fuzzers found, each by name.

#[path = "common/promises.rs"]
mod promises;

use dropout_onnx::audit::ModelAudit;
use dropout_onnx::onnx::{Model, Values};
use dropout_onnx::source::Source;
use dropout_onnx::wire::{bytes_field, varint_field};
use promises::{Reached, parse, stripping};

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
    let opset = varint_field(2, 13);
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
        message.ends_with("ratio is a long string, not a float scalar"),
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
fn a_dropout_in_a_graph_beside_a_reference_is_stripped() {
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
