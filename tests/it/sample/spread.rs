//! Mean and standard deviation of a linear model, `y = dropout(x) · W`, in every way to write dropout.
//!
//! Of inverted and of Gaussian dropout the mean is `x · W` and the variance `p/(1-p) · Σ (x w)²`; of
//! classic dropout `(1-p) · x · W` and `p (1-p) · Σ (x w)²`. The rows of a batch are the same, and drop
//! apart: each is a sample. Seeds are fixed, and figures within four standard errors.

use dropout_onnx::dropout::Kind;
use dropout_onnx::onnx::DataType;
use dropout_onnx::sample::{Options, Output, average};

use super::{fed, sampled};
use crate::common::build::{f32_scalar, f32s, flag, float, graph, i64s, int, ints, model, op};
use crate::common::proto::{Graph, Model, Node, Tensor};

const X: [f32; 8] = [1.0, -2.0, 0.5, 3.0, -1.5, 0.25, 2.0, -0.75];
const W: [f32; 8] = [0.5, 1.0, -2.0, 0.25, 1.5, -1.0, 0.75, 2.0];
const ROWS: usize = 50;
const RUNS: usize = 60;
/// What the models are written with.
const P: f64 = 0.3;
/// What they are set to.
const RATES: [f64; 3] = [0.1, 0.3, 0.5];

fn of(opset: i64, nodes: Vec<Node>) -> Model {
    let mut nodes = nodes;
    nodes.push(op("y = MatMul(d, w)"));
    let start = graph(nodes)
        .input_of("x", DataType::FLOAT, &[ROWS as i64, 8])
        .output_of("y", DataType::FLOAT, &[ROWS as i64, 1])
        .init("w", f32s(&[8, 1], &W));
    let scalars = [
        ("p", P),
        ("keep", 1.0 - P),
        ("s", 1.0 / (1.0 - P)),
        ("zero", 0.0),
        ("one", 1.0),
        ("sigma", (P / (1.0 - P)).sqrt()),
    ];
    let add = |graph: Graph, &(name, c): &(&str, f64)| graph.init(name, f32_scalar(c as f32));
    model(opset, scalars.iter().fold(start, add))
}

fn cast(text: &str) -> Node {
    op(text).with(int("to", 1))
}

/// Inverted dropout of rate 0.3, in as many ways as there are.
fn inverted() -> Vec<(&'static str, Model)> {
    let ratio = |node: Node| node.with(float("ratio", P as f32));
    let mut switched = of(13, vec![op("d = Dropout(x, p, on)")]);
    switched
        .main_mut()
        .initializer
        .push(named("on", flag(true)));
    let mut inert = of(13, vec![op("d = Dropout(x, p, on)")]);
    inert.main_mut().initializer.push(named("on", flag(false)));
    let mut stateless = of(
        15,
        vec![
            op("u = StatelessRandomUniformV2(shape, key, counter, alg)"),
            op("m = GreaterOrEqual(u, p)"),
            cast("k = Cast(m)"),
            op("xs = Mul(x, s)"),
            op("d = Mul(xs, k)"),
        ],
    );
    for name in ["shape", "key", "counter", "alg"] {
        let tensor = named(name, i64s(&[ROWS as i64, 8]));
        stateless.main_mut().initializer.push(tensor);
    }
    vec![
        ("opset 22", of(22, vec![op("d = Dropout(x, p)")])),
        ("training_mode true", switched),
        ("training_mode false", inert),
        ("no switch", of(12, vec![op("d = Dropout(x, p)")])),
        ("opset 10", of(10, vec![ratio(op("d = Dropout(x)"))])),
        ("opset 7", of(7, vec![ratio(op("d = Dropout(x)"))])),
        (
            "is_test",
            of(6, vec![ratio(op("d = Dropout(x)")).with(int("is_test", 1))]),
        ),
        ("not is_test", of(6, vec![ratio(op("d = Dropout(x)"))])),
        (
            "scaled before",
            of(
                13,
                vec![
                    op("xs = Mul(x, s)"),
                    op("u = RandomUniformLike(x)"),
                    op("m = GreaterOrEqual(u, p)"),
                    cast("k = Cast(m)"),
                    op("d = Mul(xs, k)"),
                ],
            ),
        ),
        (
            "scaled after",
            of(
                13,
                vec![
                    op("u = RandomUniform()").with(ints("shape", &[ROWS as i64, 8])),
                    op("m = Less(u, keep)"),
                    cast("k = Cast(m)"),
                    op("h = Mul(x, k)"),
                    op("d = Div(h, keep)"),
                ],
            ),
        ),
        (
            "chosen",
            of(
                13,
                vec![
                    op("xs = Mul(x, s)"),
                    op("u = RandomUniformLike(x)"),
                    op("m = Less(u, p)"),
                    op("d = Where(m, zero, xs)"),
                ],
            ),
        ),
        ("stateless", stateless),
    ]
}

