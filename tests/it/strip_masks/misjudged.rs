//! What looks like dropout and is none, or can be found but not taken out: each beside a twin that is
//! dropout and goes.

use dropout_onnx::dropout::{Form, Scaling};
use dropout_onnx::onnx::DataType;

use super::spelt::{DRAWN, between, inside};
use crate::common::build::{f32s, flag, i64s, model, raw, scalar, untyped, x_to_y};
use crate::common::masks::{nodes, numbers, spelt};
use crate::common::proto::Model;
use crate::common::stripped::{refusal, strips};

const GONE: &[&str] = &["hidden = Relu(x)", "y = Tanh(hidden)"];

#[track_caller]
fn goes(text: &str) {
    for rate in [0.2, 0.3, 0.5] {
        strips(&inside(15, rate, text)).draws_nothing().leaves(GONE);
    }
}

#[track_caller]
fn stays(text: &str) {
    for rate in [0.2, 0.3, 0.5] {
        let stripped = strips(&inside(15, rate, text));
        assert!(stripped.sites.is_empty(), "{rate}: {:#?}", stripped.sites);
    }
}

#[track_caller]
fn refused(made: &Model, why: &str) {
    let refusal = refusal(made);
    assert!(refusal.contains(why), "{refusal}");
}

/// A Bernoulli draw is 1 with the probability it is given: the scale does not turn that round, except
/// for the one exporter that is known to write it so.
#[test]
fn the_complement_of_a_bernoulli_draw() {
    let bernoulli = |probability: &str, text: &str, producer: &str| {
        let text = format!("q = Expand({probability}, like)\nd = Bernoulli(q)\n{text}");
        let mut made = inside(15, 0.3, &text);
        made.producer_name = Some(producer.into());
        made.graph = made.graph.map(|g| g.init("like", i64s(&[2, 3])));
        made
    };
    let dropped = "xs = Mul(x, s)\nxd = Mul(xs, d)\ny = Sub(xs, xd)";
    strips(&bernoulli("p", dropped, "any"))
        .draws_nothing()
        .leaves(GONE);
    let complement = "e = Sub(one, d)\nxs = Mul(x, s)\nxd = Mul(xs, e)\ny = Sub(xs, xd)";
    strips(&bernoulli("keep", complement, "any"))
        .draws_nothing()
        .leaves(GONE);
    // 1 means drop here, if the scale is to be believed
    let inverted = "xs = Mul(x, s)\ny = Mul(xs, d)";
    let any = strips(&bernoulli("p", inverted, "any"));
    assert_eq!(any.sites[0].rate, Some(0.7));
    let jax = strips(&bernoulli("p", inverted, "jax2onnx")).leaves(GONE);
    assert_eq!(jax.sites[0].rate, Some(0.3));
}

/// Two elements of one draw that meet are two coins.
#[test]
fn a_draw_combined_with_itself_in_other_places() {
    let square = |text: &str| {
        let mut made = inside(15, 0.5, text);
        let main = made.main_mut();
        for value in main.input.iter_mut().chain(&mut main.output) {
            let name = value.name().to_string();
            *value = crate::common::build::typed(&name, DataType::FLOAT, &[3, 3]);
        }
        made.graph = made
            .graph
            .map(|g| g.init("row", i64s(&[1, 3])).init("three", i64s(&[3, 1])));
        made
    };
    let apart = [
        "t = Transpose(k)\nm = Mul(k, t)\nn = Mul(m, s)\ny = Mul(x, n)",
        "tb = Transpose(b)\nq = And(b, tb)\nm = Cast(q)\nn = Mul(m, s)\ny = Mul(x, n)",
        "d = Mul(x, k)\nt = Transpose(k)\ne = Mul(d, t)\ny = Mul(e, s)",
    ];
    for text in apart {
        let stripped = strips(&square(&format!("{DRAWN}{text}")));
        assert!(stripped.sites.is_empty(), "{text}: {:#?}", stripped.sites);
    }
    // the twin: an element that meets itself
    let same = "m = Mul(k, k)\nn = Mul(m, s)\ny = Mul(x, n)";
    strips(&square(&format!("{DRAWN}{same}"))).draws_nothing();
    let both = "q = And(b, b)\nm = Cast(q)\nn = Mul(m, s)\ny = Mul(x, n)";
    strips(&square(&format!("{DRAWN}{both}"))).draws_nothing();
}

