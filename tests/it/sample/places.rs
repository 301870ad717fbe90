//! Dropout wherever it stands and in every version, inert or not, drops; and at the rates it is set to.

use dropout_onnx::onnx::DataType;
use dropout_onnx::sample::{Options, Output};

use super::{refusal, sampled};
use crate::common::build::{
    SHAPE, f32_scalar, flag, float, function, graph, int, model, op, subgraph, typed, x_to_y,
};
use crate::common::proto::{Graph, Model, Node};

fn options(rates: &[f64]) -> Options {
    Options::default().runs(30).seed(5).rates(rates.to_vec())
}

fn outputs(model: &Model, rates: &[f64]) -> Vec<Output> {
    let report = sampled(&model.read(), &options(rates));
    report
        .samplings
        .into_iter()
        .flat_map(|at| at.outputs)
        .collect()
}

/// Dropout of rate 0.25 as it is written in an operator set; `on` says that it acts, in those that can.
fn written(opset: i64, on: bool) -> Model {
    let ratio = |node: Node| node.named("drop").with(float("ratio", 0.25));
    let node = match opset {
        ..7 => ratio(op("y = Dropout(x)")).with(int("is_test", i64::from(!on))),
        7..12 => ratio(op("y = Dropout(x)")),
        _ => op("y = Dropout(x, p, on)").named("drop"),
    };
    let graph = x_to_y([node])
        .init("p", f32_scalar(0.25))
        .init("on", flag(on));
    model(opset, graph)
}

#[test]
fn every_version_drops_the_same() {
    let [expected] = &outputs(&written(22, true), &[])[..] else {
        panic!("one output");
    };
    assert!(expected.std.iter().all(|&std| std > 0.0));
    for opset in 1..=22 {
        for on in [false, true] {
            let written = written(opset, on);
            let found = outputs(&written, &[]);
            assert_eq!(&found[0], expected, "opset {opset}, {on}");
            // the twin: at another rate it is another
            let other = outputs(&written, &[0.5]);
            assert!(other[0].spread() > expected.spread(), "opset {opset}, {on}");
        }
    }
}

fn with_flag(graph: Graph) -> Graph {
    graph.init("p", f32_scalar(0.25)).init("on", flag(true))
}

#[test]
fn in_branches_functions_and_bodies() {
    let drop = || op("b = Dropout(x, p)").named("drop");
    let branch = |node: Node| graph([node]).output("b");
    let choice = op("y = If(on)")
        .with(subgraph("then_branch", branch(drop())))
        .with(subgraph("else_branch", branch(op("b = Identity(x)"))));
    let body = graph([op("b = Dropout(row)").named("drop")])
        .input_of("row", DataType::FLOAT, &[3])
        .output_of("b", DataType::FLOAT, &[3]);
    let scan = op("y = Scan(x)")
        .with(int("num_scan_inputs", 1))
        .with(subgraph("body", body));
    let called = model(13, x_to_y([op("y = local::F(x)")]))
        .imports("local", 1)
        .function(function(
            "F",
            "x",
            "y",
            13,
            [op("y = Dropout(x)").named("drop")],
        ));
    for (what, model) in [
        ("If", model(13, with_flag(x_to_y([choice])))),
        ("Scan", model(13, x_to_y([scan]))),
        ("function", called),
    ] {
        let found = outputs(&model, &[]);
        assert!(
            found[0].std.iter().all(|&std| std > 0.0),
            "{what}: {found:?}"
        );
        let set = outputs(&model, &[0.0, 0.1, 0.5]);
        let spread: Vec<f64> = set.iter().map(Output::spread).collect();
        assert!(
            spread[0] == 0.0 && spread[1] > 0.0 && spread[2] > spread[1],
            "{what}: {spread:?}"
        );
    }
}

