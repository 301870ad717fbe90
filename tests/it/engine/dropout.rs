//! Our own Dropout, in every version and meaning.

use dropout_onnx::verify::engine::{Meaning, Value};

use super::models::*;
use super::{load, outputs, reason, row};

const N: usize = 100_000;
const VERSIONS: [i64; 7] = [1, 6, 7, 10, 12, 13, 22];
const TRAIN: Meaning = Meaning::AsWritten { seed: 7 };

/// One Dropout over `x`, with ratio and training mode where the version has them.
fn site(version: i64, ratio: f32, training: bool, element: i32) -> Model {
    let wide: &[Size] = &[Sym("n")];
    let model = model(version).input("x", element, wide);
    let model = if version >= 12 {
        let inputs = ["x", "ratio", "training"];
        model
            .init(float("ratio", ratio))
            .init(boolean("training", training))
            .node(node("Dropout", &inputs, &["y", "mask"]).named("drop"))
    } else {
        let dropout = node("Dropout", &["x"], &["y", "mask"]).named("drop");
        model.node(
            dropout
                .float("ratio", ratio)
                .int("is_test", i64::from(!training)),
        )
    };
    let mask = if version >= 10 { BOOL } else { element };
    model.output("y", element, wide).output("mask", mask, wide)
}

fn ones() -> Value {
    row(&vec![1.0; N])
}

/// Shapes are chosen by the loader, so large inputs need a fixed size.
fn wide(mut model: Model) -> Model {
    let graph = model.graph();
    graph.input[0] = value("x", FLOAT, &[Fix(N as i64)]);
    model
}

#[test]
fn inference_is_the_identity_in_every_version() {
    for version in VERSIONS {
        for training in [false, true] {
            let x = row(&[f32::NAN, -0.0]);
            let found = outputs(
                &site(version, 0.5, training, FLOAT),
                Meaning::Inference,
                &[("x", x)],
                0,
            );
            let y = found[0].to_f64();
            assert!(
                y[0].is_nan() && y[1] == 0.0 && y[1].is_sign_negative(),
                "{version}"
            );
            let mask = if version >= 10 { "bool" } else { "float" };
            assert_eq!(
                (found[1].element_type(), found[1].to_f64()),
                (mask, vec![1.0, 1.0]),
                "{version}"
            );
        }
    }
}

#[test]
fn training_mode_follows_the_operator_version() {
    for version in VERSIONS {
        for training in [false, true] {
            let model = wide(site(version, 0.5, training, FLOAT));
            let y = outputs(&model, TRAIN, &[("x", ones())], 0)[0].to_f64();
            let acts = y.iter().any(|&y| y != 1.0);
            let expected = training && !matches!(version, 7 | 10);
            assert_eq!(acts, expected, "version {version}, training {training}");
        }
    }
}

#[test]
fn version_1_trains_by_default() {
    let model = model(6)
        .input("x", FLOAT, &[Fix(N as i64)])
        .node(node("Dropout", &["x"], &["y"]))
        .output("y", FLOAT, &[]);
    let y = outputs(&model, TRAIN, &[("x", ones())], 0)[0].to_f64();
    assert!(y.contains(&0.0) && y.contains(&2.0));
}

#[test]
fn the_rate_and_the_scale_are_those_asked_for() {
    for ratio in [0.1f32, 0.2, 0.5, 0.9] {
        for version in [1, 12, 22] {
            let model = wide(site(version, ratio, true, FLOAT));
            let found = outputs(&model, TRAIN, &[("x", ones())], 0);
            let [y, mask] = [&found[0], &found[1]].map(Value::to_f64);
            let scale = f64::from((1.0 / (1.0 - f64::from(ratio))) as f32);
            assert!(y.iter().all(|&y| y == 0.0 || y == scale), "ratio {ratio}");
            let dropped = y.iter().filter(|&&y| y == 0.0).count() as f64 / N as f64;
            // Five standard deviations of a binomial: wrong once in two million.
            let p = f64::from(ratio);
            let deviation = (p * (1.0 - p) / N as f64).sqrt();
            assert!(
                (dropped - p).abs() < 5.0 * deviation,
                "ratio {ratio}: {dropped}"
            );
            assert!(
                y.iter()
                    .zip(&mask)
                    .all(|(&y, &mask)| (y != 0.0) == (mask == 1.0))
            );
        }
    }
}

