//! Random masks: threshold and scale are changed together, or nothing is.

use dropout_onnx::onnx::DataType;
use dropout_onnx::rewrite::set::Seed;

use super::check::*;
use crate::common::build::*;
use crate::common::masks::masks_in_a_row;
use crate::common::proto::{Model, Node};

/// A mask over `x` made of these nodes, with these constants.
fn mask(opset: i64, nodes: Vec<Node>, constants: &[(&str, f32)]) -> Model {
    let draw = op("u = RandomUniformLike(x)");
    let all = std::iter::once(draw).chain(nodes);
    let graph = x_to_y(all);
    let constants = constants.iter();
    model(
        opset,
        constants.fold(graph, |graph, (name, f)| graph.init(name, f32_scalar(*f))),
    )
}

fn spellings(p: f32) -> Vec<(&'static str, Model)> {
    let (keep, scale) = (1.0 - p, 1.0 / (1.0 - p));
    let cast = |text: &str| op(text).with(int("to", 1));
    vec![
        (
            "Mul and GreaterOrEqual",
            mask(
                13,
                vec![
                    op("k = GreaterOrEqual(u, p)"),
                    cast("m = Cast(k)"),
                    op("s = Mul(x, c)"),
                    op("y = Mul(s, m)"),
                ],
                &[("p", p), ("c", scale)],
            ),
        ),
        (
            "Less and Div by keep, shared",
            mask(
                13,
                vec![
                    op("k = Less(u, q)"),
                    cast("m = Cast(k)"),
                    op("s = Div(m, q)"),
                    op("y = Mul(x, s)"),
                ],
                &[("q", keep)],
            ),
        ),
        (
            "Not Less",
            mask(
                11,
                vec![
                    op("d = Less(u, p)"),
                    op("k = Not(d)"),
                    cast("m = Cast(k)"),
                    op("s = Mul(x, m)"),
                    op("y = Mul(s, c)"),
                ],
                &[("p", p), ("c", scale)],
            ),
        ),
        (
            "Floor",
            mask(
                11,
                vec![
                    op("a = Add(q, u)"),
                    op("m = Floor(a)"),
                    op("s = Mul(x, c)"),
                    op("y = Mul(s, m)"),
                ],
                &[("q", keep), ("c", scale)],
            ),
        ),
        (
            "Where",
            mask(
                13,
                vec![
                    op("k = GreaterOrEqual(u, p)"),
                    op("s = Mul(x, c)"),
                    op("y = Where(k, s, zero)"),
                ],
                &[("p", p), ("c", scale), ("zero", 0.0)],
            ),
        ),
        (
            "Bernoulli of a chance that is spread out",
            mask(
                15,
                vec![
                    op("n = Shape(x)"),
                    op("q = ConstantOfShape(n)").with(tensor("value", f32s(&[1], &[keep]))),
                    op("b = Bernoulli(q)"),
                    op("s = Mul(x, b)"),
                    op("y = Div(s, d)"),
                ],
                &[("d", keep)],
            ),
        ),
        (
            "dropout of ones, as in Keras' recurrent layers",
            mask(
                13,
                vec![
                    op("n = Shape(x)"),
                    op("ones = ConstantOfShape(n)").with(tensor("value", f32s(&[1], &[1.0]))),
                    op("k = GreaterOrEqual(u, p)"),
                    cast("f = Cast(k)"),
                    op("s = Mul(ones, c)"),
                    op("m = Mul(s, f)"),
                    op("y = Mul(x, m)"),
                ],
                &[("p", p), ("c", scale)],
            ),
        ),
        (
            "Greater, and dropped where it is less",
            mask(
                13,
                vec![
                    op("d = Less(u, p)"),
                    op("s = Where(d, zero, x)"),
                    op("y = Div(s, q)"),
                ],
                &[("p", p), ("q", keep), ("zero", 0.0)],
            ),
        ),
    ]
}

#[test]
fn every_spelling_at_every_rate() {
    for p in [0.5, 0.3] {
        for (spelling, model) in spellings(p) {
            for new in [0.2, 0.5, 0.75] {
                if (f64::from(p) - new).abs() < 1e-6 {
                    continue;
                }
                let changed = sets_mask(&model.read(), &to_rate(new));
                let now = sites(&changed)[0].rate.unwrap();
                assert!((now - new).abs() < 1e-6, "{spelling} {p}: {now}");
            }
        }
    }
}

