//! Broken strips of dropout that is written as a mask, and what is as good as strip's own.

use dropout_onnx::onnx::DataType;
use dropout_onnx::verify::structure;

use super::check::{Run, broken, differ, same, stripped};
use super::models::{change_weight, inner, node};
use crate::common::build::{
    SHAPE, f32_scalar, f32s, flag, float, function, graph, i64s, model, op, raw, reference,
    subgraph, typed, untyped, x_to_y,
};
use crate::common::masks::{nodes, numbers, spelt};
use crate::common::proto::{Function, Model};

const DRAWN: &str =
    "h = Relu(x)\nr = RandomUniformLike(h)\nb = GreaterOrEqual(r, p)\nk = Cast(b)\n";

/// Dropout of 0.3 between a Relu and a Tanh, used in one of several ways.
fn masked(used: &str) -> Model {
    let text = format!("{DRAWN}{used}\ny = Tanh(d)");
    model(15, spelt(&text, &numbers(0.3)))
}

const PRESCALED: &str = "hs = Mul(h, s)\nd = Mul(hs, k)";
const RESCALED: &str = "m = Mul(h, k)\nd = Div(m, keep)";
const MASK_SCALED: &str = "ks = Mul(k, s)\nd = Mul(h, ks)";
const CLASSIC: &str = "d = Mul(h, k)";
const WAYS: &[&str] = &[PRESCALED, RESCALED, MASK_SCALED];

/// Lets what used `d` or its place use what these nodes make.
fn instead(after: &mut Model, text: &str) {
    let graph = after.main_mut();
    let at = graph.node.len() - 1;
    graph.node.splice(at..at, nodes(text));
    let last = graph.node.last_mut().expect("a node");
    last.input[0] = "new".into();
}

#[test]
fn every_way_is_the_same_as_data_that_passes() {
    for used in WAYS {
        let plain = model(15, spelt("h = Relu(x)\ny = Tanh(h)", &numbers(0.3)));
        same(&masked(used).read(), &plain.read());
        same(&plain.read(), &masked(used).read());
        same(&masked(used).read(), &stripped(&masked(used)).read());
    }
}

/// At inference all ways come to the same, whatever the rate.
#[test]
fn one_way_is_the_same_as_another() {
    for used in WAYS {
        let text = format!("{DRAWN}{PRESCALED}\ny = Tanh(d)");
        let other = model(15, spelt(&text, &numbers(0.5)));
        same(&masked(used).read(), &other.read());
    }
}

/// What the shape is taken of may be scaled by a scalar, and by nothing else.
#[test]
fn a_shape_of_other_data() {
    let shaped = |of: &str| {
        let text = format!("h = Relu(x)\n{of}\nv = Reshape(x, sh)\ny = Add(v, h)");
        model(
            15,
            spelt(&text, &numbers(0.3)).init("row", f32s(&[4, 1, 1], &[1.0; 4])),
        )
    };
    let plain = shaped("sh = Shape(h)").read();
    for same_shape in [
        "hs = Mul(h, s)\nsh = Shape(hs)",
        "hs = Div(h, s)\nt = Mul(s, hs)\nsh = Shape(t)",
    ] {
        same(&shaped(same_shape).read(), &plain);
        same(&plain, &shaped(same_shape).read());
    }
    let other = shaped("sh = Shape(x)").read();
    let why = differ(
        &shaped("hs = Mul(h, s)\nsh = Shape(hs)").read(),
        &other,
        Run::Equal,
    );
    assert!(why.starts_with("output `y`"), "{why}");
    // a factor with dimensions may make it larger
    for larger in [
        "hs = Mul(h, row)\nsh = Shape(hs)",
        "hs = Div(row, h)\nsh = Shape(hs)",
    ] {
        let verdict = structure::compare(&shaped(larger).read(), &plain).expect("compare");
        assert!(
            matches!(verdict, structure::Verdict::Different { .. }),
            "{verdict:?}"
        );
    }
}

#[test]
fn a_factor_that_is_missing() {
    for used in WAYS {
        let why = broken(&masked(used), Run::Different, |after| {
            instead(after, "new = Mul(h, more)");
            let graph = after.graph.take();
            after.graph = graph.map(|g| g.init("more", f32_scalar(0.7)));
        });
        assert!(why.starts_with("output `y`"), "{why}");
    }
}

