//! Factors together: merged, summed, put side by side, one behind the other.

use super::check::{folds, nodes, of, opset17, scaled, some, stays};
use crate::common::build::{f32_scalar, f32s, int, op, raw};
use dropout_onnx::onnx::DataType;
use dropout_onnx::rewrite::fold::{Options, fold};

fn times(w: f32, s: f64) -> f32 {
    (f64::from(w) * s) as f32
}

#[test]
fn two_in_a_row_are_rounded_once() {
    let texts = ["a = Mul(x, s)", "b = Div(a, t)", "y = MatMul(b, w)"];
    let graph = of(&[2, 3], &[2, 2], nodes(&texts))
        .init("s", f32_scalar(0.7))
        .init("t", f32_scalar(0.3))
        .init("w", f32s(&[3, 2], &some(6)));
    let by = f64::from(0.7f32) * (1.0 / f64::from(0.3f32));
    let w: Vec<f32> = some(6).iter().map(|&w| times(w, by)).collect();
    let once = folds(&opset17(graph))
        .leaves(&["y = MatMul(x, w)"])
        .has("w", &w);
    assert_eq!(once.whole.outcome.folded, 2);
}

#[test]
fn merged_with_a_neighbour_that_stays() {
    // neither can go anywhere but into the other
    let texts = ["a = Mul(x, s)", "b = Mul(a, t)", "y = Sigmoid(b)"];
    let graph = of(&[2, 3], &[2, 3], nodes(&texts))
        .init("s", f32_scalar(0.7))
        .init("t", f32s(&[3], &[1.0, 2.0, 3.0]));
    let t: Vec<f32> = [1.0, 2.0, 3.0]
        .iter()
        .map(|&t| times(t, f64::from(0.7f32)))
        .collect();
    folds(&opset17(graph))
        .leaves(&["b = Mul(x, t)", "y = Sigmoid(b)"])
        .has("t", &t);
}

#[test]
fn merged_with_a_quotient_and_with_a_full_constant() {
    let texts = ["a = Mul(x, s)", "b = Div(a, t)", "y = Sigmoid(b)"];
    let t = some(6);
    let graph = of(&[2, 3], &[2, 3], nodes(&texts))
        .init("s", f32_scalar(0.7))
        .init("t", f32s(&[2, 3], &t));
    let merged: Vec<f32> = t
        .iter()
        .map(|&t| times(t, 1.0 / f64::from(0.7f32)))
        .collect();
    folds(&opset17(graph)).has("t", &merged);
}

#[test]
fn a_sum_of_equally_scaled_values() {
    let texts = [
        "r = Relu(x)",
        "a = Mul(x, s)",
        "b = Mul(r, s)",
        "c = Add(a, b)",
        "y = MatMul(c, w)",
    ];
    let graph = of(&[2, 3], &[2, 2], nodes(&texts))
        .init("s", f32_scalar(0.7))
        .init("w", f32s(&[3, 2], &some(6)));
    let w = scaled(&some(6), 0.7);
    let folded = folds(&opset17(graph)).has("w", &w);
    assert_eq!(folded.whole.outcome.folded, 2);
    folded.leaves(&["r = Relu(x)", "c = Add(x, r)", "y = MatMul(c, w)"]);
}

#[test]
fn does_not_fold_a_sum_with_something_unscaled() {
    let texts = [
        "r = Relu(x)",
        "a = Mul(x, s)",
        "c = Add(a, r)",
        "y = MatMul(c, w)",
    ];
    let graph = of(&[2, 3], &[2, 2], nodes(&texts))
        .init("s", f32_scalar(0.7))
        .init("w", f32s(&[3, 2], &some(6)));
    let why = stays(&opset17(graph));
    assert!(
        why.contains("Add `c`: only some of its inputs have the factor"),
        "{why}"
    );
    assert!(why.contains("`x` has other readers"), "{why}");
}

#[test]
fn does_not_fold_a_sum_with_something_scaled_otherwise() {
    let texts = [
        "r = Relu(x)",
        "a = Mul(x, s)",
        "c = Sub(a, r)",
        "y = MatMul(c, w)",
    ];
    let graph = of(&[2, 3], &[2, 2], nodes(&texts))
        .init("s", f32_scalar(0.7))
        .init("w", f32s(&[3, 2], &some(6)));
    stays(&opset17(graph));
}

