//! Masks next to each other, next to other dropout, and next to what is none; ends that are
//! interfaces; masks that get away.

use dropout_onnx::dropout::{Kind, Scaling};
use dropout_onnx::onnx::DataType;
use dropout_onnx::rewrite::strip::{self, Options};

use super::spelt::{DRAWN, between, inside};
use crate::common::build::{SHAPE, f32s, flag, float, graph, i64s, model, op, subgraph, untyped};
use crate::common::masks::{nodes, numbers, spelt};
use crate::common::proto::Model;
use crate::common::stripped::{refusal, strips, strips_as, strips_unrun};

const DROPPED: &str = "xs = Mul(x, s)\ny = Mul(xs, k)";
const GONE: &[&str] = &["hidden = Relu(x)", "y = Tanh(hidden)"];

#[test]
fn two_in_a_row() {
    let text = format!(
        "{DRAWN}d = Mul(x, k)\ne = Div(d, keep)\nr2 = RandomUniformLike(e)\n\
         b2 = GreaterOrEqual(r2, p)\nk2 = Cast(b2)\nes = Mul(e, s)\ny = Mul(es, k2)"
    );
    let stripped = strips(&inside(15, 0.3, &text)).draws_nothing().leaves(GONE);
    assert_eq!(stripped.outcome.removed, 2);
}

#[test]
fn an_operator_before_and_after() {
    let text = format!(
        "g = Dropout(x, p, on)\n{}gs = Mul(g, s)\ne = Mul(gs, k)\ny = Dropout(e, p, on)",
        DRAWN.replace("(x)", "(g)")
    );
    let mut made = inside(15, 0.3, &text);
    made.graph = made.graph.map(|graph| graph.init("on", flag(true)));
    let stripped = strips(&made)
        .draws_nothing()
        .leaves(GONE)
        .keeps_initializers(&[]);
    assert_eq!(stripped.outcome.removed, 3);
    insta::assert_snapshot!("operators_around_a_mask", stripped.texts());
}

#[test]
fn one_mask_for_several_layers() {
    let text = format!(
        "{DRAWN}m = Mul(k, s)\nu = Sigmoid(x)\nv = Neg(x)\ndu = Mul(u, m)\ndv = Mul(m, v)\n\
         y = Sub(du, dv)"
    );
    let stripped = strips(&inside(15, 0.3, &text)).draws_nothing().leaves(&[
        "hidden = Relu(x)",
        "u = Sigmoid(hidden)",
        "v = Neg(hidden)",
        "out = Sub(u, v)",
        "y = Tanh(out)",
    ]);
    assert_eq!(stripped.sites[0].junctions.len(), 2);
}

/// Keras draws the masks of all gates at once.
#[test]
fn one_draw_split_into_masks() {
    let draw = "sh = Shape(x)\ntwice = Concat(sh, sh2)\nz = ConstantOfShape(twice)\n\
                r = RandomUniformLike(z)\nb = GreaterOrEqual(r, p)\nk = Cast(b)\nm = Mul(k, s)\n\
                m1, m2 = Split(m)\nn1 = Squeeze(m1, last)\nn2 = Squeeze(m2, last)";
    let text = format!("{draw}\nu = Sigmoid(x)\ndu = Mul(u, n1)\ndv = Mul(x, n2)\ny = Sub(du, dv)");
    let mut made = inside(13, 0.3, &text);
    for node in &mut made.main_mut().node {
        match node.op_type() {
            "Concat" => node.attribute.push(crate::common::build::int("axis", 0)),
            "Split" => node.attribute.push(crate::common::build::int("axis", 2)),
            _ => {}
        }
    }
    made.graph = made
        .graph
        .map(|graph| graph.init("sh2", i64s(&[2])).init("last", i64s(&[2])));
    let stripped = strips(&made).draws_nothing().leaves(&[
        "hidden = Relu(x)",
        "u = Sigmoid(hidden)",
        "out = Sub(u, hidden)",
        "y = Tanh(out)",
    ]);
    insta::assert_snapshot!("split_masks", stripped.texts());
}

