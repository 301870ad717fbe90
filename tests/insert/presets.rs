//! The positions that have names, on small networks of each kind.

use std::collections::BTreeSet;

use dropout_onnx::onnx::DataType;
use dropout_onnx::rewrite::insert::{Options, candidates};

use super::check::inserts;
use crate::common::build::*;
use crate::common::proto::{Graph, Node};

/// Which values of a graph the presets know, each with the preset.
fn known(graph: Graph) -> BTreeSet<(String, String)> {
    let model = model(17, graph);
    let found = candidates(&model.read(), &Options::default()).unwrap();
    let found: BTreeSet<(String, String)> = found
        .into_iter()
        .map(|site| (site.value, site.preset.unwrap_or("-").to_string()))
        .collect();
    for (value, preset) in &found {
        let choice = dropout_onnx::rewrite::insert::Choice {
            preset: Some(preset.parse().unwrap()),
            ..Default::default()
        };
        let (inserted, _) = inserts(&model, &super::check::options([choice]));
        assert!(
            inserted
                .places
                .iter()
                .any(|place| place.data == value.as_str())
        );
    }
    found
}

fn are(found: BTreeSet<(String, String)>, wanted: &[(&str, &str)]) {
    let wanted = wanted.iter().map(|(v, p)| (v.to_string(), p.to_string()));
    assert_eq!(found, wanted.collect());
}

fn weights(graph: Graph, names: &[&str]) -> Graph {
    names.iter().fold(graph, |graph, name| {
        graph.init(name, f32s(&[3, 3], &[0.5; 9]))
    })
}

fn network(nodes: impl IntoIterator<Item = Node>) -> Graph {
    weights(x_to_y(nodes), &["w", "v", "u", "b"])
}

#[test]
fn the_head_has_dropout_after_each_activation_but_that_of_the_output() {
    are(
        known(network([
            op("a = Gemm(x, w)"),
            op("h = Relu(a)"),
            op("c = MatMul(h, v)"),
            op("d = Add(c, b)"),
            op("i = Tanh(d)"),
            op("e = Gemm(i, u)"),
            op("y = Sigmoid(e)"),
        ])),
        &[("h", "head"), ("i", "head")],
    );
}

#[test]
fn activations_of_several_operators_end_at_their_last() {
    // SiLU, and Gelu with Erf
    are(
        known(
            network([
                op("a = Gemm(x, w)"),
                op("s = Sigmoid(a)"),
                op("h = Mul(a, s)"),
                op("c = Gemm(h, v)"),
                op("d = Div(c, half)"),
                op("e = Erf(d)"),
                op("f = Add(e, half)"),
                op("g = Mul(c, f)"),
                op("i = Mul(g, half)"),
                op("y = Gemm(i, u)"),
            ])
            .init("half", f32_scalar(0.5)),
        ),
        &[("h", "head"), ("i", "head")],
    );
}

#[test]
fn convolutions_have_theirs_and_are_no_head() {
    let graph = weights(
        graph([
            op("a = Conv(x, k)"),
            op("n = BatchNormalization(a, s, s, s, s)"),
            op("r = Relu(n)"),
            op("p = GlobalAveragePool(r)"),
            op("f = Flatten(p)"),
            op("g = Gemm(f, w)"),
            op("h = Relu(g)"),
            op("y = Gemm(h, v)"),
        ])
        .input_of("x", DataType::FLOAT, &[2, 3, 8, 8])
        .output_of("y", DataType::FLOAT, &[2, 3])
        .init("k", f32s(&[3, 3, 1, 1], &[0.5; 9]))
        .init("s", f32s(&[3], &[1.0; 3])),
        &["w", "v"],
    );
    are(known(graph), &[("r", "conv"), ("h", "head")]);
}

#[test]
fn a_transformer_has_attention_residuals_and_an_embedding() {
    let graph = weights(
        graph([
            op("t = Gather(table, ids)"),
            op("p = Gather(table, places)"),
            op("e = Add(t, p)"),
            op("q = MatMul(e, w)"),
            op("k = MatMul(e, v)"),
            op("kt = Transpose(k)"),
            op("s = MatMul(q, kt)"),
            op("a = Softmax(s)"),
            op("m = MatMul(a, e)"),
            op("o = MatMul(m, u)"),
            op("r = Add(e, o)"),
            op("f = MatMul(r, w)"),
            op("g = Relu(f)"),
            op("z = MatMul(g, v)"),
            op("r2 = Add(z, r)"),
            op("l = Gemm(r2, u)"),
            op("y = Softmax(l)"),
        ])
        .input_of("ids", DataType::INT64, &[3])
        .input_of("places", DataType::INT64, &[3])
        .output_of("y", DataType::FLOAT, &[3, 3])
        .init("table", f32s(&[4, 3], &[0.5; 12])),
        &["w", "v", "u"],
    );
    are(
        known(graph),
        &[
            ("e", "embedding"),
            ("a", "attention"),
            ("o", "residual"),
            ("z", "residual"),
        ],
    );
}

#[test]
fn a_classifiers_softmax_and_a_sum_that_is_no_residual_are_none() {
    // the twin: what looks like them
    are(
        known(network([
            op("a = MatMul(x, w)"),
            op("s = Softmax(a)"),
            op("c = MatMul(s, v)"),
            op("d = MatMul(x, u)"),
            op("y = Add(c, d)"),
        ])),
        &[],
    );
}
