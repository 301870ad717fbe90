//! Forward: into the weights of what uses the product.

use super::check::{folds, nodes, of, opset17, some, stays};
use crate::common::build::{f32_scalar, f32s, float, int, ints, op};

const S: f32 = 0.7;
const CHANNELS: [f32; 4] = [0.5, 2.0, 0.3, 1.1];

#[test]
fn into_the_weights_of_a_matmul() {
    let w = some(12);
    let graph = of(
        &[2, 3],
        &[2, 4],
        nodes(&["h = Mul(x, s)", "y = MatMul(h, w)"]),
    )
    .init("s", f32_scalar(S))
    .init("w", f32s(&[3, 4], &w));
    let scaled: Vec<f32> = w
        .iter()
        .map(|w| (f64::from(*w) * f64::from(S)) as f32)
        .collect();
    let folded = folds(&opset17(graph))
        .leaves(&["y = MatMul(x, w)"])
        .has("w", &scaled);
    assert_eq!(
        folded.after.main().initializer.len(),
        1,
        "the factor is left"
    );
}

#[test]
fn per_channel_along_the_axis_that_a_matmul_sums_over() {
    let (w, s) = (some(12), [0.5f32, 3.0, 0.1]);
    let graph = of(
        &[2, 3],
        &[2, 4],
        nodes(&["h = Div(x, s)", "y = MatMul(h, w)"]),
    )
    .init("s", f32s(&[3], &s))
    .init("w", f32s(&[3, 4], &w));
    let mut scaled = w.clone();
    for k in 0..3 {
        for n in 0..4 {
            scaled[k * 4 + n] = (f64::from(w[k * 4 + n]) * (1.0 / f64::from(s[k]))) as f32;
        }
    }
    folds(&opset17(graph))
        .leaves(&["y = MatMul(x, w)"])
        .has("w", &scaled);
}

/// The rank follows from `x`, a hundred nodes upstream.
#[test]
fn per_channel_downstream_of_a_long_chain_without_declared_shapes() {
    let mut lines = vec!["v0 = Relu(x)".to_string()];
    lines.extend((1..100).map(|n| format!("v{n} = Relu(v{})", n - 1)));
    lines.extend(["h = Mul(v99, s)", "y = MatMul(h, w)"].map(String::from));
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    let (w, s) = (some(12), [0.5f32, 3.0, 0.1]);
    let graph = of(&[2, 3], &[2, 4], nodes(&lines))
        .init("s", f32s(&[3], &s))
        .init("w", f32s(&[3, 4], &w));
    let scaled: Vec<f32> = (0..12).map(|i| w[i] * s[i / 4]).collect();
    folds(&opset17(graph)).has("w", &scaled);
}

#[test]
fn into_weights_that_come_first_in_a_matmul() {
    let (w, s) = (some(12), [0.5f32, 4.0]);
    let graph = of(
        &[2, 3],
        &[6, 3],
        nodes(&["h = Mul(s, x)", "y = MatMul(w, h)"]),
    )
    .init("s", f32s(&[2, 1], &s))
    .init("w", f32s(&[6, 2], &w));
    let scaled: Vec<f32> = (0..12).map(|i| w[i] * s[i % 2]).collect();
    folds(&opset17(graph))
        .leaves(&["y = MatMul(w, x)"])
        .has("w", &scaled);
}

#[test]
fn into_a_gemm_transposed_or_not() {
    for (trans, dims) in [(0, [3, 4]), (1, [4, 3])] {
        let (w, s) = (some(12), [0.5f32, 3.0, 0.1]);
        let gemm = op("y = Gemm(h, w, b)")
            .with(int("transB", trans))
            .with(float("alpha", 0.5));
        let graph = of(&[2, 3], &[2, 4], [op("h = Mul(x, s)"), gemm])
            .init("s", f32s(&[1, 3], &s))
            .init("w", f32s(&dims, &w))
            .init("b", f32s(&[4], &some(4)));
        let scaled: Vec<f32> = (0..12)
            .map(|i| {
                let k = if trans == 0 { i / 4 } else { i % 3 };
                (f64::from(w[i]) * f64::from(s[k])) as f32
            })
            .collect();
        folds(&opset17(graph)).has("w", &scaled).has("b", &some(4));
    }
}