#[test]
fn ratio_zero_is_the_identity() {
    let model = wide(site(13, 0.0, true, FLOAT));
    let found = outputs(&model, TRAIN, &[("x", ones())], 0);
    assert!(
        found
            .iter()
            .all(|output| output.to_f64().iter().all(|&y| y == 1.0))
    );
}

#[test]
fn masks_follow_the_seed_the_run_and_the_node() {
    let model = wide(site(13, 0.5, true, FLOAT));
    let draw =
        |seed, run| outputs(&model, Meaning::AsWritten { seed }, &[("x", ones())], run)[0].to_f64();
    assert_eq!(draw(1, 0), draw(1, 0));
    assert_ne!(draw(1, 0), draw(2, 0));
    assert_ne!(draw(1, 0), draw(1, 1));
    let mut seeded = model.clone();
    seeded.graph().node[0] = node("Dropout", &["x", "ratio", "training"], &["y", "mask"])
        .named("drop")
        .int("seed", 3)
        .0;
    let other = outputs(&seeded, Meaning::AsWritten { seed: 1 }, &[("x", ones())], 0)[0].to_f64();
    assert_ne!(draw(1, 0), other, "the seed attribute counts");
}

#[test]
fn two_sites_draw_two_masks() {
    let site = |name: &str, y: &str| node("Dropout", &["x", "", "training"], &[y]).named(name);
    let model = model(13)
        .input("x", FLOAT, &[Fix(N as i64)])
        .init(boolean("training", true))
        .node(site("a", "y"))
        .node(site("b", "z"))
        .output("y", FLOAT, &[])
        .output("z", FLOAT, &[]);
    let found = outputs(&model, TRAIN, &[("x", ones())], 0);
    let [y, z] = [&found[0], &found[1]].map(Value::to_f64);
    let same = y.iter().zip(&z).filter(|(y, z)| y == z).count() as f64 / N as f64;
    assert!(
        (same - 0.5).abs() < 0.01,
        "independent masks agree half of the time, not {same}"
    );
}

#[test]
fn a_mask_is_not_folded_into_a_constant() {
    // The data is constant, so nothing but the draw depends on the run.
    let model = model(13)
        .init(floats("x", &[64], &[1.0; 64]))
        .init(boolean("training", true))
        .node(node("Dropout", &["x", "", "training"], &["y"]))
        .output("y", FLOAT, &[]);
    let runnable = load(&model.source(), TRAIN).unwrap();
    let draw = |run| runnable.run(&Default::default(), run).unwrap()[0].to_f64();
    assert_ne!(draw(0), draw(1));
    assert_eq!(draw(0), draw(0));
}

#[test]
fn element_types_of_data_and_mask() {
    for (version, element, name) in [
        (6, FLOAT16, "float16"),
        (13, FLOAT16, "float16"),
        (6, DOUBLE, "double"),
        (22, DOUBLE, "double"),
    ] {
        let mut model = site(version, 0.5, true, element);
        // Fed with floats, cast on the way in.
        let graph = model.graph();
        graph.input[0] = value("f", FLOAT, &[Fix(1000)]);
        graph
            .node
            .insert(0, node("Cast", &["f"], &["x"]).int("to", element.into()).0);
        for meaning in [Meaning::Inference, TRAIN] {
            let found = outputs(&model, meaning, &[("f", row(&[3.0; 1000]))], 0);
            let mask = if version >= 10 { "bool" } else { name };
            assert_eq!(
                (found[0].element_type(), found[1].element_type()),
                (name, mask)
            );
            let scaled = if meaning == TRAIN { 6.0 } else { 3.0 };
            let [y, mask] = [&found[0], &found[1]].map(Value::to_f64);
            assert!(
                y.iter().zip(&mask).all(|(&y, &m)| y == m * scaled),
                "{name} {meaning:?}"
            );
        }
    }
}

