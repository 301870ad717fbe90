//! Operators of ONNX Runtime on quantized tensors: as those on floats, between `DequantizeLinear` and
//! `QuantizeLinear`.

use super::{Repair, always};
use crate::onnx::{Attribute, DataType, Name, Node};
use crate::verify::engine::patch::{Patch, int};
use crate::verify::engine::site::Site;

pub(super) const ALL: &[Repair] = &[
    Repair::foreign("QLinearAdd", always, |patch| binary(patch, "Add")),
    Repair::foreign("QLinearMul", always, |patch| binary(patch, "Mul")),
    Repair::foreign("QLinearSigmoid", always, |patch| {
        unary(patch, "Sigmoid", &[])
    }),
    Repair::foreign("QLinearLeakyRelu", always, |patch| {
        unary(patch, "LeakyRelu", &["alpha"]);
    }),
    Repair::foreign("QLinearSoftmax", over_one_axis, |patch| {
        unary(patch, "Softmax", &["axis"]);
    }),
    Repair::foreign("QLinearGlobalAveragePool", channels_first, |patch| {
        unary(patch, "GlobalAveragePool", &[]);
    }),
    Repair::foreign("QLinearAveragePool", channels_first, |patch| {
        unary(patch, "AveragePool", &POOL)
    }),
    Repair::foreign("QLinearConcat", always, concat),
    Repair::foreign("QGemm", always, gemm),
    Repair::foreign("DynamicQuantizeMatMul", always, dynamic),
    Repair::foreign("MatMulIntegerToFloat", always, |mut patch| {
        let [a, b] = [patch.input(0), patch.input(1)];
        let [scale, zero] = [patch.input(2), patch.input(4)];
        let weights = [b, patch.input(3), patch.input(5)];
        product(&mut patch, [a, scale, zero], weights, 6);
    }),
];

const POOL: [&str; 6] = [
    "auto_pad",
    "ceil_mode",
    "count_include_pad",
    "kernel_shape",
    "pads",
    "strides",
];

fn channels_first(site: &Site<'_>) -> bool {
    site.int("channels_last", 0) == 0
}

/// Before opset 13, it is over all axes from one on.
fn over_one_axis(site: &Site<'_>) -> bool {
    site.int("opset", 1) >= 13 && site.opset >= 13
}

/// A tensor as floats, with the scale and zero point that follow it.
fn real(patch: &mut Patch<'_, '_>, at: usize) -> Name {
    let inputs = [at, at + 1, at + 2].map(|input| patch.input(input));
    patch.op("DequantizeLinear", &inputs)
}

/// Floats as the first output, with the scale and zero point from an input on.
fn quantized(patch: &mut Patch<'_, '_>, value: &Name, at: usize) {
    let [scale, zero] = [at, at + 1].map(|input| patch.input(input));
    patch.end_with("QuantizeLinear", [value, &scale, &zero], Vec::new());
}

fn binary(mut patch: Patch<'_, '_>, op_type: &str) {
    let both = [0, 3].map(|at| real(&mut patch, at));
    let result = patch.op(op_type, &both);
    quantized(&mut patch, &result, 6);
}

fn unary(mut patch: Patch<'_, '_>, op_type: &str, attributes: &[&str]) {
    let x = real(&mut patch, 0);
    let attributes = patch.attributes(attributes);
    let result = patch.op_with(op_type, [&x], attributes);
    quantized(&mut patch, &result, 3);
}

/// The scale and zero point of the result come first.
fn concat(mut patch: Patch<'_, '_>) {
    let parts = (2..patch.node.inputs.len()).step_by(3);
    let parts: Vec<Name> = parts.map(|at| real(&mut patch, at)).collect();
    let axis = patch.attributes(&["axis"]);
    let result = patch.op_with("Concat", &parts, axis);
    quantized(&mut patch, &result, 0);
}

/// A, B, and a bias of integers, whose scale is the product of theirs; without a scale of the result it is
/// floats.
fn gemm(mut patch: Patch<'_, '_>) {
    let a = real(&mut patch, 0);
    let inputs = [3, 4, 5].map(|input| patch.input(input));
    let axis = int("axis", if patch.int("transB", 0) == 0 { 1 } else { 0 });
    let b = patch.op_with("DequantizeLinear", &inputs, vec![axis]);
    let attributes: Vec<Attribute> = patch.attributes(&["transA", "transB"]);
    let product = patch.op_with("Gemm", [&a, &b], attributes);
    let mut result = product;
    if patch.has(6) {
        let scale = patch.op("Mul", [&patch.input(1), &patch.input(4)]);
        let bias = patch.cast(&patch.input(6), DataType::FLOAT);
        let bias = patch.op("Mul", [&bias, &scale]);
        result = patch.op("Add", [&result, &bias]);
    }
    let alpha = patch.float("alpha", 1.0);
    let result = match alpha == 1.0 {
        true => result,
        false => {
            let factor = patch.constant(DataType::FLOAT, &[], &alpha.to_le_bytes());
            patch.op("Mul", [&result, &factor])
        }
    };
    match patch.has(7) {
        true => quantized(&mut patch, &result, 7),
        false => patch.give(0, &result),
    }
}

/// Data, weights, their scale and zero point, bias: the data are quantized first.
fn dynamic(mut patch: Patch<'_, '_>) {
    let x = patch.input(0);
    let parts: [Name; 3] = std::array::from_fn(|_| patch.fresh());
    patch.put_as(parts.clone(), Node::new("DynamicQuantizeLinear").on([x]));
    let weights = [1, 2, 3].map(|input| patch.input(input));
    product(&mut patch, parts, weights, 4);
}

/// The product of quantized matrices, each with scale and zero point, and a bias, as floats.
fn product(patch: &mut Patch<'_, '_>, a: [Name; 3], b: [Name; 3], bias: usize) {
    let inputs = [&a[0], &b[0], &a[2], &b[2]];
    let product = patch.op("MatMulInteger", inputs);
    let product = patch.cast(&product, DataType::FLOAT);
    let scale = patch.op("Mul", [&a[1], &b[1]]);
    let mut result = patch.op("Mul", [&product, &scale]);
    if patch.has(bias) {
        result = patch.op("Add", [&result, &patch.input(bias)]);
    }
    patch.give(0, &result);
}
