//! Quantised weights and values: their scales take a factor, where they can.

use dropout_onnx::onnx::DataType;

use super::check::{floats, folds, folds_unrun, nodes, of, opset17, stays};
use super::refused::{product, stays_because};
use crate::common::build::{f32_scalar, f32s, op, raw, scale_of};

#[test]
fn the_scale_of_quantised_weights_takes_the_factor() {
    let texts = [
        "h = Mul(x, s)",
        "v = DequantizeLinear(w, q)",
        "y = MatMul(h, v)",
    ];
    for (s, q) in [
        (f32_scalar(0.5), f32_scalar(0.1)),
        (f32_scalar(0.5), f32s(&[2], &[0.1, 0.2])),
    ] {
        let by: Vec<f32> = floats(&q).iter().map(|q| q * 0.5).collect();
        let graph = of(&[2, 3], &[2, 2], nodes(&texts))
            .init("s", s)
            .init("w", raw(DataType::INT8, &[3, 2], &[1, 2, 253, 4, 5, 6]))
            .init("q", q);
        folds(&opset17(graph)).has("q", &by);
    }
    // along the axis of the scale
    let axis = op("v = DequantizeLinear(w, q)").with(crate::common::build::int("axis", 0));
    let nodes = [op("h = Mul(x, s)"), axis, op("y = MatMul(h, v)")];
    let graph = of(&[2, 3], &[2, 2], nodes)
        .init("s", f32s(&[3], &[0.5, 2.0, 4.0]))
        .init("w", raw(DataType::INT8, &[3, 2], &[1, 2, 253, 4, 5, 6]))
        .init("q", f32s(&[3], &[0.1, 0.2, 0.3]));
    folds_unrun(&opset17(graph)).has("q", &[0.1 * 0.5, 0.2 * 2.0, 0.3 * 4.0]);
}

/// What comes out of a quantised value is its scale's.
#[test]
fn the_scale_of_a_quantised_value_takes_the_factor_of_what_it_becomes() {
    let texts = [
        "i = QuantizeLinear(x, p, z)",
        "d = DequantizeLinear(i, q, z)",
        "h = Mul(d, s)",
        "y = Sigmoid(h)",
    ];
    let graph = of(&[2, 3], &[2, 3], nodes(&texts))
        .init("s", f32_scalar(0.7))
        .init("p", f32_scalar(0.1))
        .init("z", raw(DataType::INT8, &[], &[3]))
        .init("q", f32_scalar(0.1));
    let folded = folds_unrun(&opset17(graph));
    folded.has("q", &[(f64::from(0.1f32) * f64::from(0.7f32)) as f32]);
}

#[test]
fn does_not_fold_what_is_quantised_next() {
    for (texts, why) in [
        (
            &["h = Mul(x, s)", "y = QuantizeLinear(h, p, z)"][..],
            "QuantizeLinear `y`: does not",
        ),
        (
            &["h = Mul(x, s)", "y, b, c = DynamicQuantizeLinear(h)"],
            "DynamicQuantizeLinear",
        ),
        (
            &[
                "c = ConvInteger(i, w)",
                "d = Cast(c)",
                "h = Mul(d, s)",
                "y = Sigmoid(h)",
            ],
            "Cast `d`: a cast from int32 to float does not preserve the scale",
        ),
    ] {
        let mut all = nodes(texts);
        if let Some(cast) = all.iter_mut().find(|node| node.op_type() == "Cast") {
            *cast = cast.clone().with(crate::common::build::int("to", 1));
        }
        let mut graph = of(&[1, 1, 3, 3], &[1, 1, 3, 3], all)
            .input_of("i", DataType::UINT8, &[1, 1, 3, 3])
            .init("s", f32_scalar(0.7))
            .init("p", f32_scalar(0.1))
            .init("z", raw(DataType::INT8, &[], &[3]))
            .init("w", raw(DataType::UINT8, &[1, 1, 1, 1], &[2]));
        graph.value_info.push(crate::common::build::typed(
            "c",
            DataType::INT32,
            &[1, 1, 3, 3],
        ));
        let found = stays(&opset17(graph));
        assert!(found.contains(why), "{found}");
    }
}

