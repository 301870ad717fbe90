//! Masks that leave what they keep as it is: classic dropout, or the identity at inference.

use dropout_onnx::dropout::Convention;
use dropout_onnx::rewrite::strip::{Options, Stripped, strip};
use dropout_onnx::verify::{self, Demand, Verdict, run, structure};
use prost::Message;

use crate::common::masks::at;
use crate::common::proto::Model;

const UNSCALED: &str = "h = Relu(x)
    r = RandomUniformLike(h)
    b = GreaterOrEqual(r, p)
    k = Cast(b)
    d = Mul(h, k)
    y = Tanh(d)";

const SCALED: &str = "h = Relu(x)
    r = RandomUniformLike(h)
    b = GreaterOrEqual(r, p)
    k = Cast(b)
    m = Mul(h, k)
    d = Mul(m, s)
    y = Tanh(d)";

fn stripped(model: &Model, convention: Convention) -> (Model, Stripped) {
    let options = Options {
        convention,
        ..Options::default()
    };
    let stripped = strip(&model.read(), &options).expect("strip");
    let mut bytes = Vec::new();
    stripped.edited.rope.write_to(&mut bytes).unwrap();
    (Model::decode(&bytes[..]).unwrap(), stripped)
}

#[track_caller]
fn shown(model: &Model, convention: Convention) -> (Model, Stripped) {
    let (after, stripped) = stripped(model, convention);
    let found = stripped
        .verify(&model.read(), None, &verify::Options::default())
        .unwrap();
    assert_eq!(found.verdict(Demand::Rewrite), Verdict::Equal, "{found:?}");
    assert!(
        matches!(found.structure, Some(structure::Verdict::Same { .. })),
        "{found:?}"
    );
    assert_eq!(
        found.run.as_ref().expect("asked for").outcome,
        run::Outcome::Equal
    );
    assert_eq!(found.measured.expect("a mask").count(), 1);
    (after, stripped)
}

/// Whether structure, run and measurement agree under another convention.
fn seen(model: &Model, stripped: &Stripped, convention: Convention) -> [bool; 2] {
    let options = verify::Options {
        convention,
        ..verify::Options::default()
    };
    let found = verify::verify(&model.read(), stripped.edited.model(), &options).unwrap();
    [
        matches!(found.structure, Some(structure::Verdict::Same { .. })),
        found.run.expect("asked for").outcome == run::Outcome::Equal,
    ]
}

#[test]
fn unscaled_masks_follow_the_convention() {
    for (opset, rate) in [(13, 0.3), (15, 0.1), (18, 0.5)] {
        let model = at(opset, rate, UNSCALED);
        for convention in [Convention::Inverted, Convention::Classic] {
            let (after, classic) = shown(&model, convention);
            assert_eq!(
                after.lines(),
                ["h = Relu(x)", "d = Mul(h, d/scale)", "y = Tanh(d)"]
            );
            assert_eq!(classic.outcome.assumed.len(), 1);
            assert_eq!(seen(&model, &classic, convention), [true, true]);
            assert_eq!(seen(&model, &classic, Convention::Identity), [false, false]);
        }
        let (after, identity) = shown(&model, Convention::Identity);
        assert_eq!(after.lines(), ["h = Relu(x)", "y = Tanh(h)"]);
        assert!(identity.outcome.scales.is_empty());
        let (value, scale) = &identity.outcome.assumed[0];
        assert_eq!(value, "d");
        assert!((scale - (1.0 - rate)).abs() < 1e-6);
        assert_eq!(seen(&model, &identity, Convention::Identity), [true, true]);
        assert_eq!(
            seen(&model, &identity, Convention::Inverted),
            [false, false]
        );
    }
}

#[test]
fn scaled_masks_are_the_same_under_all() {
    let model = at(13, 0.3, SCALED);
    for convention in Convention::ALL {
        let (after, stripped) = shown(&model, *convention);
        assert_eq!(after.lines(), ["h = Relu(x)", "y = Tanh(h)"]);
        assert!(stripped.outcome.assumed.is_empty());
        for other in Convention::ALL {
            assert_eq!(seen(&model, &stripped, *other), [true, true]);
        }
    }
}