#[test]
fn outputs_may_be_absent() {
    for meaning in [Meaning::Inference, TRAIN] {
        for (names, count) in [
            (&["y", ""][..], 1),
            (&["", "mask"], 1),
            (&["y"], 1),
            (&["y", "mask"], 2),
        ] {
            let mut model = model(13)
                .input("x", FLOAT, &[Fix(100)])
                .init(boolean("training", true))
                .node(node("Dropout", &["x", "", "training"], names));
            for name in names.iter().filter(|name| !name.is_empty()) {
                let element = if *name == "y" { FLOAT } else { BOOL };
                model = model.output(name, element, &[Fix(100)]);
            }
            let found = outputs(&model, meaning, &[("x", row(&[1.0; 100]))], 0);
            assert_eq!(found.len(), count, "{names:?}");
            let active = found[0].to_f64().contains(&0.0);
            assert_eq!(active, meaning == TRAIN, "{names:?}");
        }
    }
}

#[test]
fn ratio_and_training_mode_may_come_at_run_time() {
    let model = model(13)
        .input("x", FLOAT, &[Fix(1000)])
        .input("ratio", FLOAT, &[])
        .input("flag", FLOAT, &[])
        .init(float("zero", 0.0))
        .node(node("Greater", &["flag", "zero"], &["training"]))
        .node(node("Dropout", &["x", "ratio", "training"], &["y", "mask"]))
        .output("y", FLOAT, &[])
        .output("mask", BOOL, &[]);
    let scalar = |value: f32| Value::from_f32(&[], &[value]).unwrap();
    let dropped = |meaning, ratio: f32, flag: f32| {
        let x = row(&[1.0; 1000]);
        let inputs = [("x", x), ("ratio", scalar(ratio)), ("flag", scalar(flag))];
        outputs(&model, meaning, &inputs, 0)[0]
            .to_f64()
            .iter()
            .filter(|&&y| y == 0.0)
            .count()
    };
    assert_eq!(dropped(TRAIN, 0.5, -1.0), 0);
    assert_eq!(dropped(TRAIN, 0.0, 1.0), 0);
    assert!((400..600).contains(&dropped(TRAIN, 0.5, 1.0)));
    assert!((850..950).contains(&dropped(TRAIN, 0.9, 1.0)));
    assert_eq!(dropped(Meaning::Inference, 0.9, 1.0), 0);
}

#[test]
fn a_ratio_outside_its_range_does_not_train() {
    for ratio in [-0.1f32, 1.0, f32::NAN] {
        for version in [6, 13] {
            let known = site(version, ratio, true, FLOAT);
            let why = reason(load(&known.source(), TRAIN));
            assert!(why.contains("not in [0, 1)"), "{version}: {why}");
        }
        let model = site(13, ratio, true, FLOAT);
        let mut given = model.clone();
        given
            .graph()
            .initializer
            .retain(|tensor| tensor.name != "ratio");
        given = given.input("ratio", FLOAT, &[]);
        let runnable = load(&given.source(), TRAIN).unwrap();
        let ratio = Value::from_f32(&[], &[ratio]).unwrap();
        let inputs = [
            ("x".to_string(), row(&[1.0, 2.0])),
            ("ratio".to_string(), ratio),
        ]
        .into();
        let stop = runnable.run(&inputs, 0).unwrap_err();
        assert!(stop.to_string().contains("not in [0, 1)"), "{stop}");
        // In inference nobody looks at it.
        outputs(&model, Meaning::Inference, &[("x", row(&[1.0, 2.0]))], 0);
    }
}

#[test]
fn a_dropped_infinity_is_zero() {
    let model = wide(site(13, 0.5, true, FLOAT));
    let infinite = row(&vec![f32::INFINITY; N]);
    let y = outputs(&model, TRAIN, &[("x", infinite)], 0)[0].to_f64();
    assert!(y.iter().all(|&y| y == 0.0 || y == f64::INFINITY) && y.contains(&0.0));
}

