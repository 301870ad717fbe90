//! Repairs of the copy that is run. What is expected was computed by ONNX Runtime, or is what the operator
//! is defined to do. `docs/engines.md` lists the repairs.

use dropout_onnx::verify::engine::{Meaning, Value};

use super::models::*;
use super::{load, outputs, row};

const ON: Meaning = Meaning::AsWritten { seed: 2 };

#[test]
fn a_half_precision_product_with_a_bias() {
    let gemm = node("Gemm", &["h", "w", "b"], &["p"]).float("alpha", 0.5);
    let half = |value: f32| half::f16::from_f32(value).to_le_bytes();
    let halves_of = |values: &[f32]| values.iter().flat_map(|&v| half(v)).collect();
    let model = model(13)
        .input("x", FLOAT, &[Fix(1), Fix(2)])
        .init(raw("w", FLOAT16, &[2, 2], halves_of(&[1.0, 2.0, 3.0, 4.0])))
        .init(raw("b", FLOAT16, &[2], halves_of(&[0.5, -1.0])))
        .node(node("Cast", &["x"], &["h"]).int("to", FLOAT16.into()))
        .node(gemm.float("beta", 4.0))
        .node(node("Cast", &["p"], &["y"]).int("to", FLOAT.into()))
        .output("y", FLOAT, &[Fix(1), Fix(2)]);
    let x = Value::from_f32(&[1, 2], &[1.0, -2.0]).unwrap();
    let found = outputs(&model, Meaning::Inference, &[("x", x)], 0);
    assert_eq!(found[0].to_f64(), [-0.5, -7.0]); // 0.5 · [-5, -6] + 4 · [0.5, -1]
}

#[test]
fn constants_of_a_shape_are_float_zeros() {
    let model = model(13)
        .input("x", FLOAT, &[Fix(3)])
        .node(node("Shape", &["x"], &["s"]))
        .node(node("ConstantOfShape", &["s"], &["zeros"]))
        .node(node("Sub", &["zeros", "x"], &["y"]))
        .output("y", FLOAT, &[Fix(3)]);
    let x = row(&[1.0, 2.0, -3.0]);
    let found = outputs(&model, Meaning::Inference, &[("x", x)], 0);
    assert_eq!(found[0].to_f64(), [-1.0, -2.0, 3.0]);
}

#[test]
fn draws_of_tensorflow_are_draws() {
    let draw = |op: &str, run| {
        let model = model(13)
            .input("x", FLOAT, &[Fix(1000)])
            .init(raw("key", UINT64, &[1], vec![0; 8]))
            .init(raw("counter", UINT64, &[2], vec![0; 16]))
            .init(raw("alg", INT32, &[], vec![1, 0, 0, 0]))
            .node(node("Shape", &["x"], &["long"]))
            .node(node("Cast", &["long"], &["shape"]).int("to", INT32.into()))
            .node(node(op, &["shape", "key", "counter", "alg"], &["u"]).named("draw"))
            .node(node("Add", &["x", "u"], &["y"]))
            .output("y", FLOAT, &[Fix(1000)]);
        let x = row(&[0.0; 1000]);
        outputs(&model, ON, &[("x", x)], run)[0].to_f64()
    };
    let uniform = draw("StatelessRandomUniformV2", 0);
    let mean = uniform.iter().sum::<f64>() / 1000.0;
    assert!((0.45..0.55).contains(&mean) && uniform.iter().all(|u| (0.0..1.0).contains(u)));
    let normal = draw("StatelessRandomNormalV2", 0);
    let squares = normal.iter().map(|n| n * n).sum::<f64>() / 1000.0;
    assert!((0.8..1.2).contains(&squares), "{squares}");
    assert_eq!(uniform, draw("StatelessRandomUniformV2", 0));
    assert_ne!(uniform, draw("StatelessRandomUniformV2", 1));
}