#[test]
fn a_mask_that_flips_twice() {
    // 0.2 < r < 0.8 drops 0.4
    let masks = [
        "a = Greater(r, low)\nc = Less(r, high)\nb = And(a, c)\nk = Cast(b)",
        "a = LessOrEqual(r, low)\nc = GreaterOrEqual(r, high)\nd = Or(a, c)\nb = Not(d)\nk = Cast(b)",
    ];
    for mask in masks {
        let text = format!("r = RandomUniformLike(x)\n{mask}\ndk = Mul(x, k)\ny = Div(dk, six)");
        let constants = [("low", 0.2), ("high", 0.8), ("six", 0.6)];
        let stripped = strips(&model(15, between(spelt(&text, &constants))))
            .draws_nothing()
            .leaves(GONE);
        assert_eq!(stripped.sites[0].rate, Some(0.4));
    }
}

#[test]
fn alpha_and_gaussian_dropout() {
    let rate: f64 = 0.25;
    let alpha = 1.758_099_340_847_376_6;
    let a = ((1.0 - rate) * (1.0 + rate * alpha * alpha)).powf(-0.5);
    let mut constants = numbers(rate);
    constants.extend([
        ("alpha", -alpha),
        ("a", a),
        ("b_", a * alpha * rate),
        ("sigma", (rate / (1.0 - rate)).sqrt()),
    ]);
    for (kind, text) in [
        (
            Kind::AlphaDropout,
            "r = RandomUniformLike(x)\ng = GreaterOrEqual(r, p)\nk = Cast(g)\nxk = Mul(x, k)\n\
             n = Sub(one, k)\nan = Mul(alpha, n)\nsum = Add(xk, an)\nm = Mul(a, sum)\ny = Add(m, b_)",
        ),
        (
            Kind::GaussianDropout,
            "n = RandomNormalLike(x)\nm = Mul(n, sigma)\nk = Add(m, one)\ny = Mul(x, k)",
        ),
        (
            Kind::GaussianDropout,
            "n = RandomNormalLike(x)\nm = Mul(n, sigma)\nxm = Mul(x, m)\ny = Add(x, xm)",
        ),
    ] {
        let stripped = strips(&model(15, between(spelt(text, &constants))))
            .draws_nothing()
            .leaves(GONE)
            .keeps_initializers(&[]);
        assert_eq!(stripped.sites[0].kind, kind);
        if kind == Kind::AlphaDropout {
            insta::assert_snapshot!("alpha_dropout", stripped.texts());
        }
    }
}

#[test]
fn noise_stays_unless_asked_for() {
    let text = "n = RandomNormalLike(x)\nm = Mul(n, p)\ny = Add(x, m)";
    let made = inside(15, 0.3, text).by("tf2onnx");
    let stripped = strips(&made);
    assert!(stripped.outcome.is_unchanged());
    let asked = Options::default().kinds(vec![Kind::GaussianNoise]);
    strips_as(&made, &asked).draws_nothing().leaves(GONE);
}

/// The twin: noise asked for, dropout not.
#[test]
fn only_the_kinds_asked_for_go() {
    let text = format!(
        "{DRAWN}xs = Mul(x, s)\nd = Mul(xs, k)\nn = RandomNormalLike(d)\nm = Mul(n, p)\ny = Add(d, m)"
    );
    let asked = Options::default().kinds(vec![Kind::GaussianNoise]);
    let stripped =
        strip::strip(&inside(15, 0.3, &text).by("tf2onnx").read(), &asked).expect("strip");
    assert_eq!(stripped.outcome.removed, 1);
    let draws = (stripped.edited.model().nodes()).filter(|(_, node)| node.is("RandomUniformLike"));
    assert_eq!(draws.count(), 1);
}

/// 64 elements of which 16 are zero, the others 4/3.
fn frozen() -> Model {
    let mask: Vec<f32> = (0..64u32)
        .map(|i| match i.wrapping_mul(2_654_435_761) >> 28 {
            0..4 => 0.0,
            _ => 4.0 / 3.0,
        })
        .collect();
    let graph = graph(nodes("h = Relu(x)\nd = Mul(h, mask)\ny = Tanh(d)"))
        .input_of("x", DataType::FLOAT, &[4, 16])
        .output_of("y", DataType::FLOAT, &[4, 16])
        .init("mask", f32s(&[4, 16], &mask));
    model(15, graph)
}

