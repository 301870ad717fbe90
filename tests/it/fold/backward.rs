//! Backward: into the weights of what computes the data, where what uses the product cannot take it.

use super::check::{folds, nodes, of, opset17, scaled, some, times};
use crate::common::build::{f32_scalar, f32s, float, function, i64s, int, model, op};

const S: f32 = 0.7;
const COLUMNS: [f32; 4] = [0.5, 2.0, 0.3, 1.1];

fn all(w: &[f32]) -> Vec<f32> {
    scaled(w, S)
}

#[test]
fn into_a_matmul_and_the_bias_added_to_it() {
    let texts = [
        "g = MatMul(x, w)",
        "h = Add(g, b)",
        "m = Mul(h, s)",
        "y = Sigmoid(m)",
    ];
    let graph = of(&[2, 3], &[2, 4], nodes(&texts))
        .init("s", f32s(&[4], &COLUMNS))
        .init("w", f32s(&[3, 4], &some(12)))
        .init("b", f32s(&[4], &some(4)));
    let w: Vec<f32> = (0..12)
        .map(|i| times(some(12)[i], COLUMNS[i % 4]))
        .collect();
    let b: Vec<f32> = (0..4).map(|i| times(some(4)[i], COLUMNS[i])).collect();
    folds(&opset17(graph))
        .leaves(&["g = MatMul(x, w)", "h = Add(g, b)", "y = Sigmoid(h)"])
        .has("w", &w)
        .has("b", &b);
}

#[test]
fn into_a_gemm_and_its_bias() {
    for (trans, dims) in [(0, [3, 4]), (1, [4, 3])] {
        let gemm = op("h = Gemm(x, w, b)")
            .with(int("transB", trans))
            .with(float("beta", 0.25));
        let graph = of(
            &[2, 3],
            &[2, 4],
            [gemm, op("m = Mul(h, s)"), op("y = Tanh(m)")],
        )
        .init("s", f32s(&[4], &COLUMNS))
        .init("w", f32s(&dims, &some(12)))
        .init("b", f32s(&[1, 4], &some(4)));
        let column = |i: usize| if trans == 0 { i % 4 } else { i / 3 };
        let w: Vec<f32> = (0..12)
            .map(|i| times(some(12)[i], COLUMNS[column(i)]))
            .collect();
        let b: Vec<f32> = (0..4).map(|i| times(some(4)[i], COLUMNS[i])).collect();
        folds(&opset17(graph)).has("w", &w).has("b", &b);
    }
}

#[test]
fn into_the_alpha_and_beta_of_a_gemm_of_computed_weights() {
    let gemm = op("h = Gemm(x, x, b)")
        .with(int("transB", 1))
        .with(float("alpha", 2.0));
    let graph = of(
        &[2, 3],
        &[2, 2],
        [
            gemm,
            op("m = Mul(h, s)"),
            op("y = Tanh(m)"),
            op("z = Tanh(b)"),
        ],
    )
    .init("s", f32_scalar(S))
    .init("b", f32s(&[2], &some(2)))
    .output_of("z", dropout_onnx::onnx::DataType::FLOAT, &[2]);
    let folded = folds(&opset17(graph)).has("b", &some(2));
    let found: Vec<_> = folded
        .whole
        .outcome
        .attributes
        .iter()
        .map(|a| (a.name, a.is))
        .collect();
    assert_eq!(found, [("alpha", 2.0 * S), ("beta", S)]);
}

#[test]
fn into_a_conv_and_its_bias() {
    let conv = op("h = Conv(x, w, b)").with(int("group", 2));
    let graph = of(
        &[1, 4, 3, 3],
        &[1, 4, 2, 2],
        [conv, op("m = Mul(h, s)"), op("y = Elu(m)")],
    )
    .init("s", f32s(&[1, 4, 1, 1], &COLUMNS))
    .init("w", f32s(&[4, 2, 2, 2], &some(32)))
    .init("b", f32s(&[4], &some(4)));
    let w: Vec<f32> = (0..32)
        .map(|i| times(some(32)[i], COLUMNS[i / 8]))
        .collect();
    let b: Vec<f32> = (0..4).map(|i| times(some(4)[i], COLUMNS[i])).collect();
    folds(&opset17(graph)).has("w", &w).has("b", &b);
}

