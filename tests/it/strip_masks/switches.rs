//! Masks that an input of the model switches on, and rates that an input gives.

use dropout_onnx::dropout::{Mode, RateOrigin};
use dropout_onnx::onnx::{DataType, Values};
use dropout_onnx::verify::{self, run};

use super::spelt::{DRAWN, between};
use crate::common::build::{flag, float, function, model, op, scalar};
use crate::common::masks::{nodes, numbers, spelt};
use crate::common::proto::Model;
use crate::common::stripped::{Stripped, refusal, strips};

/// Between a Relu and a Tanh, with a boolean scalar `train` as input.
fn switched(text: &str) -> Model {
    let graph = between(spelt(&format!("{DRAWN}{text}"), &numbers(0.3)));
    model(15, graph.input_of("train", DataType::BOOL, &[]))
}

#[track_caller]
fn by_train(stripped: &Stripped, off: f64) {
    let [site] = &stripped.sites[..] else {
        panic!("{} sites", stripped.sites.len());
    };
    assert_eq!(site.mode, Mode::Runtime);
    assert_eq!(site.rate, Some(0.3));
    let values = Values::new(&stripped.before);
    let switch = site.switch.map(|switch| values[switch].name.to_string());
    assert_eq!(switch.as_deref(), Some("train"));
    assert_eq!(site.off, Some(off));
}

const GONE: &[&str] = &["hidden = Relu(x)", "y = Tanh(hidden)"];

#[test]
fn a_flag_that_chooses_between_mask_and_one() {
    let stripped = strips(&switched(
        "ks = Mul(k, s)\nm = Where(train, ks, one)\ny = Mul(x, m)",
    ))
    .draws_nothing()
    .leaves(GONE)
    .reports_idle(&["train"]);
    by_train(&stripped, 0.0);
    insta::assert_snapshot!("flag_of_the_mask", stripped.texts());
}

#[test]
fn a_flag_that_chooses_between_dropped_and_data() {
    let text = "xs = Mul(x, s)\nd = Mul(xs, k)\ny = Where(train, d, x)";
    let stripped = strips(&switched(text)).draws_nothing().leaves(GONE);
    by_train(&stripped, 0.0);
    insta::assert_snapshot!("flag_of_the_data", stripped.texts());
}

/// Keras' learning phase as a number: `phase · dropped + (1 - phase) · x`.
#[test]
fn a_flag_that_mixes_dropped_and_data() {
    let mix = "l = Cast(train)\nn = Sub(one, l)\nta = Mul(l, d)\ntb = Mul(n, x)\ny = Add(ta, tb)";
    for dropped in [
        "xs = Mul(x, s)\nd = Mul(xs, k)",
        "ks = Mul(k, s)\nd = Mul(x, ks)",
    ] {
        let stripped = strips(&switched(&format!("{dropped}\n{mix}"))).draws_nothing();
        by_train(&stripped.leaves(GONE), 0.0);
    }
    let turned = mix
        .replace("Mul(l, d)", "Mul(d, n)")
        .replace("Mul(n, x)", "Mul(x, l)");
    let text = format!("xs = Mul(x, s)\nd = Mul(xs, k)\n{turned}");
    by_train(&strips(&switched(&text)).draws_nothing().leaves(GONE), 1.0);
    // twice the data where the flag is off
    let twice = mix.replace("n = Sub(one, l)", "t = Add(one, one)\nn = Sub(t, l)");
    let text = format!("xs = Mul(x, s)\nd = Mul(xs, k)\n{twice}");
    let found = crate::common::sites(&switched(&text));
    assert_eq!(found[0].mode, Mode::Active);
}

#[test]
fn a_flag_for_inference() {
    let text = "xs = Mul(x, s)\nd = Mul(xs, k)\ny = Where(train, x, d)";
    let stripped = strips(&switched(text)).draws_nothing().leaves(GONE);
    by_train(&stripped, 1.0);
}

