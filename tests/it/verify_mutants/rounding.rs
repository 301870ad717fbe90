//! Results that differ from the original by rounding alone are equal; a factor that is wrong in one channel is not.

use dropout_onnx::onnx::{DataType, Model};
use dropout_onnx::rewrite::strip::{self, Options};
use dropout_onnx::verify::compare::Tolerance;
use dropout_onnx::verify::run::Outcome;
use dropout_onnx::verify::{self, Demand, Verdict};

use crate::common::build::{
    self, f32_scalar, f32s, flag, float, graph, i64s, int, op, scalar, subgraph,
};
use crate::common::proto::{self, Graph, Node, Tensor};

const HALF: DataType = DataType::FLOAT16;

fn runs(before: &Model, after: &Model) -> Outcome {
    runs_within(before, after, Tolerance::Exact)
}

fn runs_within(before: &Model, after: &Model, tolerance: Tolerance) -> Outcome {
    let mut options = verify::Options::default().structure(false);
    options.run = options.run.map(|run| run.tolerance(tolerance));
    let found = verify::verify(before, after, &options).unwrap();
    found.run.unwrap().outcome
}

/// A strip of the original is equal to it; a model that multiplies one channel by another number is not.
#[track_caller]
fn rounds(original: proto::Model, twin: proto::Model) {
    let original = original.read();
    let stripped = strip::strip(&original, &Options::default()).unwrap();
    assert!(!stripped.outcome.is_unchanged());
    let found = stripped
        .verify(&original, None, &verify::Options::default())
        .unwrap();
    assert_eq!(found.verdict(Demand::Rewrite), Verdict::Equal);
    let outcome = runs(&original, &twin.read());
    assert!(matches!(outcome, Outcome::Different(_)), "{outcome}");
}

fn halves(numbers: &[f32]) -> Tensor {
    let bytes: Vec<u8> = numbers
        .iter()
        .flat_map(|&number| half::f16::from_f32(number).to_le_bytes())
        .collect();
    build::raw(HALF, &[numbers.len() as i64], &bytes)
}

/// `y`, the digits of 64·`d`: each bit of `d` shows in them.
fn digits(nodes: Vec<Node>) -> Graph {
    let last = ["m = Mul(d, many)", "f = Floor(m)", "y = Sub(m, f)"].map(op);
    graph(nodes.into_iter().chain(last))
        .input_of("x", HALF, &[4, 4])
        .output_of("y", HALF, &[4, 4])
        .init("many", scalar(HALF, 64.0))
}

/// A draw in half precision, and whether it is less than a number.
fn drawn() -> Vec<Node> {
    vec![
        op("u = RandomUniformLike(x)").with(int("dtype", HALF.0.into())),
        op("k = Less(u, keep)"),
        op("kept = Cast(k)").with(int("to", HALF.0.into())),
    ]
}

#[test]
fn a_factor_before_a_mask_in_half_precision() {
    let mut nodes = vec![op("h = Mul(x, c)")];
    nodes.extend(drawn());
    nodes.push(op("d = Mul(h, kept)"));
    let original = digits(nodes).init("c", scalar(HALF, 2.5));
    let original = original.init("keep", scalar(HALF, 0.4));
    let twin = digits(vec![op("d = Mul(x, c)")]).init("c", halves(&[1.0, 1.0, 1.01, 1.0]));
    rounds(build::model(17, original), build::model(17, twin));
}

/// Two steps of a loop that multiplies its state by something that all steps share.
fn looped(factor: &str) -> Vec<Node> {
    let body = graph(
        [
            "go = Identity(on)",
            "s = Mul(a, m)",
            "b = Sin(s)",
            "n = Identity(m)",
        ]
        .map(op),
    )
    .input_of("i", DataType::INT64, &[])
    .input_of("on", DataType::BOOL, &[])
    .input_of("a", HALF, &[4, 4])
    .input_of("m", HALF, &[])
    .output_of("go", DataType::BOOL, &[])
    .output_of("b", HALF, &[4, 4])
    .output_of("n", HALF, &[]);
    let mut body = body;
    for info in [&mut body.input[3], &mut body.output[2]] {
        info.r#type
            .as_mut()
            .unwrap()
            .tensor_type
            .as_mut()
            .unwrap()
            .shape = None;
    }
    let text = format!("d, last = Loop(two, yes, x, {factor})");
    vec![op(&text).with(subgraph("body", body))]
}

#[test]
fn a_mask_that_a_loop_carries_in_half_precision() {
    let steps = |graph: Graph| graph.init("two", i64s(&[2])).init("yes", flag(true));
    let mut nodes = drawn();
    nodes.push(op("mask = Div(kept, keep)"));
    nodes.extend(looped("mask"));
    let original = steps(digits(nodes)).init("keep", scalar(HALF, 0.7));
    let twin = steps(digits(looped("c"))).init("c", halves(&[1.0, 1.01, 1.0, 1.0]));
    rounds(build::model(17, original), build::model(17, twin));
}

#[test]
fn an_unscaled_mask_next_to_another_factor() {
    let nodes = vec![
        op("h = Mul(c, x)"),
        op("u = RandomUniformLike(x)").with(float("seed", 1.0)),
        op("k = GreaterOrEqual(u, keep)"),
        op("dropped = Cast(k)").with(int("to", 1)),
        op("less = Mul(dropped, h)"),
        op("d = Sub(h, less)"),
        op("y = Tanh(d)"),
    ];
    let original = build::x_to_y(nodes).init("c", f32_scalar(1.5));
    let original = original.init("keep", f32_scalar(0.7));
    let twin = build::x_to_y([op("d = Mul(x, c)"), op("y = Tanh(d)")]);
    let twin = twin.init("c", f32s(&[3], &[1.05, 1.05, 1.051]));
    rounds(build::model(17, original), build::model(17, twin));
}

/// A layer in half precision over 512 channels, each of which has a factor.
fn channels(factors: &[f32]) -> Model {
    let mixed = |place: u32| {
        place
            .wrapping_mul(2_654_435_761)
            .rotate_left(13)
            .wrapping_mul(0x9e37_79b9)
    };
    let weights = (0..512 * 8).map(|place| mixed(place) as f32 / u32::MAX as f32 - 0.5);
    let weights: Vec<f32> = weights.collect();
    let bytes: Vec<u8> = weights
        .iter()
        .flat_map(|&weight| half::f16::from_f32(weight).to_le_bytes())
        .collect();
    let layer = graph(["h = Mul(x, c)", "y = MatMul(h, w)"].map(op))
        .input_of("x", HALF, &[16, 512])
        .output_of("y", HALF, &[16, 8])
        .init("c", halves(factors))
        .init("w", build::raw(HALF, &[512, 8], &bytes));
    build::model(17, layer).read()
}

#[test]
fn a_factor_in_one_channel_of_many_in_half_precision() {
    let before = channels(&[1.25; 512]);
    let apart = |factors: &[f32]| runs_within(&before, &channels(factors), Tolerance::ByType);
    // each rounded differently
    let rounded = (0..512).map(|channel| 1.25 + [-0.001, 0.001][channel * channel % 7 % 2]);
    assert_eq!(apart(&rounded.collect::<Vec<f32>>()), Outcome::Equal);
    let mut wrong = [1.25; 512];
    wrong[7] *= 1.1;
    let outcome = apart(&wrong);
    assert!(matches!(outcome, Outcome::Different(_)), "{outcome}");
}
