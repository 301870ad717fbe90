//! Arithmetic that tract lacks for some element types, or reads wrongly.

use super::{Repair, always};
use crate::onnx::{Attribute, DataType, Name, Node};
use crate::verify::engine::patch::Patch;
use crate::verify::engine::site::Site;

pub(super) const ALL: &[Repair] = &[
    Repair::of("Gemm", is_narrow_gemm, gemm),
    Repair::of("ConstantOfShape", has_no_value, zeros),
    Repair::of("Sigmoid", is_double, sigmoid),
    Repair::of("LeakyRelu", is_double, leaky),
    Repair::of("Swish", always, swish),
    Repair::of("Celu", |site| site.float("alpha", 1.0) != 1.0, celu),
    Repair::of("Equal", compares_booleans, equal),
    Repair::of("Range", |site| !counts_integers(site), range),
    Repair::of("DequantizeLinear", has_scale_of_a_run, dequantize),
    Repair::of("Mod", has_integers, remainder),
    Repair::of("Sign", has_integers, with_integers),
    Repair::of("BitwiseAnd", has_integers, with_integers),
    Repair::of("BitwiseOr", has_integers, with_integers),
    Repair::of("BitwiseXor", has_integers, with_integers),
    Repair::of("ArgMax", has_integers, with_integers),
    Repair::of("ArgMin", has_integers, with_integers),
    Repair::of("NonZero", has_integers, with_integers),
    Repair::of("TopK", has_integers, with_integers),
    Repair::of("MatMul", has_integers, product_of_integers),
];

fn is_double(site: &Site) -> bool {
    site.element(0) == Some(DataType::DOUBLE)
}

/// A bias or a factor makes tract compute in single precision, whatever the element type.
fn is_narrow_gemm(site: &Site) -> bool {
    let is_plain = !site.has(2) && site.float("alpha", 1.0) == 1.0;
    let element = site.element(0);
    !is_plain && (element == Some(DataType::FLOAT16) || element == Some(DataType::DOUBLE))
}

/// Nodes of its own apply factor and bias.
fn gemm(mut patch: Patch<'_, '_>) {
    let [a, b] = [patch.input(0), patch.input(1)];
    let attributes = patch.attributes(&["transA", "transB"]);
    let product = patch.op_with("Gemm", [&a, &b], attributes);
    let alpha = patch.float("alpha", 1.0);
    let product = scaled(&mut patch, product, alpha);
    if !patch.has(2) {
        patch.give(0, &product);
        return;
    }
    let (bias, beta) = (patch.input(2), patch.float("beta", 1.0));
    let bias = scaled(&mut patch, bias, beta);
    patch.end_with("Add", [&product, &bias], Vec::new());
}

/// A value times a factor.
pub(super) fn scaled(patch: &mut Patch<'_, '_>, value: Name, factor: f32) -> Name {
    if factor == 1.0 {
        return value;
    }
    let factor = patch.number(0, factor.into());
    patch.op("Mul", [&value, &factor])
}

fn has_no_value(site: &Site) -> bool {
    site.node.attribute("value").is_none()
}

/// Without a value, the elements are float zeros: tract makes them doubles.
fn zeros(mut patch: Patch<'_, '_>) {
    let zero = Attribute::tensor((DataType::FLOAT, &[1], &[0; 4]));
    let shape = patch.input(0);
    patch.end_with("ConstantOfShape", [&shape], vec![zero]);
}

/// `1 / (1 + exp(-x))`.
fn logistic(patch: &mut Patch<'_, '_>, x: &Name) -> Name {
    let one = patch.number(0, 1.0);
    let negated = patch.op("Neg", [x]);
    let power = patch.op("Exp", [&negated]);
    let sum = patch.op("Add", [&power, &one]);
    patch.op("Div", [&one, &sum])
}

/// tract has no logistic function of doubles.
fn sigmoid(mut patch: Patch<'_, '_>) {
    let x = patch.input(0);
    let y = logistic(&mut patch, &x);
    patch.give(0, &y);
}

fn leaky(mut patch: Patch<'_, '_>) {
    let (x, alpha) = (patch.input(0), patch.float("alpha", 0.01));
    let (zero, low) = (patch.number(0, 0.0), scaled(&mut patch, x.clone(), alpha));
    let is_negative = patch.op("Less", [&x, &zero]);
    patch.end_with("Where", [&is_negative, &low, &x], Vec::new());
}

/// tract does not read its factor.
fn swish(mut patch: Patch<'_, '_>) {
    let (x, alpha) = (patch.input(0), patch.float("alpha", 1.0));
    let inner = scaled(&mut patch, x.clone(), alpha);
    let gate = logistic(&mut patch, &inner);
    patch.end_with("Mul", [&x, &gate], Vec::new());
}

