//! Masks that an input of the model switches on, and rates that an input gives.

use dropout_onnx::dropout::{Mode, RateOrigin};
use dropout_onnx::onnx::{DataType, Values};
use dropout_onnx::verify::{self, run};

use crate::check::{Stripped, strips};
use crate::common::build::{flag, model, op, scalar};
use crate::common::masks::{numbers, spelt};
use crate::common::proto::Model;
use crate::spelt::{DRAWN, between};

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
    let stripped = strips(&switched("ks = Mul(k, s)\nm = Where(train, ks, one)\ny = Mul(x, m)"))
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

#[test]
fn a_flag_that_says_inference() {
    let text = "xs = Mul(x, s)\nd = Mul(xs, k)\ny = Where(train, x, d)";
    let stripped = strips(&switched(text)).draws_nothing().leaves(GONE);
    by_train(&stripped, 1.0);
}

#[test]
fn a_flag_behind_other_nodes() {
    for (how, off) in [
        ("f = Not(train)\nm = Where(f, one, ks)", 0.0),
        ("f = Not(train)\nm = Where(f, ks, one)", 1.0),
        ("i = Cast:7(train)\nf = Cast:9(i)\nm = Where(f, ks, one)", 0.0),
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
    let text = "ks = Mul(k, s)\nm = Where(train, ks, one)\nd = Mul(x, m)\ny = Where(train, d, zero)";
    let made = switched(text);
    let options = dropout_onnx::rewrite::strip::Options::default();
    let before = made.read();
    if let Ok(stripped) = dropout_onnx::rewrite::strip::strip(&before, &options) {
        let options = verify::Options::default();
        let shown = verify::verify(&before, &stripped.edited.model, &options).expect("verify");
        let run = shown.run.expect("asked for").outcome;
        assert_eq!(run, run::Outcome::Equal, "{:?}", stripped.outcome);
    }
}

/// Off by default: still an input.
#[test]
fn a_flag_with_a_default() {
    let mut made = switched("ks = Mul(k, s)\nm = Where(train, ks, one)\ny = Mul(x, m)");
    made.graph = made.graph.map(|graph| graph.init("train", flag(false)));
    let stripped = strips(&made).draws_nothing();
    assert_eq!(stripped.sites.len(), 1);
    insta::assert_snapshot!("flag_with_default", stripped.texts());
}

#[test]
fn classic_with_a_flag() {
    let text = "m = Where(train, k, keep)\ny = Mul(x, m)";
    let options = dropout_onnx::rewrite::strip::Options::default();
    let before = switched(text).read();
    if let Ok(stripped) = dropout_onnx::rewrite::strip::strip(&before, &options) {
        let options = verify::Options::default();
        let shown = verify::verify(&before, &stripped.edited.model, &options).expect("verify");
        let run = shown.run.expect("asked for").outcome;
        assert_eq!(run, run::Outcome::Equal, "{:?}", stripped.outcome);
    }
}

/// Where the flag is off the data is not what inference would have: nothing may be taken out as if
/// it were.
#[test]
fn a_flag_that_leaves_another_number() {
    let text = "ks = Mul(k, s)\nm = Where(train, ks, p)\ny = Mul(x, m)";
    let options = dropout_onnx::rewrite::strip::Options::default();
    let before = switched(text).read();
    if let Ok(stripped) = dropout_onnx::rewrite::strip::strip(&before, &options) {
        assert!(stripped.outcome.is_unchanged(), "{:?}", stripped.sites);
    }
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
        let [site] = &stripped.sites[..] else { panic!() };
        assert_eq!((site.rate, site.rate_origin), (Some(0.2), RateOrigin::Input));
        if i == 0 {
            insta::assert_snapshot!("keep_probability_with_default", stripped.texts());
        }
    }
}

#[test]
fn a_keep_probability_that_a_run_gives() {
    for text in FED {
        let stripped = strips(&fed(text, None)).draws_nothing().leaves(GONE);
        let [site] = &stripped.sites[..] else { panic!() };
        assert_eq!((site.rate, site.rate_origin), (None, RateOrigin::Input));
    }
}

/// Classic dropout whose rate only a run tells: no factor can be written down.
#[test]
fn a_classic_keep_probability_stays() {
    let text = "b = Less(r, kp)\nk = Cast(b)\ny = Mul(x, k)";
    let options = dropout_onnx::rewrite::strip::Options::default();
    let before = fed(text, None).read();
    if let Ok(stripped) = dropout_onnx::rewrite::strip::strip(&before, &options) {
        assert!(stripped.outcome.is_unchanged(), "{:?}", stripped.sites);
    }
    let _ = op("y = Relu(x)");
}