#[test]
fn frozen_masks_stay_unless_asked_for() {
    assert!(strips(&frozen()).outcome.is_unchanged());
    let asked = Options::default().frozen_masks(true);
    strips_as(&frozen(), &asked)
        .leaves(&["h = Relu(x)", "y = Tanh(h)"])
        .keeps_initializers(&[]);
}

#[test]
fn ends_that_are_interfaces_leave_an_identity() {
    let text = format!("{DRAWN}{DROPPED}");
    strips(&model(15, spelt(&text, &numbers(0.3))))
        .draws_nothing()
        .leaves(&["y = Identity(x)"])
        .keeps_identity_for(&["y"]);
}

#[test]
fn an_output_whose_data_is_a_nodes_takes_its_name() {
    let text = format!(
        "h = Relu(x)\n{}hs = Mul(h, s)\ny = Mul(hs, k)",
        DRAWN.replace("(x)", "(h)")
    );
    strips(&model(15, spelt(&text, &numbers(0.3))))
        .draws_nothing()
        .leaves(&["y = Relu(x)"])
        .keeps_identity_for(&[]);
}

#[test]
fn an_output_whose_data_is_an_initializer_leaves_an_identity() {
    let text = "r = RandomUniformLike(w)\nb = GreaterOrEqual(r, p)\nk = Cast(b)\nm = Mul(k, s)\n\
                z = Mul(w, m)\ny = Relu(x)";
    let graph = spelt(text, &numbers(0.3))
        .init("w", f32s(SHAPE, &[1., 2., 3., 4., 5., 6.]))
        .output("z");
    strips(&model(15, graph))
        .draws_nothing()
        .leaves(&["z = Identity(w)", "y = Relu(x)"])
        .keeps_identity_for(&["z"]);
}

#[test]
fn an_output_of_a_branch_whose_data_is_an_outer_value_leaves_an_identity() {
    let body = |text: &str, output: &str| {
        let mut graph = graph(nodes(text));
        graph.output.push(untyped(output));
        graph
    };
    let drawn = "r = RandomUniformLike(h)\nb = GreaterOrEqual(r, p)\nk = Cast(b)\nm = Mul(k, s)\n\
                 t = Mul(h, m)";
    let branch = op("y = If(c)")
        .with(subgraph("then_branch", body(drawn, "t")))
        .with(subgraph("else_branch", body("e = Neg(h)", "e")));
    let mut graph = spelt("h = Relu(x)", &numbers(0.3)).input_of("c", DataType::BOOL, &[]);
    graph.node.push(branch);
    strips(&model(15, graph))
        .draws_nothing()
        .leaves(&[
            "h = Relu(x)",
            "y = If(c)",
            "  then_branch:",
            "    t = Identity(h)",
            "  else_branch:",
            "    e = Neg(h)",
        ])
        .keeps_identity_for(&["t"]);
}

#[test]
fn a_mask_that_gets_away_is_refused() {
    for (how, why) in [
        (
            "w = MatMul(k, sq)\nz = Tanh(w)",
            "its mask is an output of graph",
        ),
        ("z = odd::Anything(k)", "its mask is an output of graph"),
        ("z = ReduceMean(k)", "its mask is an output of graph"),
    ] {
        let text = format!("{DRAWN}{DROPPED}\n{how}");
        let graph = between(spelt(&text, &numbers(0.3)))
            .init("sq", f32s(&[3, 3], &[0.5; 9]))
            .output("z");
        let made = model(15, graph).imports("odd", 1);
        let told = refusal(&made);
        assert!(told.contains(why), "{how}: {told}");
    }
}

/// An operator that nobody knows may do more than compute what nobody uses.
#[test]
fn a_mask_that_an_unknown_operator_reads_for_nothing_is_refused() {
    let text = format!("{DRAWN}{DROPPED}\nz = odd::Anything(k)");
    let made = inside(15, 0.3, &text).imports("odd", 1);
    let error = strip::strip(&made.read(), &Options::default());
    let told = error.expect_err("refused").to_string();
    assert!(told.contains("is still used"), "{told}");
}

