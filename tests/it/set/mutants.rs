//! Mutants of what `set` claims: each fact of a claim off by one step is seen.

use dropout_onnx::dropout::Junction;
use dropout_onnx::onnx::{Model, Name, Values};
use dropout_onnx::rewrite::Rate;
use dropout_onnx::rewrite::set::{self, set};
use dropout_onnx::verify::acting::Expected;
use dropout_onnx::verify::{self, Demand, Verdict, verify_change};

use super::check::{to_mode, to_rate};
use crate::common::build::{f32_scalar, flag, float, int, model, op, x_to_y};
use crate::common::masks;
use crate::common::proto;

type Mutation<'a> = (&'a str, &'a dyn Fn(&mut Expected));

/// That the claim is shown to be right; the mutants of it that are, too.
fn survivors<'n>(
    before: &Model,
    after: &Model,
    expected: &Expected,
    mutations: &[Mutation<'n>],
) -> Vec<&'n str> {
    let verdict = |expected: &Expected| {
        let how = verify::Options::default();
        let found = verify_change(before, after, expected, &how).expect("verify");
        found.verdict(Demand::Rewrite)
    };
    assert_eq!(verdict(expected), Verdict::Equal);
    let survives = |(name, mutate): &Mutation<'n>| {
        let mut mutant = expected.clone();
        mutate(&mut mutant);
        (verdict(&mutant) == Verdict::Equal).then_some(*name)
    };
    mutations.iter().filter_map(survives).collect()
}

fn name(text: &str) -> Name {
    Name::from(text)
}

#[test]
fn masks_that_were_set() {
    let text = "r = RandomUniformLike(x)\nb = GreaterOrEqual(r, p)\nk = Cast(b)
        h = Relu(x)\nd = Mul(h, k)\ny = Mul(d, s)";
    let model = masks::at(15, 0.3, text).read();
    let options = set::Options::default().rate(Some(Rate::new(0.2).unwrap()));
    let changed = set(&model, &options).unwrap();
    let after = changed.edited.model();
    let values = Values::new(after);
    let value = |name: &str| {
        values
            .lookup(after, after.main(), &self::name(name))
            .unwrap()
    };
    let expected = changed.expected(&options).unwrap();
    let (x, d) = (value("x"), value("d"));
    let exit =
        |e: &mut Expected, change: &dyn Fn(&mut Junction)| change(&mut e.masks[0].junctions[0]);
    let mutations: &[Mutation<'_>] = &[
        ("a lower rate", &|e| e.masks[0].rate = Some(0.19)),
        ("a higher rate", &|e| e.masks[0].rate = Some(0.21)),
        ("another scale", &|e| exit(e, &|exit| exit.scale *= 1.01)),
        ("another kept value", &|e| {
            exit(e, &|exit| exit.kept.0 *= 1.01)
        }),
        ("another dropped value", &|e| {
            exit(e, &|exit| exit.kept.1 = 0.01)
        }),
        ("other data", &|e| exit(e, &|exit| exit.data = x)),
        ("another output", &|e| exit(e, &|exit| exit.output = d)),
        ("a shared draw", &|e| {
            e.masks[0].noise_shape = Some(vec!["1".into()])
        }),
    ];
    assert_eq!(survivors(&model, after, &expected, mutations), [""; 0]);
}

/// A `Dropout` of a version that says whether it acts, or never does.
fn operator(opset: i64, active: bool) -> proto::Model {
    let around = |dropout| x_to_y([op("h = Abs(x)"), dropout, op("y = Neg(d)")]);
    let graph = match opset {
        1 | 6 => around(
            op("d = Dropout(h)")
                .with(float("ratio", 0.3))
                .with(int("is_test", i64::from(!active))),
        ),
        7 | 10 => around(op("d = Dropout(h)").with(float("ratio", 0.3))),
        _ => around(op("d = Dropout(h, p, on)"))
            .init("p", f32_scalar(0.3))
            .init("on", flag(active)),
    };
    model(opset, graph)
}

const WATCH: &[Mutation<'_>] = &[
    ("a lower rate", &|e| e.watches[0].rate -= 0.01),
    ("a higher rate", &|e| e.watches[0].rate += 0.01),
    ("the mode", &|e| {
        let rate = &mut e.watches[0].rate;
        *rate = if *rate > 0.0 { 0.0 } else { 0.3 };
    }),
    ("other data", &|e| e.watches[0].data = name("x")),
    ("another output", &|e| e.watches[0].output = name("y")),
    ("a shared draw", &|e| e.watches[0].shared = Some(vec![1])),
    ("the switch", &|e| {
        let watch = &mut e.watches[0];
        watch.switched = !watch.switched;
    }),
    ("switches the wrong way round", &|e| {
        e.switches.values_mut().for_each(|on| *on = !*on);
    }),
    ("no switches", &|e| e.switches.clear()),
    ("no added input", &|e| e.added_input = None),
    ("none", &|e| e.watches.clear()),
];

/// The mutants of a claim about an operator that are shown to be right, as they do not matter.
fn survivors_of(opset: i64, active: bool, options: &set::Options) -> Vec<&'static str> {
    let before = operator(opset, active).read();
    let changed = set(&before, options).unwrap();
    let expected = changed.expected(options).unwrap();
    assert_eq!(expected.watches.len(), 1, "opset {opset}");
    survivors(&before, changed.edited.model(), &expected, WATCH)
}

#[test]
fn operators_that_were_set() {
    // nothing is claimed of a dropout that is not watched, and elements that all pass share every draw
    let active = [
        "switches the wrong way round",
        "no switches",
        "no added input",
        "none",
    ];
    let inert = [&["a shared draw", "the switch"], &active[..]].concat();
    for opset in [1, 6, 12, 13, 22] {
        assert_eq!(
            survivors_of(opset, true, &to_rate(0.2)),
            active,
            "opset {opset}"
        );
        assert_eq!(
            survivors_of(opset, false, &to_mode("active")),
            active,
            "opset {opset}"
        );
        assert_eq!(
            survivors_of(opset, true, &to_mode("inert")),
            inert,
            "opset {opset}"
        );
    }
    for opset in [7, 10] {
        assert_eq!(
            survivors_of(opset, false, &to_rate(0.2)),
            inert,
            "opset {opset}"
        );
    }
    for opset in [12, 13, 22] {
        let survivors = survivors_of(opset, true, &to_mode("runtime"));
        assert_eq!(survivors, ["none"], "opset {opset}");
    }
}