#[test]
fn a_concat_of_all() {
    let texts = [
        "r = Relu(x)",
        "a = Mul(x, s)",
        "b = Mul(r, s)",
        "c = Concat(a, b)",
        "y = MatMul(c, w)",
    ];
    let mut nodes = nodes(&texts);
    nodes[3] = nodes[3].clone().with(int("axis", 0));
    let graph = of(&[2, 3], &[4, 2], nodes)
        .init("s", f32_scalar(0.7))
        .init("w", f32s(&[3, 2], &some(6)));
    let w = scaled(&some(6), 0.7);
    folds(&opset17(graph)).has("w", &w);
}

#[test]
fn a_concat_of_some_scales_their_part_of_the_weights() {
    for axis in [1, -1] {
        let texts = [
            "r = Relu(x)",
            "a = Mul(x, s)",
            "c = Concat(r, a)",
            "y = MatMul(c, w)",
        ];
        let mut nodes = nodes(&texts);
        nodes[2] = nodes[2].clone().with(int("axis", axis));
        let graph = of(&[2, 3], &[2, 2], nodes)
            .init("s", f32_scalar(0.7))
            .init("w", f32s(&[6, 2], &some(12)));
        let mut w = some(12);
        w[6..]
            .iter_mut()
            .for_each(|w| *w = times(*w, f64::from(0.7f32)));
        folds(&opset17(graph)).has("w", &w);
    }
}

#[test]
fn does_not_fold_a_concat_of_some_along_another_axis() {
    let texts = [
        "r = Relu(x)",
        "a = Mul(x, s)",
        "c = Concat(r, a)",
        "y = MatMul(c, w)",
    ];
    let mut nodes = nodes(&texts);
    nodes[2] = nodes[2].clone().with(int("axis", 0));
    let graph = of(&[2, 3], &[4, 2], nodes)
        .init("s", f32_scalar(0.7))
        .init("w", f32s(&[3, 2], &some(6)));
    let why = stays(&opset17(graph));
    assert!(why.contains("is along a different axis"), "{why}");
}

#[test]
fn backward_into_all_that_a_concat_takes() {
    let texts = [
        "a = MatMul(x, w)",
        "r = Relu(x)",
        "b = MatMul(r, v)",
        "c = Concat(a, b)",
        "m = Mul(c, s)",
        "y = Sigmoid(m)",
    ];
    let mut nodes = nodes(&texts);
    nodes[3] = nodes[3].clone().with(int("axis", 1));
    let graph = of(&[2, 3], &[2, 4], nodes)
        .init("s", f32_scalar(0.7))
        .init("w", f32s(&[3, 2], &some(6)))
        .init("v", f32s(&[3, 2], &some(6)));
    let w = scaled(&some(6), 0.7);
    folds(&opset17(graph)).has("w", &w).has("v", &w);
}

#[test]
fn backward_into_both_sides_of_a_sum() {
    let texts = [
        "a = MatMul(x, w)",
        "b = MatMul(x, v)",
        "c = Add(a, b)",
        "m = Mul(c, s)",
        "y = Sigmoid(m)",
    ];
    let graph = of(&[2, 3], &[2, 2], nodes(&texts))
        .init("s", f32s(&[2], &[0.5, 3.0]))
        .init("w", f32s(&[3, 2], &some(6)))
        .init("v", f32s(&[3, 2], &some(6)));
    let w: Vec<f32> = (0..6)
        .map(|i| times(some(6)[i], [0.5, 3.0][i % 2]))
        .collect();
    folds(&opset17(graph)).has("w", &w).has("v", &w);
}

#[test]
fn forward_into_all_that_use_the_product() {
    let texts = [
        "a = Mul(x, s)",
        "b = MatMul(a, w)",
        "r = Relu(a)",
        "c = MatMul(r, v)",
        "y = Add(b, c)",
    ];
    let graph = of(&[2, 3], &[2, 2], nodes(&texts))
        .init("s", f32_scalar(0.5))
        .init("w", f32s(&[3, 2], &some(6)))
        .init("v", f32s(&[3, 2], &some(6)));
    let w: Vec<f32> = some(6).iter().map(|&w| w * 0.5).collect();
    folds(&opset17(graph)).has("w", &w).has("v", &w);
}