#[test]
fn the_factor_before_is_left() {
    let mut after = masked(PRESCALED);
    after
        .main_mut()
        .node
        .retain(|n| !["r", "b", "k", "d"].contains(&n.output[0].as_str()));
    node(&mut after, "y").input[0] = "hs".into();
    differ(&masked(PRESCALED).read(), &after.read(), Run::Different);
}

#[test]
fn the_factor_after_it_is_left() {
    let mut after = masked(RESCALED);
    after
        .main_mut()
        .node
        .retain(|n| !["r", "b", "k", "m"].contains(&n.output[0].as_str()));
    node(&mut after, "d").input[0] = "h".into();
    differ(&masked(RESCALED).read(), &after.read(), Run::Different);
}

#[test]
fn the_mask_is_where_it_keeps_and_its_factor_is_left() {
    let mut after = masked(MASK_SCALED);
    after
        .main_mut()
        .node
        .retain(|n| !["r", "b", "k", "ks"].contains(&n.output[0].as_str()));
    node(&mut after, "d").input[1] = "s".into();
    differ(&masked(MASK_SCALED).read(), &after.read(), Run::Different);
}

/// A classic mask needs its 1 − p.
#[test]
fn the_scale_of_a_classic_mask_forgotten() {
    let mut after = masked(CLASSIC);
    after
        .main_mut()
        .node
        .retain(|n| !["r", "b", "k", "d"].contains(&n.output[0].as_str()));
    node(&mut after, "y").input[0] = "h".into();
    let why = differ(&masked(CLASSIC).read(), &after.read(), Run::Different);
    assert!(why.starts_with("output `y`"), "{why}");
}

#[test]
fn the_scale_of_a_classic_mask_is_the_rate() {
    broken(&masked(CLASSIC), Run::Different, |after| {
        change_weight(after, "d/scale", |scale| scale[0] = 0.3);
    });
}

#[test]
fn the_scale_of_a_classic_mask_is_its_inverse() {
    broken(&masked(CLASSIC), Run::Different, |after| {
        node(after, "d").op_type = Some("Div".into());
    });
}

#[test]
fn the_scale_of_a_classic_mask_is_off_by_the_last_bit() {
    let near = |after: &mut Model| {
        change_weight(after, "d/scale", |s| {
            s[0] = f32::from_bits(s[0].to_bits() + 1)
        });
    };
    broken(&masked(CLASSIC), Run::Either, near);
}

#[test]
fn the_scale_of_another_rate_is_not_lost() {
    let mut constants = numbers(0.3);
    constants.push(("two", 2.0));
    let text = format!("{DRAWN}ks = Mul(k, two)\nd = Mul(h, ks)\ny = Tanh(d)");
    let before = model(15, spelt(&text, &constants));
    same(&before.read(), &stripped(&before).read());
    broken(&before, Run::Different, |after| {
        node(after, "y").input[0] = "h".into();
    });
}

#[test]
fn cut_off_before_the_mask_is_applied_to_its_data() {
    let used = "g = Sigmoid(h)\nks = Mul(k, s)\nd = Mul(g, ks)";
    broken(&masked(used), Run::Different, |after| {
        node(after, "y").input[0] = "h".into();
    });
}

#[test]
fn cut_off_after_the_next_node() {
    let used = "ks = Mul(k, s)\ne = Mul(h, ks)\nd = Sigmoid(e)";
    broken(&masked(used), Run::Different, |after| {
        node(after, "y").input[0] = "h".into();
    });
}

#[test]
fn redirected_to_another_value_of_the_same_shape() {
    let used = "g = Sigmoid(h)\nhs = Mul(h, s)\ne = Mul(hs, k)\nd = Sub(e, g)";
    let before = masked(used);
    for other in ["x", "g"] {
        broken(&before, Run::Different, |after| {
            node(after, "d").input[0] = other.into();
        });
    }
}

#[test]
fn a_transpose_between_is_dropped() {
    let square = |used: &str| {
        let mut made = masked(used);
        let graph = made.main_mut();
        graph.input[0] = typed("x", DataType::FLOAT, &[3, 3]);
        graph.output[0] = typed("y", DataType::FLOAT, &[3, 3]);
        made
    };
    // before the mask, between mask and factor
    let before = "hs = Mul(h, s)\nt = Transpose(hs)\nd = Mul(t, k)";
    broken(&square(before), Run::Different, |after| {
        after.main_mut().node.retain(|n| !n.is("Transpose"));
        node(after, "y").input[0] = "h".into();
    });
    let behind = "m = Mul(h, k)\nt = Transpose(m)\nd = Mul(t, s)";
    broken(&square(behind), Run::Different, |after| {
        after.main_mut().node.retain(|n| !n.is("Transpose"));
        node(after, "y").input[0] = "h".into();
    });
}