#[test]
fn a_flag_through_other_nodes() {
    for (how, off) in [
        ("f = Not(train)\nm = Where(f, one, ks)", 0.0),
        ("f = Not(train)\nm = Where(f, ks, one)", 1.0),
        (
            "i = Cast:7(train)\nf = Cast:9(i)\nm = Where(f, ks, one)",
            0.0,
        ),
        ("f = Identity(train)\nm = Where(f, ks, one)", 0.0),
        ("f = Unsqueeze(train, zeroth)\nm = Where(f, ks, one)", 0.0),
    ] {
        let text = format!("ks = Mul(k, s)\n{how}\ny = Mul(x, m)");
        let mut made = switched(&text);
        let graph = made.graph.take().expect("a graph");
        let zeroth = crate::common::build::i64s(&[0]);
        made.graph = Some(match how.contains("zeroth") {
            true => graph.init("zeroth", zeroth),
            false => graph,
        });
        let stripped = strips(&made).draws_nothing().leaves(GONE);
        by_train(&stripped, off);
    }
}

/// What comes of it by a run, if it is stripped at all; `None` if nothing is.
fn run_of(made: &Model) -> Option<run::Outcome> {
    let options = dropout_onnx::rewrite::strip::Options::default();
    let before = made.read();
    let stripped = dropout_onnx::rewrite::strip::strip(&before, &options).ok()?;
    if stripped.outcome.is_unchanged() {
        return None;
    }
    let options = verify::Options::default();
    let shown = verify::verify(&before, stripped.edited.model(), &options).expect("verify");
    Some(shown.run.expect("asked for").outcome)
}

/// Arithmetic in place of a choice: `t·mask + (1 − t)`.
#[test]
fn a_flag_that_is_calculated_with() {
    let text = "ks = Mul(k, s)\nt = Cast(train)\nn = Sub(one, t)\ntk = Mul(t, ks)\n\
                m = Add(tk, n)\ny = Mul(x, m)";
    let stripped = strips(&switched(text)).draws_nothing().leaves(GONE);
    by_train(&stripped, 0.0);
}

/// The flag is used for something else as well: that stays.
#[test]
fn a_flag_with_another_use() {
    let text =
        "ks = Mul(k, s)\nm = Where(train, ks, one)\nd = Mul(x, m)\ny = Where(train, d, zero)";
    let stripped = strips(&switched(text)).draws_nothing().leaves(&[
        "hidden = Relu(x)",
        "out = Where(train, hidden, zero)",
        "y = Tanh(out)",
    ]);
    by_train(&stripped, 0.0);
}

/// On or off by default: still an input.
#[test]
fn a_flag_with_a_default() {
    for default in [false, true] {
        let mut made = switched("ks = Mul(k, s)\nm = Where(train, ks, one)\ny = Mul(x, m)");
        made.graph = made.graph.map(|graph| graph.init("train", flag(default)));
        let stripped = strips(&made).draws_nothing().leaves(GONE);
        by_train(&stripped, 0.0);
        insta::assert_snapshot!(format!("flag_with_default_{default}"), stripped.texts());
    }
}

#[test]
fn classic_with_a_flag() {
    let text = "m = Where(train, k, keep)\ny = Mul(x, m)";
    let stripped = strips(&switched(text))
        .draws_nothing()
        .scales(&[("out", 0.7)]);
    by_train(&stripped, 0.0);
}

/// Where the flag is off the data is not what inference would have: nothing may be taken out as if
/// it were.
#[test]
fn a_flag_that_leaves_another_number_is_refused() {
    for text in [
        "ks = Mul(k, s)\nm = Where(train, ks, p)\ny = Mul(x, m)",
        "m = Where(train, k, one)\ny = Mul(x, m)",
    ] {
        let why = refusal(&switched(text));
        assert!(
            why.contains("it scales the data if its switch is off"),
            "{why}"
        );
    }
}

/// The dropout goes, the choice between it and other data stays.
#[test]
fn a_flag_that_chooses_other_data() {
    let text = "xs = Mul(x, s)\nd = Mul(xs, k)\ne = Sigmoid(x)\ny = Where(train, d, e)";
    let stripped = strips(&switched(text)).draws_nothing().leaves(&[
        "hidden = Relu(x)",
        "e = Sigmoid(hidden)",
        "out = Where(train, hidden, e)",
        "y = Tanh(out)",
    ]);
    assert!(stripped.sites[0].switch.is_none());
}

/// Of TensorFlow 1: keep probability `kp`.
fn fed(text: &str, default: Option<f64>) -> Model {
    let mut graph = between(spelt(
        &format!("r = RandomUniformLike(x)\n{text}"),
        &[("one", 1.0)],
    ));
    graph = graph.input_of("kp", DataType::FLOAT, &[]);
    if let Some(default) = default {
        graph = graph.init("kp", scalar(DataType::FLOAT, default));
    }
    model(15, graph)
}