#[test]
fn one_choice_between_two_layers_is_no_dropout() {
    let text = format!(
        "{DRAWN}n = Sub(one, k)\nu = Sigmoid(x)\nv = Neg(x)\ndu = Mul(u, k)\ndv = Mul(v, n)\n\
         a = Tanh(du)\nc = Relu(dv)\ny = Sub(a, c)"
    );
    let made = inside(15, 0.5, &text);
    let stripped = strip::strip(&made.read(), &Options::default()).expect("strip");
    assert!(stripped.sites.is_empty(), "{:?}", stripped.sites);
    assert!(stripped.outcome.is_unchanged());
}

#[test]
fn the_sampling_of_a_vae_next_to_dropout_stays() {
    let text = format!(
        "{DRAWN}xs = Mul(x, s)\nd = Mul(xs, k)\nv = Sigmoid(d)\ne = Exp(v)\n\
         n = RandomNormalLike(d)\nen = Mul(e, n)\ny = Add(d, en)"
    );
    let stripped = strips(&inside(15, 0.3, &text)).leaves(&[
        "hidden = Relu(x)",
        "v = Sigmoid(hidden)",
        "e = Exp(v)",
        "n = RandomNormalLike(hidden)",
        "en = Mul(e, n)",
        "out = Add(hidden, en)",
        "y = Tanh(out)",
    ]);
    insta::assert_snapshot!("vae_stays", stripped.texts());
}

#[test]
fn a_random_flip_and_rrelu_next_to_dropout_stay() {
    let text = format!(
        "{DRAWN}xs = Mul(x, s)\nd = Mul(xs, k)\nu = RandomUniform()\nf = GreaterOrEqual(u, p)\n\
         rev = Neg(d)\nw = Where(f, rev, d)\nslope = RandomUniformLike(w)\ny = PRelu(w, slope)"
    );
    let stripped = strips(&inside(15, 0.5, &text)).leaves(&[
        "hidden = Relu(x)",
        "u = RandomUniform()",
        "f = GreaterOrEqual(u, p)",
        "rev = Neg(hidden)",
        "w = Where(f, rev, hidden)",
        "slope = RandomUniformLike(w)",
        "out = PRelu(w, slope)",
        "y = Tanh(out)",
    ]);
    assert_eq!(stripped.outcome.removed, 1);
}

/// The dropped data says in which shape the next mask is drawn, and of which type.
#[test]
fn shapes_and_types_of_dropped_data_are_those_of_the_data() {
    let text = format!(
        "{DRAWN}xs = Mul(x, s)\nd = Mul(xs, k)\nr2 = RandomUniformLike(d)\nb2 = Less(r2, keep)\n\
         k2 = CastLike(b2, d)\ne = Mul(d, k2)\nf = Div(e, keep)\nsh = Shape(f)\nflat = Reshape(f, minus)\n\
         y = Reshape(flat, sh)"
    );
    let mut made = inside(15, 0.3, &text);
    made.graph = made.graph.map(|graph| graph.init("minus", i64s(&[-1])));
    strips(&made).draws_nothing().leaves(&[
        "hidden = Relu(x)",
        "sh = Shape(hidden)",
        "flat = Reshape(hidden, minus)",
        "out = Reshape(flat, sh)",
        "y = Tanh(out)",
    ]);
}

/// The type of the second mask's data is told by the first mask alone, which goes before.
#[test]
fn a_factor_whose_type_only_a_dropout_declared() {
    let text = format!(
        "u = odd::Anything(x)\n{}us = Mul(u, s)\nd = Mul(us, k)\nr2 = RandomUniformLike(d)\n\
         b2 = GreaterOrEqual(r2, p)\nk2 = CastLike(b2, d)\ne = Mul(d, k2)\ny = odd::Anything(e)",
        DRAWN.replace("(x)", "(u)")
    );
    let made = inside(15, 0.3, &text).imports("odd", 1);
    strips_unrun(&made, "odd::Anything")
        .draws_nothing()
        .leaves(&[
            "hidden = Relu(x)",
            "u = odd::Anything(hidden)",
            "e = Mul(u, e/scale)",
            "out = odd::Anything(e)",
            "y = Tanh(out)",
        ])
        .scales(&[("e", 0.7)]);
}