/// An operator, inert, and a random mask, one behind the other: both are set. What is kept by both is
/// `1/(1-p)²` times what it was, so each element's variance is `x² (1/(1-p)² - 1)`.
#[test]
fn operators_and_random_masks_are_set_together() {
    let nodes = [
        op("d = Dropout(x, p, off)").named("operator"),
        op("u = RandomUniformLike(d)").named("mask"),
        op("m = GreaterOrEqual(u, p)"),
        op("k = Cast(m)").with(int("to", 1)),
        op("xs = Mul(d, s)"),
        op("y = Mul(xs, k)"),
    ];
    let graph = graph(nodes)
        .input_of("x", DataType::FLOAT, &[4000])
        .output_of("y", DataType::FLOAT, &[4000])
        .init("p", f32_scalar(0.25))
        .init("s", f32_scalar(1.0 / 0.75))
        .init("off", flag(false));
    let rates = [0.1, 0.3, 0.5];
    let found = outputs(&model(13, graph), &rates);
    for (output, p) in found.iter().zip(rates) {
        let x = output.deterministic.as_ref().unwrap();
        let of = |p: f64| (1.0 - p).powi(-2) - 1.0;
        let squares: f64 = x.iter().map(|x| x * x).sum();
        let variance: f64 = output.std.iter().map(|std| std * std).sum();
        let near = |p: f64| (variance / (squares * of(p)) - 1.0).abs() < 0.05;
        assert!(near(p), "{p}: {} not {}", variance / squares, of(p));
        assert!(!near(p + 0.05), "the twin: another rate would be seen");
    }
}

/// Nodes draw apart, also where they share a name, have none, have one seed, or are one in a function.
#[test]
fn every_site_draws_for_itself() {
    let named = |name: &str| {
        let node = |text: &str| match name {
            "" => op(text),
            name => op(text).named(name),
        };
        x_to_y([
            node("a = Dropout(x)"),
            node("b = Dropout(x)"),
            op("y = Sub(a, b)"),
        ])
    };
    let uniform = || op("u = RandomUniformLike(x)").with(float("seed", 1.0));
    let mask = |draw: &str| {
        let op = |text: &str| op(&text.replace('$', draw));
        [
            op("u$ = RandomUniformLike(x)").with(float("seed", 1.0)),
            op("m$ = Less(u$, p)"),
            op("f$ = Cast(m$)").with(int("to", 1)),
            op("s$ = Mul(x, f$)"),
            op("$ = Div(s$, p)"),
        ]
    };
    let masks = mask("a").into_iter().chain(mask("b"));
    let masks = masks.chain([op("y = Sub(a, b)")]);
    let called = ["a = local::F(x)", "b = local::F(x)", "y = Sub(a, b)"].map(op);
    let called = model(13, x_to_y(called))
        .imports("local", 1)
        .function(function(
            "F",
            "x",
            "y",
            13,
            [op("y = Dropout(x)").named("drop")],
        ));
    for (what, model) in [
        ("no names", model(13, named(""))),
        ("one name", model(13, named("drop"))),
        ("the name of the input", model(13, named("x"))),
        (
            "one seed",
            model(13, x_to_y(masks).init("p", f32_scalar(0.5))),
        ),
        ("function", called),
    ] {
        let found = outputs(&model, &[]);
        assert!(
            found[0].std.iter().all(|&std| std > 0.0),
            "{what}: {found:?}"
        );
    }
    // the twin: one draw for both
    let one = [
        uniform(),
        op("m = Less(u, p)"),
        op("f = Cast(m)").with(int("to", 1)),
        op("s = Mul(x, f)"),
        op("d = Div(s, p)"),
        op("y = Sub(d, d)"),
    ];
    let one = outputs(&model(13, x_to_y(one).init("p", f32_scalar(0.5))), &[]);
    assert_eq!(one[0].spread(), 0.0);
}

#[test]
fn several_outputs_of_several_types() {
    let nodes = [
        op("y, mask = Dropout(x, p)").named("drop"),
        op("best = ArgMax(y)").with(int("axis", 1)),
        op("still = Relu(x)"),
    ];
    let mut graph = x_to_y(nodes).init("p", f32_scalar(0.5));
    graph.output.push(typed("mask", DataType::BOOL, SHAPE));
    graph.output.push(typed("best", DataType::INT64, &[2, 1]));
    graph.output.push(typed("still", DataType::FLOAT, SHAPE));
    let report = sampled(&model(13, graph).read(), &options(&[]));
    let [y, mask, best, still] = &report.samplings[0].outputs[..] else {
        panic!("four outputs");
    };
    assert_eq!(
        [&y.name, &mask.name, &best.name, &still.name],
        ["y", "mask", "best", "still"]
    );
    assert_eq!(mask.deterministic.as_ref().unwrap(), &[1.0; 6]); // at inference all is kept
    for (mean, std) in mask.mean.iter().zip(&mask.std) {
        // a coin: the variance of a sample is n/(n-1) q (1-q)
        let variance = 30.0 / 29.0 * mean * (1.0 - mean);
        assert!((std * std - variance).abs() < 1e-12);
        // the twin: divided by n, it would be another
        assert!((std * std - mean * (1.0 - mean)).abs() > 1e-3);
    }
    assert!(best.std.iter().any(|&std| std > 0.0) && best.classes.is_none());
    assert_eq!(still.spread(), 0.0);
}

