//! Operators of ONNX Runtime that fuse several of ONNX.

use super::{Repair, always};
use crate::onnx::{Attribute, AttributeValue, Name, Node};
use crate::verify::engine::patch::{Patch, float, int};

use super::arithmetic::scaled;

pub(super) const ALL: &[Repair] = &[
    Repair::foreign("FusedMatMul", always, product),
    Repair::foreign("TransposeMatMul", always, product),
    Repair::foreign("FusedGemm", always, gemm),
    Repair::foreign("FusedConv", always, conv),
    Repair::foreign("BiasSoftmax", always, softmax),
    Repair::foreign(
        "ExpandDims",
        |site| site.list("", 1).is_some(),
        |mut patch| {
            let axes = patch.list("", 1).map(<[i64]>::to_vec).unwrap_or_default();
            let result = patch.unsqueeze(&patch.input(0), &axes);
            patch.give(0, &result);
        },
    ),
    Repair::foreign("GridSample", always, of_onnx),
    Repair::foreign("Range", always, of_onnx),
    Repair::foreign("Trilu", always, of_onnx),
    Repair::foreign("QuantizeLinear", always, of_onnx),
    Repair::foreign("DequantizeLinear", always, of_onnx),
];

/// A product of matrices, transposed first if asked for: the last two axes, or the batch axes with the last.
fn product(mut patch: Patch<'_, '_>) {
    let a = turned(&mut patch, 0, ["transA", "transBatchA"]);
    let b = turned(&mut patch, 1, ["transB", "transBatchB"]);
    let product = patch.op("MatMul", [&a, &b]);
    let alpha = patch.float("alpha", 1.0);
    let product = scaled(&mut patch, product, alpha);
    patch.give(0, &product);
}

fn turned(patch: &mut Patch<'_, '_>, input: usize, names: [&str; 2]) -> Name {
    let value = patch.input(input);
    let [last, batch] = names.map(|name| patch.int(name, 0) != 0);
    let rank = patch.rank(input).unwrap_or(2) as i64;
    if rank < 2 || !(last || batch) {
        return value;
    }
    let mut perm: Vec<i64> = (0..rank).collect();
    if batch {
        let moved = perm.remove(0);
        perm.insert((rank - 2) as usize, moved);
    }
    if last {
        perm.swap((rank - 2) as usize, (rank - 1) as usize);
    }
    patch.transpose(&value, &perm)
}

/// The activation that a fused operator ends with.
fn activated(patch: &mut Patch<'_, '_>, value: &Name, parameters: &[f32]) {
    let named: &[&str] = match patch.text("activation") {
        "LeakyRelu" | "Elu" | "ThresholdedRelu" => &["alpha"],
        "HardSigmoid" | "ScaledTanh" | "ParametricSoftplus" => &["alpha", "beta"],
        _ => &[],
    };
    let attributes: Vec<Attribute> = named
        .iter()
        .zip(parameters)
        .map(|(n, &p)| float(n, p))
        .collect();
    match patch.text("activation").to_string().as_str() {
        "" => patch.give(0, value),
        "Clip" => {
            let bounds = [0, 1].map(|at| parameters.get(at).copied().unwrap_or_default());
            let [low, high] = bounds.map(|bound| patch.number(0, bound.into()));
            let raised = patch.op("Max", [value, &low]);
            patch.end_with("Min", [&raised, &high], Vec::new());
        }
        name => patch.end_with(name, [value], attributes),
    }
}

fn gemm(mut patch: Patch<'_, '_>) {
    let inputs = patch.node.inputs.clone();
    let attributes = patch.attributes(&["transA", "transB", "alpha", "beta"]);
    let product = patch.op_with("Gemm", &inputs, attributes);
    let parameters = ["activation_alpha", "activation_beta"];
    let given = parameters
        .iter()
        .filter(|name| patch.node.attribute(name).is_some());
    let parameters: Vec<f32> = given.map(|name| patch.float(name, 0.0)).collect();
    activated(&mut patch, &product, &parameters);
}

/// A convolution; a fourth input is added to it before the activation.
fn conv(mut patch: Patch<'_, '_>) {
    let count = if patch.has(2) { 3 } else { 2 };
    let inputs: Vec<Name> = (0..count).map(|input| patch.input(input)).collect();
    let own = [
        "auto_pad",
        "dilations",
        "group",
        "kernel_shape",
        "pads",
        "strides",
    ];
    let attributes = patch.attributes(&own);
    let mut result = patch.op_with("Conv", &inputs, attributes);
    if patch.has(3) {
        result = patch.op("Add", [&result, &patch.input(3)]);
    }
    let parameters = patch.floats("activation_params").to_vec();
    activated(&mut patch, &result, &parameters);
}

/// Softmax over all axes from one on, of a sum.
fn softmax(mut patch: Patch<'_, '_>) {
    let axis = patch.int("axis", 1);
    let sum = patch.op("Add", [&patch.input(0), &patch.input(1)]);
    let flat = patch.op_with("Flatten", [&sum], vec![int("axis", axis)]);
    let flat = patch.op_with("Softmax", [&flat], vec![int("axis", -1)]);
    let shape = patch.op("Shape", [&sum]);
    let attributes = vec![Attribute::new("allowzero", AttributeValue::Int(0))];
    patch.end_with("Reshape", [&flat, &shape], attributes);
}

/// The operator of ONNX of the same name, which it was before ONNX had it.
fn of_onnx(mut patch: Patch<'_, '_>) {
    let node = Node {
        domain: Name::default(),
        ..patch.node.clone()
    };
    patch.end(node.outputs.clone(), node);
}
