//! Factors along an axis: where it goes in what an operator makes, and which factors are left along it.

use dropout_onnx::onnx::DataType;

use super::carried::{before_matmul, with};
use super::check::{folds, nodes, of, opset17, some, stays, times};
use crate::common::build::{f32s, i64s, int, ints, op, raw, string};
use crate::common::proto::{Node, Tensor};

const S: [f32; 3] = [0.5, 3.0, 0.25];

/// A factor of three channels, the last axis of `[2, 4, 3]`, passes an operator whose constants these
/// are, and arrives with these factors along the last axis of what it makes.
#[track_caller]
fn arrives(between: Node, constants: &[(&str, Tensor)], expected: &[f32]) {
    let rows = expected.len();
    let mut model = before_matmul(&[2, 4, 3], vec![between], rows, &S, &[3]);
    for (name, tensor) in constants {
        model = with(model, name, tensor.clone());
    }
    let w = some(rows * 2);
    let w: Vec<f32> = (0..w.len()).map(|i| times(w[i], expected[i / 2])).collect();
    folds(&model).has("w", &w);
}

fn number(n: i64) -> Tensor {
    raw(DataType::INT64, &[], &n.to_le_bytes())
}

fn of_opset(opset: i64, model: &crate::common::proto::Model) -> crate::common::proto::Model {
    let mut model = model.clone();
    model.opset_import[0].version = Some(opset);
    model
}

#[test]
fn what_runs_along_another_axis_leaves_it_alone() {
    let e = |tensor| [("e", tensor)];
    arrives(
        op("k = Gather(h, e)").with(int("axis", 1)),
        &e(i64s(&[2, 0])),
        &S,
    );
    arrives(op("k = Gather(h, e)"), &e(i64s(&[1, 1, 0])), &S);
    arrives(op("k = Tile(h, e)"), &e(i64s(&[2, 3, 1])), &S);
    arrives(op("k = Expand(h, e)"), &e(i64s(&[2, 4, 1])), &S);
    arrives(op("k = CumSum(h, e)"), &e(number(1)), &S);
    arrives(op("k = Pad(h, e)"), &e(i64s(&[1, 0, 0, 0, 2, 0])), &S);
    let reduce = op("k = ReduceSum(h, e)").with(int("keepdims", 0));
    arrives(reduce, &e(i64s(&[1])), &S);
    let reduce = op("k = ReduceMax(h)")
        .with(int("keepdims", 0))
        .with(ints("axes", &[-3]));
    arrives(reduce, &[], &S);
    let cut = [("a", i64s(&[1])), ("b", i64s(&[3])), ("c", i64s(&[-2]))];
    arrives(op("k = Slice(h, a, b, c)"), &cut, &S);
    let last = op("k = Split(h, e)").with(int("axis", 1));
    arrives(last, &e(i64s(&[4])), &S);
}

#[test]
fn indices_along_it_are_taken_as_the_operator_takes_them() {
    let e = |tensor| [("e", tensor)];
    let gather = op("k = Gather(h, e)").with(int("axis", -1));
    arrives(gather, &e(i64s(&[2, 0, 2, -2])), &[0.25, 0.5, 0.25, 3.0]);
    let tile = op("k = Tile(h, e)");
    arrives(
        tile,
        &e(i64s(&[1, 1, 2])),
        &[0.5, 3.0, 0.25, 0.5, 3.0, 0.25],
    );
    let pad = op("k = Pad(h, e)");
    arrives(
        pad.clone(),
        &e(i64s(&[0, 0, 1, 0, 0, 2])),
        &[1.0, 0.5, 3.0, 0.25, 1.0, 1.0],
    );
    for (start, end, step, expected) in [
        (0, 2, 1, vec![0.5, 3.0]),
        (1, i64::MAX, 1, vec![3.0, 0.25]),
        (-1, i64::MIN, -1, vec![0.25, 3.0, 0.5]),
        (0, 3, 2, vec![0.5, 0.25]),
    ] {
        let cut = [start, end, 2, step].map(|n| i64s(&[n]));
        let names = ["a", "b", "c", "d"];
        let cut: Vec<_> = names.into_iter().zip(cut).collect();
        arrives(op("k = Slice(h, a, b, c, d)"), &cut, &expected);
    }
}

