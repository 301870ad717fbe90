//! Carried: past operators that commute with the factor, on to weights.

use dropout_onnx::onnx::DataType;

use super::check::{Folded, folds, nodes, of, opset17, some, stays, times};
use crate::common::build::{f32_scalar, f32s, float, graph, i64s, int, ints, op, raw, string};
use crate::common::proto::{Model, Node};

/// `y = k · w` where `h = x · s`, with `rows` of weights.
pub fn before_matmul(x: &[i64], between: Vec<Node>, rows: usize, s: &[f32], dims: &[i64]) -> Model {
    let mut all = vec![op("h = Mul(x, s)")];
    all.extend(between);
    all.push(op("y = MatMul(k, w)"));
    let graph = graph(all)
        .input_of("x", DataType::FLOAT, x)
        .init("s", f32s(dims, s))
        .init("w", f32s(&[rows as i64, 2], &some(rows * 2)));
    let mut graph = graph;
    graph.output.push(crate::common::build::untyped("y"));
    opset17(graph)
}

fn scalar_passes(x: &[i64], rows: usize, between: Node) -> Folded {
    let model = before_matmul(x, vec![between], rows, &[0.7], &[]);
    let w: Vec<f32> = some(rows * 2).iter().map(|&w| times(w, 0.7)).collect();
    folds(&model).has("w", &w)
}

#[test]
fn one_number_passes_what_commutes_with_it() {
    let float_op = |text: &str, name: &str, value: f32| op(text).with(float(name, value));
    for between in [
        op("k = Relu(h)"),
        op("k = Abs(h)"),
        op("k = Neg(h)"),
        op("k = Identity(h)"),
        op("k = CastLike(h, x)"),
        op("k = Dropout(h)"),
        float_op("k = LeakyRelu(h)", "alpha", 0.1),
        op("k = Mul(h, x)"),
        op("k = Div(h, x)"),
    ] {
        scalar_passes(&[2, 3], 3, between);
    }
    let spatial: &[i64] = &[2, 3, 4, 4];
    let kernel = |text: &str| op(text).with(ints("kernel_shape", &[2, 2]));
    for (rows, between) in [
        (
            3,
            kernel("k = AveragePool(h)")
                .with(ints("pads", &[1, 1, 0, 0]))
                .with(int("count_include_pad", 1))
                .with(ints("strides", &[2, 2])),
        ),
        (3, kernel("k = MaxPool(h)")),
        (1, op("k = GlobalAveragePool(h)")),
        (1, op("k = GlobalMaxPool(h)")),
        (1, op("k = ReduceMean(h)").with(ints("axes", &[3]))),
        (1, op("k = ReduceMax(h)").with(ints("axes", &[3]))),
        (1, op("k = ReduceL2(h)").with(ints("axes", &[3]))),
        (4, op("k = Transpose(h)").with(ints("perm", &[0, 3, 1, 2]))),
        (48, op("k = Flatten(h)")),
    ] {
        let rows = match between.op_type() {
            "AveragePool" => 2,
            "Transpose" => 4,
            _ => rows,
        };
        scalar_passes(spatial, rows, between);
    }
}

pub fn with(model: Model, name: &str, tensor: crate::common::proto::Tensor) -> Model {
    let mut model = model;
    let main = model.graph.take().unwrap();
    model.graph = Some(main.init(name, tensor));
    model
}

#[test]
fn one_number_passes_what_moves_elements_about() {
    let x: &[i64] = &[2, 4, 3];
    for (rows, between, extra) in [
        (6, "k = Reshape(h, e)", i64s(&[4, 6])),
        (1, "k = Unsqueeze(h, e)", i64s(&[3])),
        (3, "k = Gather(h, e)", i64s(&[1])),
        (3, "k = PRelu(h, e)", f32_scalar(0.1)),
        (7, "k = Pad(h, e)", i64s(&[0, 0, 1, 0, 0, 3])),
        (3, "k = Expand(h, e)", i64s(&[2, 4, 3])),
    ] {
        let model = before_matmul(x, nodes(&[between]), rows, &[0.7], &[]);
        let w: Vec<f32> = some(rows * 2).iter().map(|&w| times(w, 0.7)).collect();
        folds(&with(model, "e", extra)).has("w", &w);
    }
    let model = before_matmul(x, nodes(&["k = Slice(h, a, b, a)"]), 3, &[0.7], &[]);
    let model = with(with(model, "a", i64s(&[0])), "b", i64s(&[1]));
    folds(&model);
    let model = before_matmul(&[2, 1, 3], nodes(&["k = Squeeze(h, a)"]), 3, &[0.7], &[]);
    folds(&with(model, "a", i64s(&[1])));
}