const FED: &[&str] = &[
    "a = Add(kp, r)\nk = Floor(a)\nxs = Div(x, kp)\ny = Mul(xs, k)",
    "p = Sub(one, kp)\nb = GreaterOrEqual(r, p)\nk = Cast(b)\nq = Sub(one, p)\ni = Reciprocal(q)\n\
     xs = Mul(x, i)\ny = Mul(xs, k)",
    "b = Less(r, kp)\nk = Cast(b)\nd = Mul(x, k)\ny = Div(d, kp)",
];

#[test]
fn a_keep_probability_with_a_default() {
    for (i, text) in FED.iter().enumerate() {
        let stripped = strips(&fed(text, Some(0.8))).draws_nothing().leaves(GONE);
        let [site] = &stripped.sites[..] else {
            panic!()
        };
        assert_eq!(
            (site.rate, site.rate_origin),
            (Some(0.2), RateOrigin::Input)
        );
        if i == 0 {
            insta::assert_snapshot!("keep_probability_with_default", stripped.texts());
        }
    }
}

#[test]
fn a_keep_probability_that_a_run_gives() {
    for text in FED {
        let stripped = strips(&fed(text, None)).draws_nothing().leaves(GONE);
        let [site] = &stripped.sites[..] else {
            panic!()
        };
        assert_eq!((site.rate, site.rate_origin), (None, RateOrigin::Input));
    }
}

/// Classic dropout whose rate only a run tells: no factor can be written down.
#[test]
fn a_classic_keep_probability_stays() {
    let text = "b = Less(r, kp)\nk = Cast(b)\ny = Mul(x, k)";
    assert_eq!(run_of(&fed(text, None)), None);
}

/// A rate that is 0 where the flag is off, and a scale that follows from it.
#[test]
fn a_flag_that_the_rate_and_the_scale_depend_on() {
    for text in [
        // rate · flag
        "f = Cast(train)\nq = Mul(f, p)\nu = Sub(one, q)\nc = GreaterOrEqual(r, q)\nm = Cast(c)
         xm = Mul(x, m)\ny = Div(xm, u)",
        // all are kept, at the scale 1
        "n = Not(train)\nc = Or(b, n)\nm = Cast(c)\nu = Where(train, s, one)\nxm = Mul(x, m)
         y = Mul(u, xm)",
    ] {
        let stripped = strips(&switched(text)).draws_nothing().leaves(GONE);
        by_train(&stripped, 0.0);
    }
    // the twin: the scale stays where nothing is dropped
    let text = "n = Not(train)\nc = Or(b, n)\nm = Cast(c)\nxm = Mul(x, m)\ny = Mul(s, xm)";
    assert!(refusal(&switched(text)).contains("scales the data if its switch is off"));
}

/// The same where a function is passed the flag; several calls may pass the same one.
#[test]
fn a_flag_that_a_function_is_passed() {
    let dropped = || {
        let body = format!("{DRAWN}xs = Mul(x, s)\nd = Mul(xs, k)\ny = Where(on, d, x)");
        let constants = numbers(0.3).into_iter();
        let constants = constants.map(|(name, number)| {
            op(&format!("{name} = Constant()")).with(float("value_float", number as f32))
        });
        function("Drop", "x, on", "y", 15, constants.chain(nodes(&body)))
    };
    let called = |calls: &str| {
        let graph = between(spelt(calls, &[]));
        let graph = graph.input_of("train", DataType::BOOL, &[]);
        let graph = graph.input_of("other", DataType::BOOL, &[]);
        model(15, graph).imports("local", 1).function(dropped())
    };
    for calls in [
        "y = local::Drop(x, train)",
        "h = local::Drop(x, train)\ny = local::Drop(h, train)",
    ] {
        let stripped = strips(&called(calls)).draws_nothing();
        by_train(&stripped, 0.0);
    }
    // the twin: two flags
    let two = "h = local::Drop(x, train)\ny = local::Drop(h, other)";
    let found = crate::common::sites(&called(two));
    assert!(found.iter().all(|site| site.switch.is_none()), "{found:#?}");
}
