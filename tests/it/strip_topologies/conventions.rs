//! Masks that leave what they keep as it is: classic dropout, or the identity at inference.

use dropout_onnx::dropout::Convention;
use dropout_onnx::rewrite::strip::{Options, PlanFile, Stripped, plan_text, strip};
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
    let options = Options::default().convention(convention);
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
    let options = verify::Options::default().convention(convention);
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
        let assumed = &identity.outcome.assumed[0];
        assert_eq!(
            (assumed.value.to_string(), assumed.convention),
            ("d".to_string(), Convention::Identity)
        );
        assert!((assumed.scale - (1.0 - rate)).abs() < 1e-6);
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

const MASKS: &str = "h = Relu(x)
    r = RandomUniformLike(h)
    b = GreaterOrEqual(r, p)
    k = Cast(b)
    token = Mul(h, k)
    g = Tanh(token)
    q = RandomUniformLike(g)
    c = GreaterOrEqual(q, p)
    l = Cast(c)
    classic = Mul(g, l)
    o = Sigmoid(classic)
    y = Dropout(o, p)";

/// Options of a plan file.
fn planned(text: &str) -> Result<Options, String> {
    let mut options = Options::default();
    let plan = PlanFile::parse(text).and_then(|plan| plan.merge(&mut options));
    plan.map_err(|e| e.to_string()).map(|()| options)
}

#[test]
fn a_plan_has_a_convention_for_each_dropout() {
    let table = |keys: &str, convention: &str| {
        format!("[[strip]]\n{keys}\nconvention = \"{convention}\"\n")
    };
    let model = at(13, 0.3, MASKS);
    let rest = "[[strip]]\nid = 1\n[[strip]]\nform = \"operator\"\n";
    for (plan, lines) in [
        (
            table("name = \"token\"", "identity") + rest,
            &[
                "g = Tanh(h)",
                "classic = Mul(g, classic/scale)",
                "y = Sigmoid(classic)",
            ][..],
        ),
        (
            table("name = \"token\"", "identity") + &table("id = 2", "classic"),
            // the mask between them stays
            &["g = Tanh(h)", "classic = Mul(g, l)", "y = Mul(o, y/scale)"],
        ),
        (
            table("name = \"token\"", "identity") + &table("", "classic"),
            &[
                "g = Tanh(h)",
                "classic = Mul(g, classic/scale)",
                "y = Mul(o, y/scale)",
            ],
        ),
        (
            // the first that matches
            table("", "identity") + &table("name = \"token\"", "classic"),
            &["g = Tanh(h)", "y = Sigmoid(g)"],
        ),
    ] {
        let options = planned(&plan).unwrap();
        let stripped = strip(&model.read(), &options).expect("strip");
        let after = stripped.edited.model();
        let mut bytes = Vec::new();
        stripped.edited.rope.write_to(&mut bytes).unwrap();
        let found = Model::decode(&bytes[..]).unwrap().lines();
        for line in lines {
            assert!(found.iter().any(|found| found == line), "{plan}{found:?}");
        }
        let seen = stripped.verify(&model.read(), None, &verify::Options::default());
        let seen = seen.unwrap();
        assert_eq!(
            seen.verdict(Demand::Rewrite),
            Verdict::Equal,
            "{plan}{seen:?}"
        );
        // one convention for all is another model
        let wrong = verify::verify(&model.read(), after, &verify::Options::default()).unwrap();
        assert_ne!(wrong.verdict(Demand::Rewrite), Verdict::Equal, "{plan}");
    }
}

#[test]
fn a_plan_with_a_fault_is_refused() {
    for (plan, why) in [
        ("[[strip]]\nlayr = \"a\"", "strip 1: unknown key `layr`"),
        ("[[strip]]\nmode = \"\"", "mode is empty"),
        ("[[strip]]\nid = \"a\"", "`a` is not an id"),
        ("\n[[strip]]\nconvention = \"modern\"", "line 3"),
        ("[[insert]]\nat = \"x\"", "unknown key `insert`"),
    ] {
        let error = planned(plan).unwrap_err();
        assert!(error.contains(why), "{plan}: {error}");
    }
    let options = planned("[[strip]]\nname = \"nowhere\"").unwrap();
    let error = strip(&at(13, 0.3, MASKS).read(), &options).unwrap_err();
    assert!(
        error
            .to_string()
            .contains("no dropout matches name=nowhere"),
        "{error}"
    );
}

#[test]
fn a_plan_is_written_and_read_again() {
    let model = at(13, 0.3, MASKS);
    let options = Options::default()
        .filters(vec!["name=token".parse().unwrap()])
        .convention(Convention::Identity);
    let stripped = strip(&model.read(), &options).expect("strip");
    let text = plan_text("model.onnx", &stripped);
    assert!(text.contains("# [[strip]]"), "{text}");
    let again = strip(&model.read(), &planned(&text).unwrap()).expect("strip");
    assert!(
        again
            .edited
            .model()
            .is_identical_to(stripped.edited.model())
            .unwrap()
    );
}