#[test]
fn a_cast_between_is_dropped() {
    let used = "hd = Cast:11(h)\nkd = Cast:11(k)\nm = Mul(hd, kd)\ni = Cast:6(m)\nf = Cast(i)\nd = Mul(f, s)";
    let before = masked(used);
    let after = model(15, spelt("h = Relu(x)\ny = Tanh(h)", &numbers(0.3)));
    differ(&before.read(), &after.read(), Run::Different);
}

#[test]
fn one_of_two_exits_is_left_random() {
    let used = "ks = Mul(k, s)\ne = Mul(h, ks)\ng = Sigmoid(h)\nf = Mul(g, ks)\nd = Sub(e, f)";
    let before = masked(used);
    let mut after = before.clone();
    node(&mut after, "d").input[0] = "h".into();
    // that is a mask still, and means the same
    same(&before.read(), &after.read());
    node(&mut after, "d").input[0] = "g".into();
    differ(&before.read(), &after.read(), Run::Different);
}

#[test]
fn the_draw_of_a_vae_removed_or_made_another() {
    let used = format!(
        "{PRESCALED}e\nv = Exp(de)\nn = RandomNormalLike(de)\nvn = Mul(v, n)\nd = Add(de, vn)"
    )
    .replace("d = Mul(hs, k)e", "de = Mul(hs, k)");
    let before = masked(&used);
    broken(&before, Run::Different, |after| {
        node(after, "y").input[0] = "h".into();
    });
    broken(&before, Run::Different, |after| {
        node(after, "n").op_type = Some("RandomUniformLike".into());
    });
    broken(&before, Run::Different, |after| {
        node(after, "d").input[1] = "v".into();
    });
}

#[test]
fn noise_taken_for_dropout_and_the_other_way_round() {
    let noise = |text: &str| {
        model(
            15,
            spelt(
                &format!("h = Relu(x)\nn = RandomNormalLike(h)\n{text}"),
                &numbers(0.3),
            ),
        )
    };
    // scaled by data: no noise that is nothing at inference
    let scaled = noise("m = Mul(n, p)\ne = Mul(m, h)\nf = Sigmoid(e)\nd = Add(h, f)\ny = Tanh(d)");
    let plain = model(15, spelt("h = Relu(x)\ny = Tanh(h)", &numbers(0.3)));
    differ(&scaled.read(), &plain.read(), Run::Different);
    let gaussian = noise("m = Mul(n, p)\ne = Add(m, one)\nd = Mul(h, e)\ny = Tanh(d)");
    same(&gaussian.read(), &plain.read());
}

#[test]
fn alpha_dropout_is_not_inverted_dropout() {
    let rate: f64 = 0.25;
    let alpha = 1.758_099_340_847_376_6;
    let a = ((1.0 - rate) * (1.0 + rate * alpha * alpha)).powf(-0.5);
    let mut constants = numbers(rate);
    constants.extend([("alpha", -alpha), ("a", a), ("b_", a * alpha * rate)]);
    let text = "h = Relu(x)\nr = RandomUniformLike(h)\ng = GreaterOrEqual(r, p)\nk = Cast(g)\n\
                xk = Mul(h, k)\nn = Sub(one, k)\nan = Mul(alpha, n)\nsum = Add(xk, an)\n\
                m = Mul(a, sum)\nd = Add(m, b_)\ny = Tanh(d)";
    let before = model(15, spelt(text, &constants));
    same(&before.read(), &stripped(&before).read());
    // what it adds and multiplies by where it keeps is left
    for left in ["new = Mul(h, a)", "new = Add(h, b_)"] {
        let after = model(
            15,
            spelt(&format!("h = Relu(x)\n{left}\ny = Tanh(new)"), &constants),
        );
        differ(&before.read(), &after.read(), Run::Different);
    }
}