/// Keras 3 writes draws in ONNX' own domain that ONNX does not have.
#[test]
fn draws_that_no_runtime_has() {
    let text = "sh = Shape(x)\nr = StatelessRandomUniformV2(sh, key, counter, alg)\n\
                b = GreaterOrEqual(r, p)\nk = Cast(b)\nxs = Mul(x, s)\ny = Mul(xs, k)";
    let graph = between(spelt(text, &numbers(0.3)))
        .init("key", i64s(&[1]))
        .init("counter", i64s(&[0, 0]))
        .init("alg", i64s(&[1]));
    strips(&model(15, graph))
        .draws_nothing()
        .leaves(GONE)
        .keeps_initializers(&[]);
}

#[test]
fn a_seed_is_no_obstacle() {
    let mut made = inside(15, 0.3, &format!("{DRAWN}{DROPPED}"));
    made.main_mut().node[1].attribute.push(float("seed", 3.0));
    let stripped = strips(&made).draws_nothing().leaves(GONE);
    assert_eq!(stripped.sites[0].seed, Some(3));
}

/// What leads nowhere does not tell what a draw is, and goes with the mask.
#[test]
fn uses_that_lead_nowhere_do_not_count() {
    let text = format!(
        "{DRAWN}{DROPPED}\nr2 = RandomUniformLike(x)\nw = Where(b, r2, r2)\nv = MatMul(k, sq)"
    );
    let mut made = inside(15, 0.3, &text);
    made.graph = made
        .graph
        .map(|graph| graph.init("sq", f32s(&[3, 3], &[0.5; 9])));
    let stripped = strips(&made);
    assert_eq!(stripped.outcome.removed, 1);
    assert!(!stripped.after.lines().contains(&"k = Cast(b)".to_string()));
}

#[test]
fn a_dropout_between_mask_and_factor_passes() {
    let text = format!("{DRAWN}d = Mul(x, k)\ne = Dropout(d, p, on)\ny = Div(e, keep)");
    let mut made = inside(15, 0.3, &text);
    made.graph = made.graph.map(|graph| graph.init("on", flag(true)));
    strips(&made).draws_nothing().leaves(GONE);
}

/// The data meets its mask again behind where it was taken out: which of them is it?
#[test]
fn a_mask_applied_again_to_its_data_is_refused() {
    let text = format!("{DRAWN}xs = Mul(x, s)\nd = Mul(xs, k)\nz = Tanh(d)\ny = Mul(d, k)");
    let made = model(15, between(spelt(&text, &numbers(0.3))).output("z"));
    let why = refusal(&made);
    assert!(
        why.contains("applied again to data it has already masked"),
        "{why}"
    );
}

/// Noise that is multiplied by itself, through a Dropout: not what inference leaves away.
#[test]
fn noise_that_is_applied_twice_stays() {
    let text = "n = RandomNormalLike(x)\na = Add(x, n)\nd = Dropout(a)\ny = Mul(d, n)";
    let stripped = strips(&inside(15, 0.3, text));
    assert_eq!(stripped.outcome.removed, 1);
    assert_eq!(stripped.sites.len(), 1);
}

/// `Div(·, keep)` makes up for the first mask, not for the second.
#[test]
fn a_factor_between_two_masks_is_the_first_ones() {
    let text = format!(
        "{DRAWN}d = Mul(x, k)\ne = Div(d, keep)\nr2 = RandomUniformLike(e)\n\
         b2 = GreaterOrEqual(r2, p)\nk2 = Cast(b2)\ny = Mul(e, k2)"
    );
    let stripped = strips(&inside(15, 0.3, &text))
        .draws_nothing()
        .leaves(&[
            "hidden = Relu(x)",
            "out = Mul(hidden, out/scale)",
            "y = Tanh(out)",
        ])
        .scales(&[("out", 0.7)]);
    let scaling: Vec<_> = stripped.sites.iter().map(|site| site.scaling).collect();
    assert_eq!(scaling, [Scaling::Inverted, Scaling::Classic]);
}