/// What is kept is one number, or it is noise.
#[test]
fn kept_elements_that_are_scaled_by_the_draw() {
    for text in [
        "a = Sub(r, p)\nc = Relu(a)\ng = Mul(c, c)\ny = Mul(x, g)",
        "a = Sub(r, p)\nc = Relu(a)\ny = Mul(x, c)",
        "e = Exp(r)\ng = Mul(k, e)\ny = Mul(x, g)",
        "g = Div(k, r)\ny = Mul(x, g)",
    ] {
        stays(&format!("{DRAWN}{text}"));
    }
    goes(&format!(
        "{DRAWN}e = Exp(k)\nf = Exp(one)\ng = Sub(e, one)\nh = Sub(f, one)\n\
                   i = Div(g, h)\nm = Mul(i, s)\ny = Mul(x, m)"
    ));
}

/// A number as a switch is more than on and off, unless it is compared or cast to a boolean.
#[test]
fn a_switch_that_is_a_number() {
    let fed = |element: DataType, text: &str| {
        let text = format!(
            "r = RandomUniformLike(x)\nb = Less(r, keep)\nk = Cast(b)\nm = Mul(k, s)\n{text}"
        );
        let graph = between(spelt(&text, &numbers(0.5)));
        model(15, graph.input_of("t", element, &[1]))
    };
    for element in [DataType::INT64, DataType::FLOAT] {
        let power = "tf = Cast(t)\nw = Pow(m, tf)\ny = Mul(x, w)";
        let mixed = "tf = Cast(t)\nu = Sub(one, tf)\nv = Mul(m, tf)\nw = Add(u, v)\ny = Mul(x, w)";
        assert!(strips(&fed(element, power)).sites.is_empty());
        // a mixture with the data has the mean of the data, whatever the share
        strips(&fed(element, mixed)).draws_nothing().leaves(GONE);
        let other = mixed.replace("u = Sub(one, tf)", "u = Sub(two, tf)");
        let mut other = fed(element, &other);
        other.graph = other
            .graph
            .map(|g| g.init("two", scalar(DataType::FLOAT, 2.0)));
        assert!(strips(&other).sites.is_empty());
        let chosen = "tb = Cast:9(t)\nw = Where(tb, m, one)\ny = Mul(x, w)";
        strips(&fed(element, chosen)).draws_nothing().leaves(GONE);
    }
    let mixed = "tf = Cast(t)\nu = Sub(one, tf)\nv = Mul(m, tf)\nw = Add(u, v)\ny = Mul(x, w)";
    strips(&fed(DataType::BOOL, mixed))
        .draws_nothing()
        .leaves(GONE);
}

/// Nothing is dropped where what was dropped cancels out against what it was made of.
#[test]
fn dropped_data_that_cancels_out() {
    for text in [
        "d = Mul(x, k)\ne = Mul(d, s)\ny = Sub(e, x)",
        "xs = Mul(x, s)\nd = Mul(xs, k)\ny = Sub(d, x)",
        "xs = Mul(x, s)\nd = Mul(xs, k)\nn = Neg(x)\ny = Add(n, d)",
        "xs = Mul(x, s)\nd = Mul(xs, k)\nn = Neg(x)\ny = Mean(n, d)",
        // a choice between two, by their difference
        "v = Sin(x)\nd = Sub(v, x)\nm = Mul(d, k)\ny = Add(x, m)",
        // a gate of what is dropped
        "a = Mul(x, k)\nc = Sub(x, a)\ng = Sigmoid(c)\ny = Mul(a, g)",
    ] {
        stays(&format!("{DRAWN}{text}"));
    }
    // the twin: a residual around dropout
    let text = format!("{DRAWN}xs = Mul(x, s)\nd = Mul(xs, k)\ny = Add(d, x)");
    strips(&inside(15, 0.3, &text)).draws_nothing().leaves(&[
        "hidden = Relu(x)",
        "out = Add(hidden, hidden)",
        "y = Tanh(out)",
    ]);
}