/// A Loop that carries a mask, what is dropped, and a sum.
fn looped() -> Model {
    let body = graph(nodes("e = Mul(h, m)\nh_out = Tanh(e)\ng_out = Sub(g, h)"))
        .input_of("i", DataType::INT64, &[])
        .input_of("c", DataType::BOOL, &[])
        .input("m")
        .input("h")
        .input("g")
        .output_of("c", DataType::BOOL, &[])
        .output("m")
        .output("h_out")
        .output("g_out");
    let text = "r = RandomUniformLike(x)\nb = GreaterOrEqual(r, p)\nk = Cast(b)\nmask = Mul(k, s)";
    let mut main = spelt(text, &numbers(0.3))
        .init("trip", raw(DataType::INT64, &[], &3i64.to_le_bytes()))
        .init("on", flag(true))
        .init("w", f32s(SHAPE, &[1., 2., 3., 4., 5., 6.]))
        .output("z");
    let call = op("m_left, y, z = Loop(trip, on, mask, x, w)");
    main.node.push(call.with(subgraph("body", body)));
    model(15, main)
}

#[test]
fn a_live_state_of_a_loop_is_removed() {
    let before = looped();
    broken(&before, Run::Either, |after| {
        // z is what it was at the start
        let body = inner(after, "body");
        body.input.remove(3);
        body.output.remove(2);
        body.node.retain(|n| n.output[0] != "g_out");
        let graph = after.main_mut();
        let call = graph
            .node
            .iter_mut()
            .find(|n| n.is("Loop"))
            .expect("a loop");
        call.input.pop();
        call.output.pop();
        graph.node.push(op("z = Identity(w)"));
    });
    broken(&before, Run::Either, |after| {
        let call = after.main_mut().node.iter_mut().find(|n| n.is("Loop"));
        call.expect("a loop").input.swap(2, 3);
    });
    broken(&before, Run::Either, |after| {
        let call = after.main_mut().node.iter_mut().find(|n| n.is("Loop"));
        call.expect("a loop").output.swap(0, 1);
    });
    broken(&before, Run::Either, |after| {
        let body = inner(after, "body");
        body.output.swap(1, 2);
    });
}

#[test]
fn a_mask_that_is_drawn_before_a_loop_is_kept_by_it() {
    let before = looped();
    let after = stripped(&before);
    let verdict = structure::compare(&before.read(), &after.read()).expect("sound");
    assert!(
        matches!(verdict, structure::Verdict::Same { outputs: 2 }),
        "{verdict:?}"
    );
}

/// The mask of torch 2.4, in a function, its threshold an attribute of the call.
fn bernoulli_p() -> Function {
    let mut body = vec![
        op("t = Constant()").with(reference("value_float", "p", 1)),
        op("l = CastLike(t, self)"),
        op("r = RandomUniformLike(self)"),
    ];
    body.extend(nodes("b = Less(r, l)\no = CastLike(b, self)"));
    let mut made = function("aten_bernoulli_p", "self", "o", 15, body);
    made.attribute = vec!["p".into()];
    made
}

fn called() -> Model {
    let mut graph = spelt(
        "h = Relu(x)\nkd = Div(m, keep)\nd = Mul(h, kd)\ny = local::Last(d)",
        &numbers(0.3),
    );
    let call = op("m = local::aten_bernoulli_p(h)").with(float("p", 0.7));
    graph.node.insert(1, call);
    let last = function("Last", "i", "o", 15, [op("o = Tanh(i)")]);
    model(15, graph)
        .imports("local", 1)
        .function(bernoulli_p())
        .function(last)
}

#[test]
fn a_function_that_is_still_called_changed() {
    broken(&called(), Run::Different, |after| {
        after.functions[0].node[0].op_type = Some("Sigmoid".into());
    });
}

#[test]
fn a_function_that_only_a_mask_called_may_stay() {
    let mut after = stripped(&called());
    assert_eq!(after.functions.len(), 1);
    after.functions.push(bernoulli_p());
    same(&called().read(), &after.read());
}

/// Dropout in a function that is called with two rates.
fn twice() -> Model {
    let body = "r = RandomUniformLike(i)\nb = Less(r, keep)\nk = CastLike(b, i)\nm = Mul(i, k)\n\
                o = Div(m, keep)";
    let drop = function("Drop", "i, keep", "o", 15, nodes(body));
    let text = "h = local::Drop(x, keep)\nt = Tanh(h)\ny = local::Drop(t, half)";
    let mut constants = numbers(0.3);
    constants.push(("half", 0.5));
    model(15, spelt(text, &constants))
        .imports("local", 1)
        .function(drop)
}