#[test]
fn into_the_alpha_of_a_gemm_whose_weights_would_have_to_be_copied() {
    let texts = [
        "h = Mul(x, s)",
        "g = Gemm(h, w)",
        "f = Gemm(x, w)",
        "y = Add(f, g)",
    ];
    let graph = of(&[2, 3], &[2, 3], nodes(&texts))
        .init("s", f32_scalar(S))
        .init("w", f32s(&[3, 3], &some(9)));
    let folded = folds(&opset17(graph)).has("w", &some(9));
    let [scaled] = &folded.whole.outcome.attributes[..] else {
        panic!("{:?}", folded.whole.outcome);
    };
    assert_eq!((scaled.name, scaled.is), ("alpha", S));
    assert!(folded.whole.outcome.copies.is_empty());
}

#[test]
fn into_the_alpha_of_a_gemm_whose_weights_a_run_computes() {
    let graph = of(
        &[2, 3],
        &[2, 2],
        [
            op("h = Mul(x, s)"),
            op("y = Gemm(h, x)").with(int("transB", 1)),
        ],
    );
    let folded = folds(&opset17(graph.init("s", f32_scalar(0.5))));
    assert_eq!(folded.whole.outcome.attributes[0].is, 0.5);
    assert!(folded.whole.outcome.exact);
}

#[test]
fn into_the_beta_of_a_gemm() {
    let graph = of(
        &[2, 3],
        &[2, 3],
        nodes(&["h = Mul(x, s)", "y = Gemm(x, w, h)"]),
    )
    .init("s", f32_scalar(S))
    .init("w", f32s(&[3, 3], &some(9)));
    let folded = folds(&opset17(graph)).has("w", &some(9));
    assert_eq!(folded.whole.outcome.attributes[0].name, "beta");
}

#[test]
fn does_not_fold_a_factor_that_alpha_would_round() {
    // 1/3 in 64 bits is not a float, and the weights are an input
    use crate::common::build::{graph, scalar};
    use dropout_onnx::onnx::DataType;
    let graph = graph(nodes(&["h = Div(x, s)", "y = Gemm(h, w)"]))
        .input_of("x", DataType::DOUBLE, &[2, 3])
        .input_of("w", DataType::DOUBLE, &[3, 3])
        .output_of("y", DataType::DOUBLE, &[2, 3])
        .init("s", scalar(DataType::DOUBLE, 3.0));
    let why = stays(&opset17(graph));
    assert!(why.contains("`w` is not constant"), "{why}");
}

#[test]
fn into_the_input_channels_of_a_conv() {
    for group in [1usize, 2] {
        let (m, c) = (6, 4 / group);
        let w = some(m * c * 9);
        let conv = op("y = Conv(h, w, b)")
            .with(int("group", group as i64))
            .with(ints("pads", &[1, 1, 1, 1]));
        let graph = of(&[1, 4, 5, 5], &[1, 6, 5, 5], [op("h = Mul(x, s)"), conv])
            .init("s", f32s(&[1, 4, 1, 1], &CHANNELS))
            .init("w", f32s(&[6, c as i64, 3, 3], &w))
            .init("b", f32s(&[6], &some(6)));
        let mut scaled = w.clone();
        for out in 0..m {
            for j in 0..c {
                let channel = out / (m / group) * c + j;
                for k in 0..9 {
                    let i = (out * c + j) * 9 + k;
                    scaled[i] = (f64::from(w[i]) * f64::from(CHANNELS[channel])) as f32;
                }
            }
        }
        folds(&opset17(graph))
            .leaves(&["y = Conv(x, w, b)"])
            .has("w", &scaled)
            .has("b", &some(6));
    }
}