#[test]
fn through_an_attention_of_two_computed_values() {
    let transpose = op("k = Transpose(r)");
    let graph = of(
        &[2, 3],
        &[2, 2],
        [
            op("r = Relu(x)"),
            transpose,
            op("q = MatMul(x, w)"),
            op("m = Mul(q, s)"),
            op("p = MatMul(m, k)"),
            op("y = Softmax(p)"),
        ],
    )
    .init("s", f32_scalar(0.125))
    .init("w", f32s(&[3, 3], &some(9)));
    let w: Vec<f32> = some(9).iter().map(|&w| w * 0.125).collect();
    let folded = folds(&opset17(graph)).has("w", &w);
    assert!(folded.whole.outcome.exact);
}

#[test]
fn zeros_are_scaled_already() {
    let zeros = f32s(&[3], &[0.0; 3]);
    for text in [
        "k = Add(h, e)",
        "k = Sub(e, h)",
        "k = Max(h, e)",
        "k = Min(e, h)",
        "k = Where(c, h, e)",
        "k = Where(c, e, h)",
        "k = Sum(e, h, e)",
        "k = Clip(h, z)",
    ] {
        let graph = of(
            &[2, 3],
            &[2, 2],
            nodes(&["h = Mul(x, s)", text, "y = MatMul(k, w)"]),
        )
        .init("s", f32_scalar(0.7))
        .init("e", zeros.clone())
        .init("z", f32_scalar(0.0))
        .init("c", raw(DataType::BOOL, &[1, 3], &[1, 0, 1]))
        .init("w", f32s(&[3, 2], &some(6)));
        let w = scaled(&some(6), 0.7);
        folds(&opset17(graph)).has("w", &w);
    }
}

#[test]
fn does_not_fold_past_bounds_and_sums_that_are_not_scaled() {
    for (text, why) in [
        ("k = Clip(h, z, six)", "Clip has a bound other than 0"),
        ("k = Min(h, six)", "only some of its inputs have the factor"),
        ("k = Add(h, six)", "only some of its inputs have the factor"),
        (
            "k = Where(c, h, six)",
            "only some of its inputs have the factor",
        ),
    ] {
        let graph = of(
            &[2, 3],
            &[2, 2],
            nodes(&["h = Mul(x, s)", text, "y = MatMul(k, w)"]),
        )
        .init("s", f32_scalar(0.7))
        .init("six", f32_scalar(6.0))
        .init("z", f32_scalar(0.0))
        .init("c", raw(DataType::BOOL, &[1, 3], &[1, 0, 1]))
        .init("w", f32s(&[3, 2], &some(6)));
        let found = stays(&opset17(graph));
        assert!(found.contains(why), "{text}: {found}");
    }
    // below 0, the larger becomes the smaller
    let graph = of(
        &[2, 3],
        &[2, 2],
        nodes(&["h = Mul(x, s)", "k = Max(h, z)", "y = MatMul(k, w)"]),
    )
    .init("s", f32_scalar(-0.7))
    .init("z", f32_scalar(0.0))
    .init("w", f32s(&[3, 2], &some(6)));
    let found = stays(&opset17(graph));
    assert!(
        found.contains("Max does not commute with a negative factor"),
        "{found}"
    );
}

/// Both halves of a Where have it, and what they take is the mask of attention.
#[test]
fn an_attention_mask_of_infinities_is_scaled_already() {
    let texts = [
        "q = MatMul(x, w)",
        "k = Transpose(x)",
        "a = MatMul(q, k)",
        "b = Where(c, a, e)",
        "h = Mul(b, s)",
        "y = Softmax(h)",
    ];
    let graph = of(&[2, 3], &[2, 2], nodes(&texts))
        .init("s", f32_scalar(0.7))
        .init("e", f32_scalar(f32::NEG_INFINITY))
        .init("c", raw(DataType::BOOL, &[2, 2], &[1, 0, 1, 1]))
        .init("w", f32s(&[3, 3], &some(9)));
    let w = scaled(&some(9), 0.7);
    folds(&opset17(graph)).has("w", &w);
}

