//! Operators of ONNX Runtime that fuse several of ONNX, or that ONNX has by now.

use super::site::Site;
use super::{Repair, always};

pub(super) const ALL: &[Repair] = &[
    Repair::made("FusedMatMul", always, product).foreign(),
    Repair::made("TransposeMatMul", always, product).foreign(),
    Repair::made("FusedGemm", is_known, |site| {
        let parameters = ["activation_alpha", "activation_beta"].map(|name| site.float(name, 0.0));
        format!(
            "a b bias => y
             y = Gemm(a, b, bias){{transA, transB, alpha, beta}}
             {}",
            activated(site, &parameters),
        )
    })
    .foreign(),
    // a fourth input is added before the activation
    Repair::made("FusedConv", is_known, |site| {
        format!(
            "x weights bias more => y
             y = Conv(x, weights, bias){{auto_pad, dilations, group, kernel_shape, pads, strides}}
             y = Add(y, more?)
             {}",
            activated(site, site.floats("activation_params")),
        )
    })
    .foreign(),
    // over all axes from one on
    Repair::of(
        "BiasSoftmax",
        always,
        "x bias => y
         sum = Add(x, bias)
         y = Reshape(Softmax(Flatten(sum){axis}){axis=-1}, Shape(sum))",
    )
    .foreign(),
    Repair::made(
        "ExpandDims",
        |site| site.integers("", 1).is_some(),
        |site| {
            let axes = site.integers("", 1).unwrap_or_default();
            format!("x => y\n y = Unsqueeze(x, {axes:?})")
        },
    )
    .foreign(),
    Repair::of("GridSample", always, OF_ONNX).foreign(),
    Repair::of("Range", always, OF_ONNX).foreign(),
    Repair::of("Trilu", always, OF_ONNX).foreign(),
    Repair::of("QuantizeLinear", always, OF_ONNX).foreign(),
    Repair::of("DequantizeLinear", always, OF_ONNX).foreign(),
];

const OF_ONNX: &str = "a b c => y
    y = self(a, b, c){*}";

/// A product of matrices, transposed first if asked for: the last two axes, or the batch axes with the last.
fn product(site: &Site<'_>) -> String {
    let [a, b] = [
        turned(site, 0, ["transA", "transBatchA"]),
        turned(site, 1, ["transB", "transBatchB"]),
    ];
    format!("a b => y\n y = Mul(MatMul(Transpose(a){a}, Transpose(b){b}), @alpha=1)")
}

fn turned(site: &Site<'_>, input: usize, names: [&str; 2]) -> String {
    let [last, batch] = names.map(|name| site.int(name, 0) != 0);
    let rank = site.rank(input).unwrap_or(2);
    let mut perm: Vec<usize> = (0..rank).collect();
    if batch && rank > 1 {
        perm[..rank - 1].rotate_left(1);
    }
    if last && rank > 1 {
        perm.swap(rank - 2, rank - 1);
    }
    format!("{{perm={perm:?}}}")
}

/// The names of the parameters of an activation.
fn parameters(activation: &str) -> Option<&'static [&'static str]> {
    Some(match activation {
        "" | "Clip" | "Relu" | "Sigmoid" | "Tanh" | "Softplus" | "Softsign" => &[],
        "LeakyRelu" | "Elu" | "ThresholdedRelu" => &["alpha"],
        "HardSigmoid" | "ScaledTanh" | "ParametricSoftplus" => &["alpha", "beta"],
        _ => return None,
    })
}

fn is_known(site: &Site<'_>) -> bool {
    parameters(site.text("activation")).is_some()
}

/// The activation that a fused operator ends with.
fn activated(site: &Site<'_>, given: &[f32]) -> String {
    let number = |at: usize| given.get(at).copied().unwrap_or_default();
    match site.text("activation") {
        "" => String::new(),
        "Clip" => format!("y = Min(Max(y, {:?}), {:?})", number(0), number(1)),
        name => {
            let named = parameters(name).unwrap_or_default().iter().zip(given);
            let named: Vec<String> = named.map(|(name, x)| format!("{name}={x:?}")).collect();
            format!("y = {name}(y){{{}}}", named.join(", "))
        }
    }
}