#[test]
fn constants_that_something_else_uses_are_copied() {
    let mut model = spellings(0.5).remove(0).1;
    model.main_mut().node.push(op("z = Add(x, p)"));
    let model = Model {
        graph: Some(model.main().clone().output("z")),
        ..model
    };
    let (changed, _) = sets(&model.read(), &to_rate(0.2));
    let text = text(&changed);
    assert!(
        text.contains("z = Add(x, p)") && text.contains("GreaterOrEqual(u, p_2)"),
        "{text}"
    );
}

#[test]
fn exporters_masks() {
    for (stem, filter, count) in [
        ("keras_course_random_mask_op13", "form=random_mask", 2),
        ("keras_attention_op13", "form=random_mask", 3),
        ("torch_dynamo_spatial_op20", "form=random_mask", 1),
        ("keras3_augment_op13", "form=random_mask", 1),
        ("keras_kinds_op13", "kind=dropout", 1),
        ("keras_kinds_op13", "kind=alpha_dropout", 1),
        ("keras_kinds_op13", "kind=gaussian_dropout", 1),
        ("keras_gru_loop_op13", "form=random_mask", 8),
        ("keras3_lstm_loop_state_op11", "form=random_mask", 2),
    ] {
        let (changed, _) = sets(&fixture(stem), &only(filter, to_rate(0.375)));
        assert_eq!(changed.outcome.changed, count, "{stem}");
        let new = sites(&changed)
            .into_iter()
            .filter(|site| site.rate == Some(0.375));
        assert_eq!(new.count(), count, "{stem}");
    }
}

#[test]
fn seeds_of_draws() {
    let model = spellings(0.5).remove(0).1.read();
    let (changed, _) = sets(&model, &to_seed(Seed::Number(7)));
    assert_eq!(sites(&changed)[0].seed, Some(7));
    let (changed, _) = sets(changed.edited.model(), &to_seed(Seed::None));
    assert_eq!(sites(&changed)[0].seed, None);
}

#[test]
fn does_not_set_what_is_not_found_whole() {
    let cast = |text: &str| op(text).with(int("to", 1));
    // never scaled
    let classic = mask(
        13,
        vec![
            op("k = GreaterOrEqual(u, p)"),
            cast("m = Cast(k)"),
            op("y = Mul(x, m)"),
        ],
        &[("p", 0.5)],
    );
    let why = refusal(&classic.read(), &to_rate(0.2));
    assert!(why.contains("its scale is in a different graph"), "{why}");
    // a scale that is computed
    let computed = mask(
        13,
        vec![
            op("k = Less(u, q)"),
            cast("m = Cast(k)"),
            op("c = Reciprocal(q)"),
            op("s = Mul(x, c)"),
            op("y = Mul(s, m)"),
        ],
        &[("q", 0.75)],
    );
    let why = refusal(&computed.read(), &to_rate(0.2));
    assert!(
        why.contains("its scale is not a separate constant"),
        "{why}"
    );
    let why = refusal(
        &fixture("keras_kinds_op13"),
        &only("kind=gaussian_noise", to_rate(0.2)),
    );
    assert!(
        why.contains("has no rate") && why.contains("kind=dropout"),
        "{why}"
    );
    // a mask that makes the data larger, and one that is an output
    let shared = vec![
        op("k = Less(u, q)"),
        cast("m = Cast(k)"),
        op("s = Div(m, q)"),
        op("y = Mul(x, s)"),
    ];
    let mut larger = mask(13, shared.clone(), &[("q", 0.75)]);
    larger.main_mut().node[0].input[0] = "like".into();
    larger.graph = (larger.graph).map(|graph| graph.init("like", f32s(&[4, 2, 3], &[0.0; 24])));
    let why = refusal(&larger.read(), &to_rate(0.2));
    assert!(why.contains("larger than the data"), "{why}");
    let mut output = mask(13, shared, &[("q", 0.75)]);
    output.graph = output.graph.map(|graph| graph.output("s"));
    let why = refusal(&output.read(), &to_rate(0.2));
    assert!(why.contains("its mask is an output"), "{why}");
    let why = refusal(&fixture("torch24_frozen_mask_op18"), &to_rate(0.2));
    assert!(why.contains("constant without a rate"), "{why}");
}

#[test]
fn does_not_switch_masks() {
    let model = spellings(0.5).remove(0).1.read();
    for mode in ["inert", "runtime"] {
        let why = refusal(&model, &to_mode(mode));
        assert!(why.contains("with `strip` and then `insert"), "{why}");
    }
    assert_eq!(sets(&model, &to_mode("active")).0.outcome.changed, 0);
}