/// Casts and integers compute as ONNX says.
#[test]
fn arithmetic_of_types() {
    // 2 is true, and true is 1
    let text = format!("{DRAWN}m = Mul(k, s)\nt = Cast:9(m)\nn = Cast(t)\ny = Mul(x, n)");
    strips(&inside(15, 0.5, &text))
        .draws_nothing()
        .scales(&[("out", 0.5)]);
    // 0.1 is true
    goes(
        "r = RandomUniformLike(x)\na = Sub(r, p)\nc = Relu(a)\nt = Cast:9(c)\nn = Cast(t)\n\
          m = Mul(n, s)\ny = Mul(x, m)",
    );
    // 5 / 2 is 2
    let halves = |element: DataType, to: i32| {
        let text = format!(
            "r = RandomUniformLike(x)\nb = Less(r, keep)\nk = Cast:{to}(b)\nf = Mul(k, five)\n\
             h = Div(f, two)\nm = Cast(h)\ny = Mul(x, m)"
        );
        let graph = between(spelt(&text, &[("keep", 0.4)]));
        let number = |n: i64| match element {
            DataType::INT64 => raw(element, &[], &n.to_le_bytes()),
            _ => scalar(element, n as f64),
        };
        model(15, graph.init("five", number(5)).init("two", number(2)))
    };
    strips(&halves(DataType::INT64, 7))
        .draws_nothing()
        .scales(&[("out", 0.8)]);
    strips(&halves(DataType::FLOAT, 1))
        .draws_nothing()
        .leaves(GONE);
}

/// To scale what is rounded and to round what is scaled are two things.
#[test]
fn dropped_data_that_is_rounded() {
    let text = |to: i32| {
        format!(
            "{DRAWN}m = Mul(k, ten)\nd = Mul(x, m)\ni = Cast:{to}(d)\nf = Cast(i)\ny = Mul(f, fifth)"
        )
    };
    let made = |to| {
        let constants = [("p", 0.5), ("ten", 10.0), ("fifth", 0.2)];
        model(15, between(spelt(&text(to), &constants)))
    };
    refused(&made(6), "rounds its output");
    strips(&made(11)).draws_nothing();
}

/// A mask, or a constant beside it, that makes data larger.
#[test]
fn a_mask_that_enlarges_its_data() {
    let half = "b = GreaterOrEqual(u, p)\nk = Cast(b)\nd = Mul(x, k)\ny = Mul(d, s)";
    let sized = |draw: &str, shape: &[i64]| {
        let graph = between(spelt(&format!("{draw}\n{half}"), &numbers(0.5)));
        let mut made = model(13, graph);
        made.graph = made.graph.map(|g| {
            g.init("twice", i64s(&[2, 1]))
                .init("once", i64s(&[1, 1]))
                .init("row", f32s(&[1, 3], &[0.; 3]))
        });
        let main = made.main_mut();
        main.input[0] = crate::common::build::typed("x", DataType::FLOAT, shape);
        made
    };
    let tiled = "r = RandomUniformLike(row)\nu = Tile(r, twice)";
    refused(&sized(tiled, &[1, 3]), "is larger than the data");
    strips(&sized(tiled, &[2, 3])).draws_nothing();
    let plain = "r = RandomUniformLike(row)\nu = Tile(r, once)";
    strips(&sized(plain, &[2, 3])).draws_nothing();
    // one half of a draw
    let halves = |rows: i64| {
        let mut made = sized("r = RandomUniformLike(tall)\nu, v = Split(r)", &[1, 3]);
        let elements = vec![0.; 3 * rows as usize];
        made.graph = made
            .graph
            .map(|g| g.init("tall", f32s(&[rows, 3], &elements)));
        made.main_mut().output = vec![untyped("y")];
        made
    };
    refused(&halves(8), "is larger than the data");
    strips(&halves(2)).draws_nothing();
    // a constant of one number
    let mut scaled = inside(13, 0.5, &format!("{DRAWN}d = Mul(x, k)\ny = Mul(d, big)"));
    scaled.graph = scaled
        .graph
        .map(|g| g.init("big", f32s(&[4, 2, 3], &[2.; 24])));
    refused(&scaled, "is larger than the data");
    let mut scaled = inside(13, 0.5, &format!("{DRAWN}d = Mul(x, k)\ny = Mul(d, big)"));
    scaled.graph = scaled.graph.map(|g| g.init("big", f32s(&[2, 3], &[2.; 6])));
    strips(&scaled).draws_nothing().leaves(GONE);
}