/// As dynamic quantisation writes it: the scale of the data is worked out when it runs, that of the
/// weights is a constant.
#[test]
fn the_scale_of_dynamically_quantised_weights_is_merged_with_the_factor() {
    let texts = [
        "i, p, z = DynamicQuantizeLinear(x)",
        "c = MatMulInteger(i, w, z)",
        "d = Cast(c)",
        "q = Mul(p, scale)",
        "g = Mul(d, q)",
        "h = Mul(g, s)",
        "y = Sigmoid(h)",
    ];
    let mut all = nodes(&texts);
    all[2] = all[2].clone().with(crate::common::build::int("to", 1));
    let graph = of(&[2, 3], &[2, 2], all)
        .init("s", f32_scalar(0.7))
        .init("scale", f32_scalar(0.1))
        .init("w", raw(DataType::INT8, &[3, 2], &[1, 2, 253, 4, 5, 6]));
    let folded = folds_unrun(&opset17(graph));
    let lines = folded.after.lines();
    assert!(
        !lines.iter().any(|line| line.contains("scale")),
        "{lines:?}"
    );
    folded.has("s", &[(f64::from(0.1f32) * f64::from(0.7f32)) as f32]);
}

#[test]
fn does_not_fold_quantised_weights() {
    let texts = ["h = Mul(x, s)", "y = MatMulInteger(h, w)"];
    let graph = of(&[2, 3], &[2, 2], nodes(&texts));
    let weights = raw(DataType::INT8, &[3, 2], &[1; 6]);
    let model = opset17(graph.init("s", f32_scalar(0.7)).init("w", weights));
    stays_because(&model, "MatMulInteger `y`: does not commute");
    let texts = ["h = Mul(x, s)", "y = MatMul(h, w)"];
    let graph = of(&[2, 3], &[2, 2], nodes(&texts));
    let weights = raw(DataType::FLOAT8E4M3FN, &[3, 2], &[1; 6]);
    let model = opset17(graph.init("s", f32_scalar(0.7)).init("w", weights));
    stays_because(&model, "`w` is quantised: of type float8e4m3fn");
}

#[test]
fn does_not_fold_dequantised_weights_whose_scale_has_another_axis() {
    let texts = [
        "h = Mul(x, s)",
        "v = DequantizeLinear(w, q)",
        "y = MatMul(h, v)",
    ];
    let graph = of(&[2, 3], &[2, 2], nodes(&texts))
        .init("s", f32s(&[3], &[0.5, 2.0, 3.0]))
        .init("w", raw(DataType::INT8, &[3, 2], &[1, 2, 3, 4, 5, 6]))
        .init("q", f32s(&[2], &[0.1, 0.2]));
    stays_because(
        &opset17(graph),
        "`v` is quantized, and its scale is not along the factor's axis",
    );
}

#[test]
fn does_not_fold_dequantised_weights_that_something_else_uses() {
    let texts = [
        "h = Mul(x, s)",
        "v = DequantizeLinear(w, q)",
        "a = MatMul(h, v)",
        "b = MatMul(x, v)",
        "y = Add(a, b)",
    ];
    let graph = of(&[2, 3], &[2, 2], nodes(&texts))
        .init("s", f32_scalar(0.7))
        .init("w", raw(DataType::INT8, &[3, 2], &[1, 2, 3, 4, 5, 6]))
        .init("q", f32_scalar(0.1));
    stays_because(&opset17(graph), "`v` is quantized and has other readers");
}

#[test]
fn does_not_fold_values_with_a_quantisation_annotation() {
    let mut model = product(&["y = MatMul(h, w)"], &[2, 2]);
    model
        .main_mut()
        .quantization_annotation
        .push(scale_of("h", "w"));
    stays_because(&model, "`h` has a quantization annotation");
}