fn named(name: &str, tensor: Tensor) -> Tensor {
    Tensor {
        name: Some(name.into()),
        ..tensor
    }
}

fn classic() -> Model {
    let nodes = ["u = RandomUniformLike(x)", "m = Less(u, keep)"].map(op);
    let nodes = nodes
        .into_iter()
        .chain([cast("k = Cast(m)"), op("d = Mul(x, k)")]);
    of(13, nodes.collect())
}

fn gaussian() -> Model {
    let nodes = [
        "n = RandomNormalLike(x)",
        "ns = Mul(n, sigma)",
        "f = Add(ns, one)",
        "d = Mul(x, f)",
    ];
    of(13, nodes.map(op).to_vec())
}

fn alpha() -> Model {
    let alpha = 1.758_099_340_847_376_6;
    let a = ((1.0 - P) * (1.0 + P * alpha * alpha)).powf(-0.5);
    let mut model = of(
        13,
        vec![
            op("u = RandomUniformLike(x)"),
            op("m = GreaterOrEqual(u, p)"),
            cast("k = Cast(m)"),
            op("kept = Mul(x, k)"),
            op("off = Sub(one, k)"),
            op("lost = Mul(off, floor)"),
            op("both = Add(kept, lost)"),
            op("scaled = Mul(both, a)"),
            op("d = Add(scaled, b)"),
        ],
    );
    for (name, number) in [("floor", -alpha), ("a", a), ("b", a * alpha * P)] {
        let tensor = named(name, f32_scalar(number as f32));
        model.main_mut().initializer.push(tensor);
    }
    model
}

/// Σ x w and Σ (x w)².
fn sums() -> (f64, f64) {
    let products = X.iter().zip(W).map(|(x, w)| f64::from(x * w));
    (products.clone().sum(), products.map(|xw| xw * xw).sum())
}

/// Whether a mean and a variance are what an output shows, over all its rows.
fn fits(output: &Output, mean: f64, variance: f64) -> bool {
    let samples = (ROWS * RUNS) as f64;
    let found = average(&output.mean);
    let squares: Vec<f64> = output.std.iter().map(|std| std * std).collect();
    // the variance of a sum of few scaled coins has itself a deviation of about its √(2/n), and more
    // for the rarer of them
    let near = (average(&squares) / variance - 1.0).abs() < 4.0 * (6.0 / samples).sqrt();
    (found - mean).abs() < 4.0 * (variance / samples).sqrt() && near
}

fn options(rates: &[f64]) -> Options {
    Options::default().runs(RUNS).seed(7).rates(rates.to_vec())
}

fn of_inverted(p: f64) -> (f64, f64) {
    let (sum, squares) = sums();
    (sum, p / (1.0 - p) * squares)
}

#[track_caller]
fn shows(what: &str, output: &Output, (mean, variance): (f64, f64), deterministic: f64) {
    assert!(
        fits(output, mean, variance),
        "{what}: {output:?}, not {mean} {variance}"
    );
    // the twin: another variance would be seen
    assert!(!fits(output, mean, variance * 1.3), "{what}: {output:?}");
    let found = output.deterministic.as_ref().unwrap()[0];
    assert!(
        (found - deterministic).abs() < 1e-5,
        "{what}: {found}, not {deterministic}"
    );
}

#[test]
fn at_the_rate_of_the_model() {
    let (sum, _) = sums();
    for (what, model) in inverted() {
        let report = fed(&model, &[ROWS, 8], &X.repeat(ROWS), options(&[]));
        assert_eq!(report.samplings[0].rate, None);
        shows(what, &report.samplings[0].outputs[0], of_inverted(P), sum);
    }
}