#[test]
fn into_a_transposed_conv_of_groups_and_its_bias() {
    let conv = op("h = ConvTranspose(x, w, b)").with(int("group", 2));
    let graph = of(
        &[1, 4, 2, 2],
        &[1, 4, 3, 3],
        [conv, op("m = Mul(h, s)"), op("y = Elu(m)")],
    )
    .init("s", f32s(&[4, 1, 1], &COLUMNS))
    .init("w", f32s(&[4, 2, 2, 2], &some(32)))
    .init("b", f32s(&[4], &some(4)));
    let mut w = some(32);
    for c in 0..4 {
        for j in 0..2 {
            let channel = c / 2 * 2 + j; // two input channels a group, two output channels
            for k in 0..4 {
                w[(c * 2 + j) * 4 + k] = times(w[(c * 2 + j) * 4 + k], COLUMNS[channel]);
            }
        }
    }
    let b: Vec<f32> = (0..4).map(|i| times(some(4)[i], COLUMNS[i])).collect();
    folds(&opset17(graph)).has("w", &w).has("b", &b);
}

#[test]
fn into_the_scale_and_bias_of_normalisations() {
    for text in [
        "h = BatchNormalization(x, g, b, mean, var)",
        "h = InstanceNormalization(x, g, b)",
    ] {
        let texts = [text, "m = Mul(h, s)", "y = Sigmoid(m)"];
        let mut graph = of(&[2, 4, 3, 3], &[2, 4, 3, 3], nodes(&texts))
            .init("s", f32s(&[4, 1, 1], &COLUMNS))
            .init("g", f32s(&[4], &some(4)))
            .init("b", f32s(&[4], &[1.0, 2.0, 3.0, 4.0]));
        if text.contains("mean") {
            graph = graph
                .init("mean", f32s(&[4], &some(4)))
                .init("var", f32s(&[4], &[1.0, 2.0, 0.5, 3.0]));
        }
        let g: Vec<f32> = (0..4).map(|i| times(some(4)[i], COLUMNS[i])).collect();
        let b: Vec<f32> = (0..4).map(|i| times(i as f32 + 1.0, COLUMNS[i])).collect();
        folds(&opset17(graph)).has("g", &g).has("b", &b);
    }
}

#[test]
fn into_the_scale_and_bias_of_a_layer_normalization() {
    let texts = [
        "h = LayerNormalization(x, g, b)",
        "m = Mul(h, s)",
        "y = Sigmoid(m)",
    ];
    let graph = of(&[2, 3, 4], &[2, 3, 4], nodes(&texts))
        .init("s", f32s(&[4], &COLUMNS))
        .init("g", f32s(&[4], &some(4)))
        .init("b", f32s(&[4], &[1.0, 2.0, 3.0, 4.0]));
    let g: Vec<f32> = (0..4).map(|i| times(some(4)[i], COLUMNS[i])).collect();
    let b: Vec<f32> = (0..4).map(|i| times(i as f32 + 1.0, COLUMNS[i])).collect();
    folds(&opset17(graph)).has("g", &g).has("b", &b);
}

#[test]
fn into_the_table_of_an_embedding() {
    let texts = [
        "h = Gather(w, i)",
        "m = Mul(h, s)",
        "n = Add(m, x)",
        "y = Sigmoid(n)",
    ];
    let graph = of(&[2, 3], &[2, 3], nodes(&texts))
        .init("s", f32_scalar(S))
        .init("w", f32s(&[5, 3], &some(15)))
        .init("i", i64s(&[4, 1]));
    folds(&opset17(graph)).has("w", &all(&some(15)));
}

#[test]
fn a_graph_output_keeps_its_name() {
    let graph = of(
        &[2, 3],
        &[2, 4],
        nodes(&["h = MatMul(x, w)", "y = Mul(h, s)"]),
    )
    .init("s", f32_scalar(S))
    .init("w", f32s(&[3, 4], &some(12)));
    folds(&opset17(graph))
        .leaves(&["y = MatMul(x, w)"])
        .has("w", &all(&some(12)));
}

#[test]
fn inside_a_function() {
    let tensor = crate::common::build::tensor;
    let body = [
        op("w = Constant()").with(tensor("value", f32s(&[3, 3], &some(9)))),
        op("s = Constant()").with(tensor("value", f32_scalar(0.5))),
        op("h = MatMul(a, w)"),
        op("b = Mul(h, s)"),
    ];
    let model = model(17, of(&[2, 3], &[2, 3], [op("y = local::F(x)")]))
        .imports("local", 1)
        .function(function("F", "a", "b", 17, body));
    folds(&model).leaves(&[
        "y = local::F(x)",
        "F(a) -> (b):",
        "  w = Constant()",
        "  b = MatMul(a, w)",
    ]);
}