#[test]
fn refuses_rates_at_which_a_mask_is_not_recognised() {
    let model = spellings(0.5).remove(0).1.read();
    let why = refusal(&model, &to_rate(0.0));
    assert!(
        why.contains("keeps everything") && why.contains("`strip`"),
        "{why}"
    );
    for rate in [1e-9, 1e-5, 0.99999] {
        let why = refusal(&model, &to_rate(rate));
        assert!(why.contains("too close to 0 or 1"), "{rate}: {why}");
    }
    for rate in [0.001, 0.01, 0.99] {
        assert_eq!(sets(&model, &to_rate(rate)).0.outcome.changed, 1, "{rate}");
    }
}

#[test]
fn gaussian_and_alpha_dropout() {
    let p = 0.2f64;
    let (alpha, cast) = (-1.758_099_3_f64, op("m = Cast(k)").with(int("to", 1)));
    let a = ((1.0 - p) * (1.0 + p * alpha * alpha)).powf(-0.5);
    let b = -a * alpha * p;
    let gaussian = model(
        13,
        x_to_y([
            op("n = RandomNormalLike(x)"),
            op("d = Mul(n, s)"),
            op("f = Add(d, one)"),
            op("y = Mul(x, f)"),
        ])
        .init("s", f32_scalar((p / (1.0 - p)).sqrt() as f32))
        .init("one", f32_scalar(1.0)),
    );
    // Keras, then PyTorch
    let keras = mask(
        13,
        vec![
            op("k = GreaterOrEqual(u, p)"),
            cast.clone(),
            op("i = Sub(one, m)"),
            op("z = Mul(i, alpha)"),
            op("w = Mul(x, m)"),
            op("v = Add(w, z)"),
            op("t = Mul(v, a)"),
            op("y = Add(t, b)"),
        ],
        &[
            ("p", p as f32),
            ("one", 1.0),
            ("alpha", alpha as f32),
            ("a", a as f32),
            ("b", b as f32),
        ],
    );
    let torch = mask(
        13,
        vec![
            op("k = Less(u, q)"),
            cast,
            op("w = Mul(m, a)"),
            op("z = Add(m, minus)"),
            op("v = Mul(z, c)"),
            op("r = Add(v, b)"),
            op("s = Mul(x, w)"),
            op("y = Add(s, r)"),
        ],
        &[
            ("q", (1.0 - p) as f32),
            ("minus", -1.0),
            ("a", a as f32),
            ("c", (-a * alpha) as f32),
            ("b", b as f32),
        ],
    );
    for (spelling, model) in [("gaussian", gaussian), ("keras", keras), ("torch", torch)] {
        for new in [0.1, 0.5] {
            let changed = sets_mask(&model.read(), &to_rate(new));
            let site = &sites(&changed)[0];
            assert!(
                (site.rate.unwrap() - new).abs() < 1e-5,
                "{spelling}: {site:?}"
            );
        }
        // the twin: a seed alone leaves the rate, and what is measured is the old one
        let changed = sets_mask(&model.read(), &to_seed(Seed::Number(3)));
        assert_eq!(sites(&changed)[0].seed, Some(3), "{spelling}");
    }
}

#[test]
fn halves_are_found_for_what_they_are() {
    let half = |number: f64| scalar(DataType::FLOAT16, number);
    let model = model(
        13,
        graph([
            op("u = RandomUniformLike(x)"),
            op("k = GreaterOrEqual(u, p)"),
            op("m = Cast(k)").with(int("to", 10)),
            op("s = Mul(x, c)"),
            op("y = Mul(s, m)"),
        ])
        .input_of("x", DataType::FLOAT16, SHAPE)
        .output_of("y", DataType::FLOAT16, SHAPE)
        .init("p", half(0.3))
        .init("c", half(1.0 / 0.7)),
    );
    let changed = sets_mask(&model.read(), &to_rate(0.1));
    assert!((sites(&changed)[0].rate.unwrap() - 0.1).abs() < 1e-3);
}

#[test]
fn noise_next_to_dropout_is_left_alone() {
    let (changed, _) = sets(&fixture("keras_kinds_op13"), &to_rate(0.375));
    let noise = |site: &&dropout_onnx::dropout::Site| {
        site.kind == dropout_onnx::dropout::Kind::GaussianNoise
    };
    let others = changed.sites.len() - changed.sites.iter().filter(noise).count();
    assert!(others < changed.sites.len());
    assert_eq!(changed.outcome.changed, others);
}