#[test]
fn one_seed_is_that_of_the_inputs_and_another_that_of_the_masks() {
    let (_, model) = inverted().into_iter().next().unwrap();
    let at = |seed, mask_seed| {
        let options = options(&[]).seed(seed).mask_seed(mask_seed);
        let output = sampled(&model.read(), &options).samplings[0].outputs[0].clone();
        (output.deterministic.unwrap(), output.std)
    };
    let (inputs, spread) = at(7, None);
    assert_eq!(at(7, Some(7)), (inputs.clone(), spread.clone()));
    let (same, other) = at(7, Some(8));
    assert!(same == inputs && other != spread);
    // the twin: the other seed changes the inputs
    let (other, _) = at(8, Some(7));
    assert_ne!(other, inputs);
}

#[test]
fn at_rates_that_are_set() {
    let (sum, _) = sums();
    for (what, model) in inverted() {
        let report = fed(&model, &[ROWS, 8], &X.repeat(ROWS), options(&RATES));
        for (at, p) in report.samplings.iter().zip(RATES) {
            assert_eq!(at.rate, Some(p));
            shows(
                &format!("{what} at {p}"),
                &at.outputs[0],
                of_inverted(p),
                sum,
            );
        }
    }
}

#[test]
fn classic_dropout_scales_at_inference() {
    let (sum, squares) = sums();
    let of = |p: f64| ((1.0 - p) * sum, p * (1.0 - p) * squares);
    let report = fed(&classic(), &[ROWS, 8], &X.repeat(ROWS), options(&[]));
    shows(
        "classic",
        &report.samplings[0].outputs[0],
        of(P),
        (1.0 - P) * sum,
    );
    let report = fed(&classic(), &[ROWS, 8], &X.repeat(ROWS), options(&RATES));
    for (at, p) in report.samplings.iter().zip(RATES) {
        shows(
            &format!("classic at {p}"),
            &at.outputs[0],
            of(p),
            (1.0 - p) * sum,
        );
    }
}

#[test]
fn gaussian_dropout_has_the_deviation_of_its_rate() {
    let (sum, _) = sums();
    let report = fed(&gaussian(), &[ROWS, 8], &X.repeat(ROWS), options(&[]));
    assert_eq!(report.sites[0].kind, Kind::GaussianDropout);
    shows(
        "gaussian",
        &report.samplings[0].outputs[0],
        of_inverted(P),
        sum,
    );
    let report = fed(&gaussian(), &[ROWS, 8], &X.repeat(ROWS), options(&RATES));
    for (at, p) in report.samplings.iter().zip(RATES) {
        shows(
            &format!("gaussian at {p}"),
            &at.outputs[0],
            of_inverted(p),
            sum,
        );
    }
}

/// Kept: `a x + b`; dropped: `a α + b`, with `a` and `b` of Klambauer et al. 2017.
fn of_alpha(p: f64) -> (f64, f64) {
    let alpha = -1.758_099_340_847_376_6;
    let a = ((1.0 - p) * (1.0 + p * alpha * alpha)).powf(-0.5);
    let b = -a * alpha * p;
    let terms = X.iter().zip(W).map(|(&x, w)| {
        let (x, w) = (f64::from(x), f64::from(w));
        let (kept, dropped) = (a * x + b, a * alpha + b);
        let mean = (1.0 - p) * kept + p * dropped;
        (w * mean, w * w * p * (1.0 - p) * (kept - dropped).powi(2))
    });
    terms.fold((0.0, 0.0), |(m, v), (mean, variance)| {
        (m + mean, v + variance)
    })
}

#[test]
fn alpha_dropout_keeps_its_two_numbers() {
    let (sum, _) = sums();
    let report = fed(&alpha(), &[ROWS, 8], &X.repeat(ROWS), options(&[]));
    assert_eq!(report.sites[0].kind, Kind::AlphaDropout);
    shows("alpha", &report.samplings[0].outputs[0], of_alpha(P), sum);
    let report = fed(&alpha(), &[ROWS, 8], &X.repeat(ROWS), options(&RATES));
    for (at, p) in report.samplings.iter().zip(RATES) {
        shows(&format!("alpha at {p}"), &at.outputs[0], of_alpha(p), sum);
    }
}

#[test]
fn rate_0_drops_nothing() {
    for (what, model) in inverted() {
        let report = fed(
            &model,
            &[ROWS, 8],
            &X.repeat(ROWS),
            options(&[0.0, 0.5]).runs(3),
        );
        let [still, moving] = [0, 1].map(|at| &report.samplings[at].outputs[0]);
        assert_eq!(average(&still.std), 0.0, "{what}");
        assert!((average(&still.mean) - sums().0).abs() < 1e-5, "{what}");
        assert!(average(&moving.std) > 0.0, "{what}");
    }
}