#[test]
fn into_the_input_channels_of_a_transposed_conv() {
    for group in [1usize, 2] {
        let w = some(4 * 3 * 4);
        let conv = op("y = ConvTranspose(h, w)").with(int("group", group as i64));
        let graph = of(
            &[1, 4, 3, 3],
            &[1, 3 * group as i64, 4, 4],
            [op("h = Mul(x, s)"), conv],
        )
        .init("s", f32s(&[4, 1, 1], &CHANNELS))
        .init("w", f32s(&[4, 3, 2, 2], &w));
        let scaled: Vec<f32> = (0..48)
            .map(|i| (f64::from(w[i]) * f64::from(CHANNELS[i / 12])) as f32)
            .collect();
        folds(&opset17(graph)).has("w", &scaled);
    }
}

#[test]
fn into_a_gemm_that_takes_its_data_transposed() {
    let (w, s) = (some(8), [0.5f32, 3.0]);
    let gemm = op("y = Gemm(h, w)").with(int("transA", 1));
    let graph = of(&[2, 3], &[3, 4], [op("h = Mul(x, s)"), gemm])
        .init("s", f32s(&[2, 1], &s))
        .init("w", f32s(&[2, 4], &w));
    let scaled: Vec<f32> = (0..8).map(|i| w[i] * s[i / 4]).collect();
    folds(&opset17(graph)).has("w", &scaled);
}

/// `s·(f·x − m)/√(v + ε) + b = s·f·(x − m/f)/√(v + ε) + b`.
#[test]
fn into_the_scale_and_the_mean_of_a_batch_normalization() {
    let nodes = [
        op("h = Mul(x, s)"),
        op("y = BatchNormalization(h, g, b, m, v)").with(float("epsilon", 0.1)),
    ];
    let numbers = [1.0f32, -2.0, 3.0, 0.5];
    for (s, dims) in [(CHANNELS.to_vec(), vec![4, 1, 1]), (vec![-0.7], vec![])] {
        let graph = of(&[2, 4, 3, 3], &[2, 4, 3, 3], nodes.clone())
            .init("s", f32s(&dims, &s))
            .init("g", f32s(&[4], &some(4)))
            .init("b", f32s(&[4], &numbers))
            .init("m", f32s(&[4], &numbers))
            .init("v", f32s(&[4], &[1.0, 2.0, 0.5, 3.0]));
        let by = |i: usize| f64::from(s[i % s.len()]);
        let g: Vec<f32> = (0..4)
            .map(|i| (f64::from(some(4)[i]) * by(i)) as f32)
            .collect();
        let m: Vec<f32> = (0..4)
            .map(|i| (f64::from(numbers[i]) * (1.0 / by(i))) as f32)
            .collect();
        let folded = folds(&opset17(graph)).has("g", &g).has("m", &m);
        folded.has("b", &numbers).has("v", &[1.0, 2.0, 0.5, 3.0]);
    }
}

#[test]
fn into_the_input_weights_of_recurrent_layers() {
    for (operator, gates) in [("LSTM", 4), ("GRU", 3), ("RNN", 1)] {
        let s = [0.5f32, 2.0, 0.3];
        let w = some(gates * 2 * 3);
        let layer = op(&format!("y = {operator}(h, w, r)")).with(int("hidden_size", 2));
        let graph = of(&[4, 1, 3], &[4, 1, 1, 2], [op("h = Mul(x, s)"), layer])
            .init("s", f32s(&[3], &s))
            .init("w", f32s(&[1, gates as i64 * 2, 3], &w))
            .init("r", f32s(&[1, gates as i64 * 2, 2], &some(gates * 4)));
        let scaled: Vec<f32> = (0..w.len())
            .map(|i| (f64::from(w[i]) * f64::from(s[i % 3])) as f32)
            .collect();
        folds(&opset17(graph)).has("w", &scaled);
    }
}