/// Masks of draws other than `u < p`: of a range, of normal numbers, of ones to drop, of a Dropout.
#[test]
fn thresholds_follow_the_distribution_of_the_draw() {
    let p = 0.2f32;
    let cast = |text: &str| op(text).with(int("to", 1));
    let scaled = || [op("s = Mul(x, m)"), op("y = Mul(s, c)")];
    let made = |draw: Vec<Node>, constants: &[(&str, f32)]| {
        let graph = x_to_y(draw.into_iter().chain(scaled()));
        let all = [("c", 1.0 / (1.0 - p))];
        let all = all.iter().chain(constants);
        model(
            15,
            all.fold(graph, |graph, (name, f)| graph.init(name, f32_scalar(*f))),
        )
    };
    let uniform = || op("u = RandomUniformLike(x)");
    let range = || uniform().with(float("low", -1.0)).with(float("high", 3.0));
    let normal = || op("u = RandomNormalLike(x)").with(float("mean", 2.0));
    let chance =
        |rate: f32| op("q = ConstantOfShape(n)").with(tensor("value", f32s(&[1], &[rate])));
    let compared = |draw: Node| vec![draw, op("k = GreaterOrEqual(u, t)"), cast("m = Cast(k)")];
    let models = [
        made(compared(range()), &[("t", -1.0 + 4.0 * p)]),
        // a fifth of all normal numbers is below −0.8416
        made(compared(normal()), &[("t", 2.0 - 0.841_621_2)]),
        made(
            vec![uniform(), op("d = Sub(u, t)"), op("m = Ceil(d)")],
            &[("t", p)],
        ),
        made(
            vec![
                op("n = Shape(x)"),
                chance(p),
                op("b = Bernoulli(q)"),
                op("m = Sub(one, b)"),
            ],
            &[("one", 1.0)],
        ),
    ];
    for model in models {
        for new in [0.1, 0.6] {
            let changed = sets_mask(&model.read(), &to_rate(new));
            let now = sites(&changed)[0].rate.unwrap();
            assert!((now - new).abs() < 1e-5, "{now}: {}", text(&changed));
        }
    }
    // the twin: a threshold between two draws is none of its own
    let both = vec![
        range(),
        op("a = Abs(u)"),
        op("k = GreaterOrEqual(a, t)"),
        cast("m = Cast(k)"),
    ];
    let two = made(both, &[("t", 0.4)]);
    assert!(refusal(&two.read(), &to_rate(0.1)).contains("not a separate constant"));
}

#[test]
fn a_dropout_that_is_a_coin() {
    let coin = x_to_y([
        op("d, k = Dropout(x, r, on)"),
        op("m = Cast(k)").with(int("to", 1)),
        op("s = Mul(x, m)"),
        op("y = Div(s, q)"),
    ]);
    let coin = coin
        .init("r", f32_scalar(0.2))
        .init("q", f32_scalar(0.8))
        .init("on", flag(true));
    let changed = sets_mask(&model(13, coin).read(), &to_rate(0.4));
    assert_eq!(sites(&changed)[0].rate, Some(0.4));
}

/// Gaussian dropout whose deviation is an attribute of the draw.
#[test]
fn a_deviation_in_an_attribute() {
    let drawn = |deviation: f32| {
        let draw = op("n = RandomNormalLike(x)");
        let draw = draw
            .with(float("mean", 1.0))
            .with(float("scale", deviation));
        model(13, x_to_y([draw, op("y = Mul(x, n)")]))
    };
    let changed = sets_mask(&drawn(0.5).read(), &to_rate(0.5));
    assert!((sites(&changed)[0].rate.unwrap() - 0.5).abs() < 1e-6);
    let node = changed.edited.model().nodes().next().map(|(_, node)| node);
    let scale = node.and_then(|node| node.attribute("scale"));
    assert!(format!("{scale:?}").contains("Float(1.0)"), "{scale:?}");
}

#[test]
fn a_mask_of_any_number_of_uses() {
    for uses in [1, 300] {
        let changed = sets_mask(&masks_in_a_row(uses).read(), &to_rate(0.25));
        assert_eq!(sites(&changed)[0].rate, Some(0.25), "{uses}");
    }
}