#[test]
fn token_ids_stay_within_the_table() {
    let nodes = [
        op("e = Gather(table, ids)"),
        op("y = Dropout(e, p)").named("drop"),
    ];
    let table: Vec<f32> = (0..4).flat_map(|i| [1.0 + i as f32; 3]).collect();
    let graph = graph(nodes)
        .input_of("ids", DataType::INT64, &[2, 5])
        .output_of("y", DataType::FLOAT, &[2, 5, 3])
        .init("table", crate::common::build::f32s(&[4, 3], &table))
        .init("p", f32_scalar(0.5));
    let report = sampled(&model(13, graph).read(), &options(&[]));
    assert_eq!(report.made, ["ids"]);
    assert!(
        report.samplings[0].outputs[0]
            .std
            .iter()
            .all(|&std| std > 0.0)
    );
    let note = report
        .notes
        .iter()
        .find(|note| note.contains("integer inputs are 0 or 1"));
    assert!(note.is_some(), "{:?}", report.notes);
}

#[test]
fn values_that_are_not_finite_are_noted() {
    // the logarithm of what is dropped is -inf, of what is negative NaN
    let nodes = [
        op("d = Dropout(x, p)").named("drop"),
        op("a = Abs(d)"),
        op("y = Log(a)"),
    ];
    let mut graph = x_to_y(nodes).init("p", f32_scalar(0.5));
    graph.output.push(typed("d", DataType::FLOAT, SHAPE));
    let report = sampled(&model(13, graph).read(), &options(&[]));
    let [y, d] = &report.samplings[0].outputs[..] else {
        panic!("two outputs");
    };
    assert_eq!((y.not_finite, d.not_finite), (6, 0));
    assert!(y.spread().is_nan() && y.mean.iter().all(|mean| mean.is_nan()));
    assert!(d.spread() > 0.0);
    let notes: Vec<_> = report
        .notes
        .iter()
        .filter(|note| note.contains("infinite"))
        .collect();
    assert_eq!(
        notes,
        [
            "output y: 6 of 6 elements were NaN or infinite in a run, so they have no mean and \
          standard deviation"
        ]
    );
    assert!(report.npz().is_ok());
    // a plot leaves it out
    let swept = sampled(
        &model(13, x_to_y([op("d = Dropout(x)"), op("y = Log(d)")])).read(),
        &options(&[0.1, 0.5]),
    );
    assert!(swept.svg().unwrap().contains("</svg>"));
}

#[test]
fn a_rate_that_is_an_input_is_asked_for_by_name() {
    let graph = x_to_y([op("y = Dropout(x, p)")]).input_of("p", DataType::FLOAT, &[]);
    let folder = tempfile::TempDir::new().unwrap();
    let write = |name: &str, shape: &[usize], numbers: Vec<f32>| {
        use ndarray_npy::WriteNpyExt;
        let file = folder.path().join(format!("{name}.npy"));
        let array = ndarray::ArrayD::from_shape_vec(shape, numbers).unwrap();
        array
            .write_npy(std::fs::File::create(&file).unwrap())
            .unwrap();
        format!("{name}={}", file.display()).parse().unwrap()
    };
    let mut options = options(&[]);
    options.inputs = vec![write("x", &[2, 3], vec![1.0; 6])];
    for seed in 0..4 {
        options.seed = seed; // a rate that is drawn is a rate by chance only
        let found = refusal(&model(13, graph.clone()).read(), &options);
        assert!(
            found.contains("Dropout") && found.contains("is a model input")
                || found.contains("the input p"),
            "{found}"
        );
    }
    options.inputs.push(write("p", &[], vec![0.5]));
    let report = sampled(&model(13, graph).read(), &options);
    assert!(report.samplings[0].outputs[0].spread() > 0.0);
}
