//! Operators of ONNX Runtime on quantized tensors: as those on floats, between `DequantizeLinear` and
//! `QuantizeLinear`.

use super::site::Site;
use super::{Repair, always};
use crate::semantics::facts::axis_of;

pub(super) const ALL: &[Repair] = &[
    Repair::made("QLinearAdd", always, binary).foreign(),
    Repair::made("QLinearMul", always, binary).foreign(),
    Repair::made("QLinearSigmoid", always, unary).foreign(),
    Repair::made("QLinearLeakyRelu", always, unary).foreign(),
    Repair::made(
        "QLinearSoftmax",
        |site| softmax(site).is_some(),
        |site| {
            let softmax = softmax(site).unwrap_or_default();
            // ONNX Runtime multiplies by a whole number in place of the quotient by the scale
            format!(
                "x x_scale x_zero scale zero => y
             x = DequantizeLinear(x, x_scale, x_zero)
             y = QuantizeLinear(Mul({softmax}, Floor(Reciprocal(scale))), 1f, zero)"
            )
        },
    )
    .foreign(),
    Repair::made("QLinearGlobalAveragePool", channels_first, unary).foreign(),
    Repair::made("QLinearAveragePool", channels_first, unary).foreign(),
    // the scale and zero point of the result come first
    Repair::made("QLinearConcat", always, |site| {
        let parts = 0..site.node.inputs.len().saturating_sub(2) / 3;
        let inputs: Vec<String> = parts.clone().map(|n| format!("x{n} s{n} z{n}")).collect();
        let parts = parts.map(|n| format!("DequantizeLinear(x{n}, s{n}, z{n})"));
        let parts: Vec<String> = parts.collect();
        let (inputs, parts) = (inputs.join(" "), parts.join(", "));
        format!(
            "scale zero {inputs} => y\n y = QuantizeLinear(Concat({parts}){{axis}}, scale, zero)"
        )
    })
    .foreign(),
    // a bias of integers has the product of the scales; without a scale of the result it is floats
    Repair::of(
        "QGemm",
        always,
        "a a_scale a_zero b b_scale b_zero bias scale zero => y
         if transB: b = DequantizeLinear(b, b_scale, b_zero){axis=0}
         if !transB: b = DequantizeLinear(b, b_scale, b_zero){axis=1}
         y = Gemm(DequantizeLinear(a, a_scale, a_zero), b){transA, transB}
         if bias: y = Add(y, Mul(Cast(bias){to=float}, Mul(a_scale, b_scale)))
         y = Mul(y, @alpha=1f)
         if scale: y = QuantizeLinear(y, scale, zero)",
    )
    .foreign(),
    Repair::of(
        "DynamicQuantizeMatMul",
        always,
        "x b b_scale b_zero bias => y
         a, a_scale, a_zero = DynamicQuantizeLinear(x)
         y = Cast(MatMulInteger(a, b, a_zero, b_zero)){to=float}
         y = Add(Mul(y, Mul(a_scale, b_scale)), bias?)",
    )
    .foreign(),
    Repair::of(
        "MatMulIntegerToFloat",
        always,
        "a b a_scale b_scale a_zero b_zero bias => y
         y = Cast(MatMulInteger(a, b, a_zero, b_zero)){to=float}
         y = Add(Mul(y, Mul(a_scale, b_scale)), bias?)",
    )
    .foreign(),
];

fn channels_first(site: &Site<'_>) -> bool {
    site.int("channels_last", 0) == 0
}

/// The softmax of a `QLinearSoftmax`: before opset 13 over all axes from one on.
fn softmax(site: &Site<'_>) -> Option<String> {
    let rank = site.rank(0)?;
    let axis = axis_of(site.int("axis", -1), rank)?;
    match site.int("opset", 1) {
        ..13 => Some(format!(
            "Reshape(Softmax(Flatten(x){{axis={axis}}}){{axis=1}}, Shape(x))"
        )),
        _ if axis + 1 == rank || site.opset >= 13 => Some(format!("Softmax(x){{axis={axis}}}")),
        _ => None,
    }
}

/// The operator on floats.
fn of_floats(site: &Site<'_>) -> String {
    site.node.op_type.to_string().replace("QLinear", "")
}

fn binary(site: &Site<'_>) -> String {
    let op = of_floats(site);
    format!(
        "a a_scale a_zero b b_scale b_zero scale zero => y
         a = DequantizeLinear(a, a_scale, a_zero)
         y = QuantizeLinear({op}(a, DequantizeLinear(b, b_scale, b_zero)), scale, zero)"
    )
}

fn unary(site: &Site<'_>) -> String {
    let op = of_floats(site);
    format!(
        "x x_scale x_zero scale zero => y
         y = QuantizeLinear({op}(DequantizeLinear(x, x_scale, x_zero)){{*}}, scale, zero)"
    )
}