/// Where the file does not tell the shape of data, a mask of its own shape may be larger.
#[test]
fn a_mask_for_data_of_unknown_rank() {
    let unknown = |draw: &str| {
        let text = format!(
            "{draw}\nb = GreaterOrEqual(r, p)\nk = Cast(b)\nd = Mul(x, k)\nm = Mul(d, s)\ny = Tanh(m)"
        );
        let mut graph = x_to_y(nodes(&text));
        for (name, number) in numbers(0.5) {
            graph = graph.init(name, scalar(DataType::FLOAT, number));
        }
        graph.input = vec![untyped("x")];
        graph.output = vec![untyped("y")];
        graph.init("like", f32s(&[2, 3], &[0.; 6]))
    };
    let mut own = model(15, unknown("r = RandomUniformLike(like)"));
    own.main_mut()
        .initializer
        .retain(|t| !["keep", "zero", "one"].contains(&t.name()));
    refused(&own, "may be larger than the data");
    for draw in [
        "r = RandomUniformLike(x)",
        "sh = Shape(x)\nz = ConstantOfShape(sh)\nr = RandomUniformLike(z)",
    ] {
        let made = model(15, unknown(draw)).read();
        let options = dropout_onnx::rewrite::strip::Options::default();
        let stripped = dropout_onnx::rewrite::strip::strip(&made, &options).expect("strip");
        assert_eq!(stripped.outcome.removed, 1, "{draw}");
    }
}

/// A Dropout that tosses the coin of a dropout by hand.
#[test]
fn a_dropout_whose_mask_is_used_by_hand() {
    let by_hand = |text: &str, on: bool| {
        let graph = between(spelt(text, &numbers(0.3)));
        model(
            15,
            graph
                .init("on", flag(on))
                .init("ones", f32s(&[2, 3], &[1.; 6])),
        )
    };
    let mask = "o, b = Dropout(ones, p, on)\nk = Cast(b)\nd = Mul(x, k)\ny = Div(d, keep)";
    let compared = "o = Dropout(ones, p, on)\nb = Greater(o, zero)\nk = Cast(b)\nxs = Mul(x, s)\n\
                    y = Mul(xs, k)";
    let chosen = "o = Dropout(ones, p, on)\nb = Cast:9(o)\nxs = Mul(x, s)\ny = Where(b, xs, zero)";
    let complement = "o, b = Dropout(ones, p, on)\nk = Cast(b)\nn = Sub(one, k)\nd = Mul(x, n)\n\
                      e = Sub(x, d)\ny = Div(e, keep)";
    for coin in [mask, complement, compared, chosen] {
        let stripped = strips(&by_hand(coin, true)).draws_nothing();
        let [site] = &stripped.sites[..] else {
            panic!("{coin}: {:?}", stripped.sites);
        };
        assert_eq!((site.form, site.rate), (Form::RandomMask, Some(0.3)));
        assert_eq!(site.scaling, Scaling::Inverted, "{coin}");
        assert_eq!(stripped.after.dropouts(), 0, "{coin}");
    }
    // a coin whose other side is used as well
    let both = format!("{mask}\nz = Relu(o)");
    let mut both = by_hand(&both, true);
    both.graph = both.graph.map(|graph| graph.output("z"));
    refused(&both, "uses its mask in arithmetic");
    let data = "o, b = Dropout(x, p, on)\nk = Cast(b)\nd = Mul(o, k)\ny = Div(d, keep)";
    refused(&by_hand(data, true), "uses its mask in arithmetic");
    // the twins: one that does not act, and one that scales by itself
    strips(&by_hand(mask, false));
    strips(&by_hand("o = Dropout(ones, p, on)\ny = Mul(x, o)", true));
    // a mask that drops no data
    strips(&by_hand(
        "o, b = Dropout(x, p, on)\nk = Cast(b)\ny = Sub(o, k)",
        true,
    ));
}

/// A constant times a draw is part of a mask, unless it is a weight.
#[test]
fn a_constant_that_is_dropped() {
    let region = |text: &str| {
        let graph = between(spelt(
            &format!("r = RandomUniformLike(area)\n{text}"),
            &numbers(0.3),
        ));
        model(
            15,
            graph.init("area", f32s(&[1, 3], &[1., 0., 1.])).init(
                "sq",
                f32s(&[3, 3], &[0.5, 1., -1., 0.2, 2., 0.1, -0.3, 0.7, 0.4]),
            ),
        )
    };
    let seed = "b = Less(r, p)\nk = Cast(b)\nd = Mul(area, k)\ne = Sub(one, d)\ny = Mul(x, e)";
    assert!(strips(&region(seed)).sites.is_empty());
    let weight = "q = RandomUniformLike(sq)\nb = Less(q, keep)\nk = Cast(b)\nw = Mul(sq, k)\n\
                  v = MatMul(x, w)\ny = Mul(v, s)";
    assert_eq!(strips(&region(weight)).sites.len(), 1);
}