#[test]
fn every_part_of_a_split_takes_its_own() {
    let split = op("a, b = Split(h, e)").with(int("axis", 1));
    let rest = ["c = MatMul(a, u)", "d = MatMul(b, v)", "y = Add(c, d)"];
    let mut all = vec![op("h = Mul(x, s)"), split];
    all.extend(nodes(&rest));
    let graph = of(&[2, 3], &[2, 2], all)
        .init("s", f32s(&[3], &S))
        .init("e", i64s(&[1, 2]))
        .init("u", f32s(&[1, 2], &some(2)))
        .init("v", f32s(&[2, 2], &some(4)));
    let u: Vec<f32> = some(2).iter().map(|&u| times(u, 0.5)).collect();
    let v: Vec<f32> = (0..4).map(|i| times(some(4)[i], S[1 + i / 2])).collect();
    folds(&opset17(graph.clone())).has("u", &u).has("v", &v);
    // a part that cannot take it keeps all of it
    let mut graph = graph;
    graph.node[3] = op("d = Sigmoid(b)");
    graph.node[4] = op("y = Mul(c, c)");
    graph.output.push(crate::common::build::untyped("d"));
    let why = stays(&opset17(graph));
    assert!(why.contains("Sigmoid `d`: does not commute"), "{why}");
}

#[test]
fn does_not_fold_back_into_a_part_of_a_split() {
    let split = op("a, b = Split(k, e)").with(int("axis", 1));
    let all = [
        op("k = MatMul(x, w)"),
        split,
        op("m = Mul(a, s)"),
        op("z = Sigmoid(m)"),
        op("y = Sigmoid(b)"),
    ];
    let graph = of(&[2, 3], &[2, 1], all)
        .output_of("z", DataType::FLOAT, &[2, 1])
        .init("s", f32s(&[], &[0.7]))
        .init("e", i64s(&[1, 1]))
        .init("w", f32s(&[3, 2], &some(6)));
    let why = stays(&opset17(graph));
    assert!(
        why.contains("its other inputs would have to be scaled"),
        "{why}"
    );
}

/// `y = Sigmoid(k · s)` where `k` is made of `x · w`, with two columns in `w`.
fn behind(between: Node, y: &[i64], s: &[f32], dims: &[i64]) -> crate::common::proto::Graph {
    let all = [
        op("g = MatMul(x, w)"),
        between,
        op("m = Mul(k, s)"),
        op("y = Sigmoid(m)"),
    ];
    of(&[2, 3], y, all)
        .init("s", f32s(dims, s))
        .init("w", f32s(&[3, 2], &some(6)))
}

#[test]
fn backward_each_index_gets_back_what_was_taken_of_it() {
    let columns =
        |by: [f32; 2]| -> Vec<f32> { (0..6).map(|i| times(some(6)[i], by[i % 2])).collect() };
    let gather = op("k = Gather(g, e)").with(int("axis", 1));
    let both = behind(gather.clone(), &[2, 2], &[0.5, 3.0], &[2]).init("e", i64s(&[1, 0]));
    folds(&opset17(both)).has("w", &columns([3.0, 0.5]));
    let one = behind(gather.clone(), &[2, 1], &[0.5], &[1]).init("e", i64s(&[1]));
    folds(&opset17(one)).has("w", &columns([0.5, 0.5]));
    let twice = behind(gather.clone(), &[2, 2], &[3.0, 3.0], &[2]).init("e", i64s(&[1, 1]));
    folds(&opset17(twice));
    // what is taken twice can only be scaled alike
    let twice = behind(gather, &[2, 2], &[0.5, 3.0], &[2]).init("e", i64s(&[1, 1]));
    let why = stays(&opset17(twice));
    assert!(
        why.contains("Gather does not preserve the factor's axis"),
        "{why}"
    );
    let reduce = op("k = ReduceSum(g, e)").with(int("keepdims", 0));
    let reduce = behind(reduce, &[2], &[0.5, 3.0], &[2]).init("e", i64s(&[0]));
    folds(&opset17(reduce)).has("w", &columns([0.5, 3.0]));
    let turned = behind(op("k = Transpose(g)"), &[2, 2], &[0.5, 3.0], &[2, 1]);
    folds(&opset17(turned)).has("w", &columns([0.5, 3.0]));
}

#[test]
fn axes_that_pad_names_are_the_ones_that_are_padded() {
    let pad = op("k = Pad(h, e, \"\", a)");
    let mut pad = pad;
    pad.input[2] = String::new();
    let model = before_matmul(&[2, 4, 3], vec![pad], 3, &S, &[3]);
    let model = with(with(model, "e", i64s(&[1, 1])), "a", i64s(&[-2]));
    folds(&of_opset(18, &model));
}

#[test]
fn does_not_fold_along_what_an_operator_runs_along() {
    let sum = before_matmul(&[2, 4, 3], nodes(&["k = CumSum(h, e)"]), 3, &S, &[3]);
    let why = stays(&with(sum, "e", number(2)));
    assert!(
        why.contains("CumSum does not preserve the factor's axis"),
        "{why}"
    );
    let pad = op("k = Pad(h, e)").with(string("mode", "edge"));
    let pad = before_matmul(&[2, 4, 3], vec![pad], 4, &S, &[3]);
    let why = stays(&with(pad, "e", i64s(&[0, 0, 1, 0, 0, 0])));
    assert!(
        why.contains("Pad does not preserve the factor's axis"),
        "{why}"
    );
}