#[test]
fn the_other_name_of_the_default_domain() {
    let model = model(13)
        .input("x", FLOAT, &[Fix(2)])
        .node(node("Dropout", &["x"], &["y"]).domain("ai.onnx"))
        .output("y", FLOAT, &[]);
    assert_eq!(
        outputs(&model, TRAIN, &[("x", row(&[1.0, 2.0]))], 0)[0].to_f64(),
        [1.0, 2.0]
    );
}

#[test]
fn in_the_body_of_an_if() {
    let branch = |ratio: &str| {
        graph("branch")
            .with_node(node("Dropout", &["x", ratio, "training"], &["inner"]))
            .with_output("inner", FLOAT, &[Fix(1000)])
    };
    let model = model(13)
        .input("x", FLOAT, &[Fix(1000)])
        .input("choose", FLOAT, &[])
        .init(float("zero", 0.0))
        .init(float("ratio", 0.9))
        .init(boolean("training", true))
        .node(node("Greater", &["choose", "zero"], &["condition"]))
        .node(
            node("If", &["condition"], &["y"])
                .subgraph("then_branch", branch("ratio"))
                .subgraph("else_branch", branch("")),
        )
        .output("y", FLOAT, &[Fix(1000)]);
    let dropped = |meaning, choose: f32, run| {
        let inputs = [
            ("x", row(&[1.0; 1000])),
            ("choose", Value::from_f32(&[], &[choose]).unwrap()),
        ];
        outputs(&model, meaning, &inputs, run)[0]
            .to_f64()
            .iter()
            .filter(|&&y| y == 0.0)
            .count()
    };
    assert!((850..950).contains(&dropped(TRAIN, 1.0, 0)));
    assert!((400..600).contains(&dropped(TRAIN, -1.0, 0)));
    assert_eq!(dropped(TRAIN, 1.0, 5), dropped(TRAIN, 1.0, 5));
    assert_eq!(dropped(Meaning::Inference, 1.0, 0), 0);
}

#[test]
fn sampling_drops_in_every_version() {
    let dropped = |model: &Model, rate| {
        let meaning = Meaning::Training { seed: 7, rate };
        let y = outputs(model, meaning, &[("x", ones())], 0)[0].to_f64();
        y.iter().filter(|&&y| y == 0.0).count() as f64 / N as f64
    };
    for version in VERSIONS {
        for training in [false, true] {
            let model = wide(site(version, 0.25, training, FLOAT));
            for (rate, expected) in [(None, 0.25), (Some(0.6), 0.6), (Some(0.0), 0.0)] {
                let found = dropped(&model, rate);
                assert!(
                    (found - expected).abs() < 0.01,
                    "{version} {rate:?}: {found}"
                );
            }
        }
    }
}

#[test]
fn every_iteration_of_a_scan_draws_again() {
    let body = graph("body")
        .with_input("step", FLOAT, &[Fix(64)])
        .with_node(node("Dropout", &["step", "", "training"], &["out"]))
        .with_output("out", FLOAT, &[Fix(64)]);
    let model = model(13)
        .input("x", FLOAT, &[Fix(2), Fix(64)])
        .init(boolean("training", true))
        .node(
            node("Scan", &["x"], &["y"])
                .int("num_scan_inputs", 1)
                .subgraph("body", body),
        )
        .output("y", FLOAT, &[Fix(2), Fix(64)]);
    let x = Value::from_f32(&[2, 64], &[1.0; 128]).unwrap();
    let y = outputs(&model, TRAIN, &[("x", x.clone())], 0)[0].to_f64();
    assert!(y.contains(&0.0) && y.contains(&2.0));
    assert_ne!(y[..64], y[64..]);
    assert_eq!(y, outputs(&model, TRAIN, &[("x", x)], 0)[0].to_f64());
}