#[test]
fn a_function_that_drops_and_scales() {
    let without = |body: &str| {
        let mut after = twice();
        after.functions[0].node = vec![op(body)];
        after
    };
    same(&twice().read(), &stripped(&twice()).read());
    same(&twice().read(), &without("o = Identity(i)").read());
    differ(
        &twice().read(),
        &without("o = Div(i, keep)").read(),
        Run::Different,
    );
}

/// A mask that a flag switches on.
fn switched() -> Model {
    let text =
        format!("{DRAWN}ks = Mul(k, s)\nm = Where(train, ks, one)\nd = Mul(h, m)\ny = Tanh(d)");
    let graph = spelt(&text, &numbers(0.3));
    model(15, graph.input_of("train", DataType::BOOL, &[]))
}

#[test]
fn a_switched_mask_is_what_it_is_when_off() {
    same(&switched().read(), &stripped(&switched()).read());
    broken(&switched(), Run::Different, |after| {
        instead(after, "new = Mul(h, s)");
        after.graph = after.graph.take().map(|g| g.init("s", f32_scalar(1.4)));
        after
            .main_mut()
            .initializer
            .dedup_by(|a, b| a.name == b.name);
    });
}

/// The flag also chooses something that is no dropout.
#[test]
fn what_else_a_switch_decides_on_stays() {
    let mut before = switched();
    let graph = before.main_mut();
    graph.node.pop();
    graph.node.extend(nodes("y = Where(train, d, x)"));
    same(&before.read(), &stripped(&before).read());
    broken(&before, Run::Different, |after| {
        node(after, "y").input.swap(1, 2);
    });
}

#[test]
fn a_mask_that_leaves_a_branch_is_what_the_other_branch_has() {
    let branch = |text: &str, output: &str| {
        let mut graph = graph(nodes(text));
        graph.output.push(untyped(output));
        graph
    };
    let drawn = "r = RandomUniformLike(h)\nb = GreaterOrEqual(r, p)\nk = Cast(b)\no = Mul(k, s)";
    let choice = op("m = If(train)")
        .with(subgraph("then_branch", branch(drawn, "o")))
        .with(subgraph(
            "else_branch",
            branch("sh = Shape(h)\ni = Expand(one, sh)", "i"),
        ));
    let mut main = spelt("h = Relu(x)", &numbers(0.3)).input_of("train", DataType::BOOL, &[]);
    main.node
        .extend([choice, op("d = Mul(h, m)"), op("y = Tanh(d)")]);
    let before = model(15, main);
    same(&before.read(), &stripped(&before).read());
    broken(&before, Run::Different, |after| {
        instead(after, "new = Mul(h, s)");
        after.main_mut().initializer.retain(|t| t.name() != "s");
        after.graph = after
            .graph
            .take()
            .map(|g| g.init("s", f32_scalar(1.4285715)));
    });
}

/// A spatial mask is one along an axis; an Expand in its place is another shape, not another value.
#[test]
fn data_in_the_shape_of_something_else() {
    let used = "hs = Mul(h, s)\nm = Mul(hs, k)\nd = Reshape(m, other)";
    let mut before = masked(used);
    before.graph = before.graph.map(|g| g.init("other", i64s(&[3, 2])));
    before.main_mut().output[0] = typed("y", DataType::FLOAT, &[3, 2]);
    broken(&before, Run::Different, |after| {
        node(after, "y").input[0] = "h".into();
        after.main_mut().node.retain(|n| !n.is("Reshape"));
    });
}

/// Numbers that are never looked at do not make a difference.
#[test]
fn what_only_a_mask_used_may_stay() {
    for used in WAYS {
        let mut after = masked(used);
        // all of the mask is there, but nothing leads on from it
        node(&mut after, "y").input[0] = "h".into();
        same(&masked(used).read(), &after.read());
    }
    let graph = x_to_y(nodes(&format!("{DRAWN}y = Tanh(h)"))).init("p", f32_scalar(0.5));
    let plain = x_to_y(nodes("h = Relu(x)\ny = Tanh(h)"));
    same(&model(15, graph).read(), &model(15, plain).read());
}