#[test]
fn the_complement_of_the_error_function() {
    let model = model(13)
        .input("x", FLOAT, &[Fix(4)])
        .node(node("Erfc", &["x"], &["y"]))
        .output("y", FLOAT, &[Fix(4)]);
    let found = outputs(&model, ON, &[("x", row(&[-1.0, 0.0, 0.5, 2.0]))], 0)[0].to_f64();
    let right = [1.842_700_8, 1.0, 0.479_500_1, 0.004_677_7]; // math.erfc
    let near = found
        .iter()
        .zip(right)
        .all(|(y, right)| (y - right).abs() < 1e-6);
    assert!(near, "{found:?}");
}

/// `y = Dropout(x + bias) + rest` by an operator of ONNX Runtime's training.
fn biased(training: bool, rest: &str) -> Model {
    let inputs = ["x", "bias", rest, "ratio", "training"];
    model(13)
        .input("x", FLOAT, &[Fix(1000)])
        .init(float("bias", 1.0))
        .init(float("rest", 10.0))
        .init(float("ratio", 0.25))
        .init(boolean("training", training))
        .node(node("BiasDropout", &inputs, &["y", "mask"]).domain("com.microsoft"))
        .output("y", FLOAT, &[Fix(1000)])
        .output("mask", BOOL, &[Fix(1000)])
}

#[test]
fn dropout_with_a_bias_is_a_sum_and_a_dropout() {
    let run = |model: &Model, meaning| {
        let found = outputs(model, meaning, &[("x", row(&[2.0; 1000]))], 0);
        (found[0].to_f64(), found[1].to_f64())
    };
    let (y, mask) = run(&biased(false, "rest"), ON);
    assert!(y.iter().all(|&y| y == 13.0) && mask.iter().all(|&kept| kept == 1.0));
    let (y, mask) = run(&biased(true, ""), ON);
    let kept = mask.iter().filter(|&&kept| kept == 1.0).count();
    assert!((690..810).contains(&kept), "{kept}");
    assert!(y.iter().zip(&mask).all(|(&y, &kept)| y == 4.0 * kept));
    let (y, _) = run(&biased(true, "rest"), Meaning::Inference);
    assert!(y.iter().all(|&y| y == 13.0));
}

#[test]
fn a_mask_of_bits_is_not_made() {
    let bitmask = |outputs: &[&str]| {
        let inputs = ["x", "ratio", "training"];
        model(13)
            .input("x", FLOAT, &[Fix(4)])
            .init(float("ratio", 0.25))
            .init(boolean("training", true))
            .node(node("BitmaskDropout", &inputs, outputs).domain("com.microsoft"))
            .output("y", FLOAT, &[Fix(4)])
    };
    let read = |model: &Model| load(&model.source(), ON).is_ok();
    assert!(read(&bitmask(&["y"])) && read(&bitmask(&["y", "bits"])));
    assert!(!read(&bitmask(&["y", "bits"]).output(
        "bits",
        UINT32,
        &[Fix(1)]
    )));
}

#[test]
fn two_branches_have_two_names() {
    let branch = |op: &str| {
        graph(op)
            .with_node(node(op, &["x"], &["branch"]))
            .with_output("branch", FLOAT, &[Fix(2)])
    };
    let either = |output: &str| {
        node("If", &["c"], &[output])
            .subgraph("then_branch", branch("Neg"))
            .subgraph("else_branch", branch("Abs"))
    };
    let model = model(13)
        .input("x", FLOAT, &[Fix(2)])
        .node(node("ReduceSum", &["x"], &["sum"]).int("keepdims", 0))
        .node(node("Cast", &["sum"], &["c"]).int("to", BOOL.into()))
        .node(either("one"))
        .node(either("two"))
        .node(node("Add", &["one", "two"], &["y"]))
        .output("y", FLOAT, &[Fix(2)]);
    for (x, y) in [([1.0, 2.0], [-2.0, -4.0]), ([-3.0, 3.0], [6.0, 6.0])] {
        let found = outputs(&model, Meaning::Inference, &[("x", row(&x))], 0);
        assert_eq!(found[0].to_f64(), y);
    }
}
