//! Each dropout alone.

use dropout_onnx::onnx::DataType;
use dropout_onnx::sample::{Options, Report, sample};

use super::{fed, fixture, refusal, sampled};
use crate::common::build::{f32_scalar, f32s, flag, graph, model, op};
use crate::common::proto::Model;

/// Two dropouts of one sum, the second of ten times as much.
fn two() -> Model {
    let graph = graph(vec![
        op("a = Dropout(x, p, on)").named("small"),
        op("w = Mul(x, ten)"),
        op("b = Dropout(w, p, on)").named("large"),
        op("y = Add(a, b)"),
    ]);
    let graph = graph
        .input_of("x", DataType::FLOAT, &[1, 4])
        .output_of("y", DataType::FLOAT, &[1, 4])
        .init("ten", f32s(&[1], &[10.0]));
    model(13, graph.init("p", f32_scalar(0.5)).init("on", flag(true)))
}

fn options() -> Options {
    Options::default().runs(400).per_site(true)
}

fn spreads(report: &Report) -> Vec<(String, f64)> {
    let alone = report.per_site.iter();
    let alone = alone.map(|at| (at.dropout.clone(), at.outputs[0].spread()));
    alone.collect()
}

#[test]
fn the_deviation_is_that_of_one_dropout() {
    let report = fed(&two(), &[1, 4], &[1.0; 4], options());
    let alone = spreads(&report);
    // inverted dropout of 1 at 0.5 is 0 or 2: its standard deviation is 1
    for ((_, spread), by_hand) in alone.iter().zip([1.0, 10.0]) {
        assert!((spread / by_hand - 1.0).abs() < 0.1, "{alone:?}");
    }
    assert!(
        alone[0].0.contains("small") && alone[1].0.contains("large"),
        "{alone:?}"
    );
    // both together: the root of the sum of squares, as without the option
    let all = report.samplings[0].outputs[0].spread();
    assert!((all / 101f64.sqrt() - 1.0).abs() < 0.1, "{all}");
    let without = fed(&two(), &[1, 4], &[1.0; 4], options().per_site(false));
    assert_eq!(without.samplings, report.samplings);
    assert!(without.per_site.is_empty());
    // what is at inference is the same for each
    let at = report
        .per_site
        .iter()
        .map(|at| at.outputs[0].deterministic.as_deref());
    assert!(
        at.clone().all(|at| at == Some(&[11.0; 4][..])),
        "{:?}",
        at.collect::<Vec<_>>()
    );
}

#[test]
fn at_one_rate_of_all() {
    let at = |rate| {
        let options = options().rates(vec![rate]);
        spreads(&fed(&two(), &[1, 4], &[1.0; 4], options))[1].1
    };
    // the root of p / (1 - p)
    assert!((at(0.1) / (10.0 / 3.0) - 1.0).abs() < 0.15, "{}", at(0.1));
    assert_eq!(at(0.0), 0.0);
    let several = options().rates(vec![0.1, 0.2]);
    assert_eq!(
        refusal(&two().read(), &several),
        "--per-site takes at most one of --rates"
    );
}

#[test]
fn masks_and_functions() {
    for (stem, sites) in [
        ("keras_course_random_mask_op13", 2),
        ("torch24_nested_functions_random_mask_op18", 1),
        ("torch112_function_called_twice_op15", 1),
    ] {
        let options = options().runs(4);
        let mut steps = Vec::new();
        let model = fixture(stem);
        let report = sample(&model, &options, &mut |done, all| steps.push((done, all))).unwrap();
        let all = 4 * (1 + sites);
        let counted: Vec<_> = (0..all).map(|done| (done, all)).collect();
        assert_eq!((report.per_site.len(), steps), (sites, counted), "{stem}");
        for at in &report.per_site {
            assert!(
                at.outputs.iter().any(|output| output.spread() > 0.0),
                "{stem}: {at:?}"
            );
        }
    }
}

#[test]
fn a_bar_for_each() {
    let svg = fed(&two(), &[1, 4], &[1.0; 4], options()).svg().unwrap();
    // one panel of two bars, the larger one first
    assert!(svg.find("large") < svg.find("small"), "{svg}");
    for part in ["Spread", "each dropout alone", "mean standard deviation"] {
        assert!(svg.contains(part), "{part}: {svg}");
    }
    let bar = |rect: &str| -> (i32, i32) {
        let number = |key: &str| {
            let from = rect.find(key).unwrap() + key.len();
            rect[from..].split('"').next().unwrap().parse().unwrap()
        };
        (number(" y=\""), number(" width=\""))
    };
    let bars: Vec<_> = svg.split("<rect").skip(1).map(bar).collect();
    let [(top, long), (below, short)] = bars[..] else {
        panic!("{bars:?}")
    };
    assert!(top < below, "{bars:?}");
    let ratio = f64::from(long) / f64::from(short);
    assert!((ratio - 10.0).abs() < 1.5, "{bars:?}");
    // the twin: no picture without the option
    assert_eq!(
        sampled(&two().read(), &Options::default().runs(2)).svg(),
        None
    );
}