/// `max(0, x) + min(0, α (exp(x / α) - 1))`: tract does not divide.
fn celu(mut patch: Patch<'_, '_>) {
    let (x, alpha) = (patch.input(0), patch.float("alpha", 1.0));
    let inner = scaled(&mut patch, x.clone(), 1.0 / alpha);
    let (one, zero) = (patch.number(0, 1.0), patch.number(0, 0.0));
    let power = patch.op("Exp", [&inner]);
    let power = patch.op("Sub", [&power, &one]);
    let power = scaled(&mut patch, power, alpha);
    let (above, below) = (
        patch.op("Max", [&x, &zero]),
        patch.op("Min", [&power, &zero]),
    );
    patch.end_with("Add", [&above, &below], Vec::new());
}

fn compares_booleans(site: &Site) -> bool {
    site.element(0) == Some(DataType::BOOL)
}

fn equal(mut patch: Patch<'_, '_>) {
    let differs = patch.op("Xor", [&patch.input(0), &patch.input(1)]);
    patch.end_with("Not", [&differs], Vec::new());
}

/// tract counts the elements in integers.
fn counts_integers(site: &Site) -> bool {
    let element = site.element(0);
    !matches!(element, Some(DataType::FLOAT | DataType::DOUBLE))
}

/// `start + delta · (0, 1, …)`, as many as fit.
fn range(mut patch: Patch<'_, '_>) {
    let [start, limit, delta] = [0, 1, 2].map(|input| patch.input(input));
    let length = patch.op("Sub", [&limit, &start]);
    let steps = patch.op("Div", [&length, &delta]);
    let steps = patch.op("Ceil", [&steps]);
    let zero = patch.number(0, 0.0);
    let steps = patch.op("Max", [&steps, &zero]);
    let steps = patch.cast(&steps, DataType::INT64);
    let numbers = patch.count(&steps);
    let numbers = patch.op("CastLike", [&numbers, &start]);
    let numbers = patch.op("Mul", [&numbers, &delta]);
    patch.end_with("Add", [&start, &numbers], Vec::new());
}

/// tract takes a constant scale alone. One that is computed is a single number.
fn has_scale_of_a_run(site: &Site) -> bool {
    site.inputs.get(1).is_some_and(|scale| !scale.is_constant)
        && matches!(site.rank(1), None | Some(0))
}

fn dequantize(mut patch: Patch<'_, '_>) {
    let [x, scale, zero] = [0, 1, 2].map(|input| patch.input(input));
    let mut number = patch.op("CastLike", [&x, &scale]);
    if !zero.is_empty() {
        let zero = patch.op("CastLike", [&zero, &scale]);
        number = patch.op("Sub", [&number, &zero]);
    }
    patch.end_with("Mul", [&number, &scale], Vec::new());
}

/// tract may have made sizes of integers, which these operators do not take.
fn has_integers(site: &Site) -> bool {
    site.element(0) == Some(DataType::INT64) && site.int("fmod", 0) == 0
}

fn with_integers(mut patch: Patch<'_, '_>) {
    let mut inputs = patch.node.inputs.clone();
    for (input, name) in inputs.iter_mut().enumerate() {
        if patch.element(input) == Some(DataType::INT64) {
            *name = patch.int64(name);
        }
    }
    let attributes = patch.node.attributes.clone();
    let node = Node::new(&patch.node.op_type.to_string()).on(inputs);
    let outputs = patch.node.outputs.clone();
    patch.end(outputs, Node { attributes, ..node });
}

/// `a - b · ⌊a / b⌋`: tract divides sizes otherwise.
fn remainder(mut patch: Patch<'_, '_>) {
    let [a, b] = [0, 1].map(|input| {
        let value = patch.input(input);
        patch.cast(&value, DataType::DOUBLE)
    });
    let quotient = patch.op("Div", [&a, &b]);
    let quotient = patch.op("Floor", [&quotient]);
    let multiple = patch.op("Mul", [&b, &quotient]);
    let rest = patch.op("Sub", [&a, &multiple]);
    let rest = patch.int64(&rest);
    patch.give(0, &rest);
}

/// tract multiplies matrices of floats: doubles hold the integers.
fn product_of_integers(mut patch: Patch<'_, '_>) {
    let [a, b] = [0, 1].map(|input| {
        let value = patch.input(input);
        patch.cast(&value, DataType::DOUBLE)
    });
    let product = patch.op("MatMul", [&a, &b]);
    let product = patch.int64(&product);
    patch.give(0, &product);
}