#[test]
fn merged_where_both_divide_and_whichever_is_longer() {
    let t = [1.0f32, 2.0, 4.0];
    for (first, second, left) in [
        ("a = Div(x, s)", "b = Div(a, t)", "b = Div(x, t)"),
        ("a = Div(x, t)", "b = Div(a, s)", "a = Div(x, t)"),
        ("a = Mul(x, t)", "b = Div(a, s)", "a = Mul(x, t)"),
    ] {
        let graph = of(&[2, 3], &[2, 3], nodes(&[first, second, "y = Sigmoid(b)"]))
            .init("s", f32_scalar(0.7))
            .init("t", f32s(&[3], &t));
        let multiplied = left.contains("Mul");
        let s = f64::from(0.7f32);
        let merged = t.iter().map(|&t| match multiplied {
            true => times(t, 1.0 / s),
            false => times(t, 1.0 / (1.0 / s)),
        });
        let merged: Vec<f32> = merged.collect();
        let folded = folds(&opset17(graph)).has("t", &merged);
        let lines = folded.after.lines();
        assert_eq!((lines.len(), &lines[0][..]), (2, left), "{lines:?}");
    }
}

/// What a factor became by merging may go where neither could: -2 · -3 is above 0.
#[test]
fn merged_factors_continue_together() {
    let texts = [
        "a = Mul(x, s)",
        "b = Mul(a, t)",
        "r = Relu(b)",
        "y = MatMul(r, w)",
    ];
    let graph = of(&[2, 3], &[2, 2], nodes(&texts))
        .init("s", f32_scalar(-2.0))
        .init("t", f32_scalar(-3.0))
        .init("w", f32s(&[3, 2], &some(6)));
    let w: Vec<f32> = some(6).iter().map(|&w| times(w, 6.0)).collect();
    let folded = folds(&opset17(graph))
        .leaves(&["r = Relu(x)", "y = MatMul(r, w)"])
        .has("w", &w);
    for step in &folded.whole.plan.steps {
        assert_eq!(step.into, ["MatMul `y`"]);
    }
    let steps = folded.whole.plan.steps.iter();
    let told: Vec<_> = steps
        .map(|step| step.factor.as_ref().unwrap().scalar())
        .collect();
    assert_eq!(told, [Some(-2.0), Some(-3.0)]);
}

#[test]
fn does_not_fold_factors_that_are_too_small_together() {
    let texts = ["a = Mul(x, s)", "b = Mul(a, t)", "y = Sigmoid(b)"];
    let graph = of(&[2, 3], &[2, 3], nodes(&texts))
        .init("s", f32_scalar(1e-30))
        .init("t", f32_scalar(1e-30));
    let folded = fold(&opset17(graph).read(), &Options::default()).unwrap();
    assert!(folded.outcome.is_unchanged());
    for step in &folded.plan.steps {
        let why = step.action.to_string();
        assert!(why.contains("would be too small for float"), "{why}");
    }
}

/// Each goes back into the one before it, past a bias: work that grows with the square of them would
/// take minutes.
#[test]
fn a_long_chain_of_factors_and_biases_becomes_one() {
    let count = 500;
    let mut texts = vec!["v0 = Identity(x)".to_string()];
    for i in 0..count {
        texts.push(format!("m{i} = Mul(v{i}, s{i})"));
        texts.push(format!("a{i} = Add(m{i}, b{i})"));
        texts.push(format!("v{} = Relu(a{i})", i + 1));
    }
    texts.push(format!("y = Sigmoid(v{count})"));
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let mut graph = of(&[2, 3], &[2, 3], nodes(&texts));
    for i in 0..count {
        let s = if i % 2 == 0 { 0.5 } else { 2.0 };
        graph = graph
            .init(&format!("s{i}"), f32_scalar(s))
            .init(&format!("b{i}"), f32s(&[3], &some(3)));
    }
    let folded = fold(&opset17(graph).read(), &Options::default()).unwrap();
    assert_eq!(folded.outcome.folded, count - 1);
    let again = fold(&folded.edited.model, &Options::default()).unwrap();
    assert!(again.outcome.is_unchanged());
}