#[test]
fn a_factor_of_channels_moves_with_them() {
    let s = [0.5f32, 3.0, 0.25];
    // channels become the last axis
    let to_last = op("k = Transpose(h)").with(ints("perm", &[0, 2, 3, 1]));
    let model = before_matmul(&[2, 3, 4, 4], vec![to_last], 3, &s, &[3, 1, 1]);
    let w: Vec<f32> = (0..6).map(|i| times(some(6)[i], s[i / 2])).collect();
    folds(&model).has("w", &w);
    // pooled, then spread over what was flattened
    let pool = op("p = MaxPool(h)").with(ints("kernel_shape", &[3, 3]));
    let between = vec![pool, op("r = Relu(p)"), op("k = Flatten(r)")];
    let model = before_matmul(&[2, 3, 4, 4], between, 12, &s, &[1, 3, 1, 1]);
    let w: Vec<f32> = (0..24).map(|i| times(some(24)[i], s[i / 2 / 4])).collect();
    folds(&model).has("w", &w);
}

#[test]
fn a_factor_of_channels_is_reshaped_by_sizes() {
    let s = [0.5f32, 3.0, 0.25];
    // [2, 4, 3] to [8, 3]: the last axis is still the channels
    let model = before_matmul(&[2, 4, 3], nodes(&["k = Reshape(h, e)"]), 3, &s, &[3]);
    let w: Vec<f32> = (0..6).map(|i| times(some(6)[i], s[i / 2])).collect();
    folds(&with(model, "e", i64s(&[-1, 3]))).has("w", &w);
    // [2, 4, 3] to [2, 12]: the channels repeat
    let model = before_matmul(&[2, 4, 3], nodes(&["k = Reshape(h, e)"]), 12, &s, &[3]);
    let w: Vec<f32> = (0..24).map(|i| times(some(24)[i], s[i / 2 % 3])).collect();
    folds(&with(model, "e", i64s(&[2, 12]))).has("w", &w);
    // [2, 4, 3] to [3, 8]: they come apart
    let model = before_matmul(&[2, 4, 3], nodes(&["k = Reshape(h, e)"]), 8, &s, &[3]);
    let why = stays(&with(model, "e", i64s(&[3, 8])));
    assert!(why.contains("does not preserve the factor's axis"), "{why}");
}

#[test]
fn backward_past_what_commutes() {
    let pool = op("p = AveragePool(r)").with(ints("kernel_shape", &[2, 2]));
    let nodes = vec![
        op("c = Conv(x, w, b)"),
        op("r = Relu(c)"),
        pool,
        op("m = Mul(p, s)"),
        op("y = Sigmoid(m)"),
    ];
    let s = [0.5f32, 3.0];
    let graph = of(&[1, 1, 4, 4], &[1, 2, 2, 2], nodes)
        .init("s", f32s(&[2, 1, 1], &s))
        .init("w", f32s(&[2, 1, 2, 2], &some(8)))
        .init("b", f32s(&[2], &some(2)));
    let w: Vec<f32> = (0..8).map(|i| times(some(8)[i], s[i / 4])).collect();
    let b: Vec<f32> = (0..2).map(|i| times(some(2)[i], s[i])).collect();
    folds(&opset17(graph)).has("w", &w).has("b", &b);
}

#[test]
fn does_not_fold_a_negative_factor_past_a_relu() {
    let model = before_matmul(&[2, 3], nodes(&["k = Relu(h)"]), 3, &[-0.5], &[]);
    let why = stays(&model);
    assert!(
        why.contains("Relu does not commute with a negative factor"),
        "{why}"
    );
}

#[test]
fn a_negative_factor_passes_a_transpose() {
    let model = before_matmul(&[3, 2], nodes(&["k = Transpose(h)"]), 3, &[-0.5], &[]);
    folds(&model);
}

#[test]
fn does_not_fold_past_a_pad_of_other_than_zeros() {
    let pad = op("k = Pad(h, e, v)");
    let model = before_matmul(&[2, 3], vec![pad.clone()], 4, &[0.7], &[]);
    let model = with(with(model, "e", i64s(&[0, 0, 0, 1])), "v", f32_scalar(1.0));
    let why = stays(&model);
    assert!(why.contains("Pad inserts unscaled values"), "{why}");
    // what is there already is scaled as well
    let pad = op("k = Pad(h, e)").with(string("mode", "edge"));
    let model = before_matmul(&[2, 3], vec![pad], 4, &[0.7], &[]);
    folds(&with(model, "e", i64s(&[0, 0, 0, 1])));
}

#[test]
fn does_not_fold_channels_past_what_mixes_them() {
    let s = [0.5f32, 3.0, 0.25];
    let mean = |axes: &[i64]| op("k = ReduceMean(h)").with(ints("axes", axes));
    let why = stays(&before_matmul(&[2, 4, 3], vec![mean(&[2])], 1, &s, &[3]));
    assert!(
        why.contains("ReduceMean does not preserve the factor's axis"),
        "{why}"
    );
    folds(&before_matmul(&[2, 4, 3], vec![mean(&[1])], 3, &s, &[3]));
    let gather = op("k = GatherElements(h, e)").with(int("axis", 2));
    let gather = before_matmul(&[1, 1, 3], vec![gather], 3, &s, &[3]);
    let indices = raw(DataType::INT64, &[1, 1, 3], &[0; 24]);
    let why = stays(&with(gather, "e", indices));
    assert!(
        why.contains("GatherElements does not preserve the factor's axis"),
        "{why}"
    );
}
