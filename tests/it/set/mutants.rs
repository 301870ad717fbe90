//! Mutants of what `set` claims: each fact of a claim off by one step is seen.

use dropout_onnx::dropout::Exit;
use dropout_onnx::onnx::{Model, Name, Values};
use dropout_onnx::rewrite::Rate;
use dropout_onnx::rewrite::set::{self, set};
use dropout_onnx::verify::acting::Expected;
use dropout_onnx::verify::{self, Demand, Verdict, verify_change};

use crate::common::masks;

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
    let options = set::Options {
        rate: Some(Rate::new(0.2).unwrap()),
        ..set::Options::default()
    };
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
    let exit = |e: &mut Expected, change: &dyn Fn(&mut Exit)| change(&mut e.masks[0].exits[0]);
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
