//! The scorer fails what is wrong: audits that are right, doctored.

use dropout_onnx::audit::{ModelAudit, SiteRecord};
use dropout_onnx::dropout::{Form, Kind, Mode};

use super::scorer::{Scored, agrees, score};
use super::truth::{Row, Truth};

fn fixture(name: &str) -> (Row, ModelAudit) {
    let all = super::models();
    let (_, path, row) = all.into_iter().find(|m| m.0 == name).expect("a fixture");
    (row, ModelAudit::open(&path))
}

/// The score of a fixture whose audit was changed.
fn doctored(name: &str, change: impl FnOnce(&mut ModelAudit)) -> Scored {
    let (row, mut audit) = fixture(name);
    let right = score(name, &row, &audit);
    assert!(right.wrong.is_empty(), "{:?}", right.wrong);
    change(&mut audit);
    score(name, &row, &audit)
}

fn fails(name: &str, what: &str, change: impl FnOnce(&mut SiteRecord)) {
    let scored = doctored(name, |audit| change(&mut audit.sites[0]));
    assert!(!scored.wrong.is_empty(), "{name}: {what}");
}

const MASKS: &str = "keras_course_random_mask_op13.onnx";
const OPERATORS: &str = "torch_course_dynamo_train_op18.onnx";
const INFERENCE: &str = "keras_course_infer_op15.onnx";

#[test]
fn a_site_that_is_missed_or_invented() {
    for name in [MASKS, OPERATORS] {
        let scored = doctored(name, |audit| {
            audit.sites.pop();
        });
        assert!(!scored.wrong.is_empty(), "{name}");
        assert!(scored.sites.right < scored.sites.of, "{name}");
        let (_, other) = fixture(name);
        let scored = doctored(name, |audit| audit.sites.push(other.sites[0].clone()));
        assert!(!scored.wrong.is_empty(), "{name}");
        let scored = doctored(INFERENCE, |audit| audit.sites.push(other.sites[0].clone()));
        assert_eq!(scored.acts, (false, true), "{name}");
        assert!(!scored.wrong.is_empty(), "{name}");
    }
}

#[test]
fn an_audit_that_finds_nothing_or_fails() {
    let scored = doctored(MASKS, |audit| audit.sites.clear());
    assert_eq!(scored.acts, (true, false));
    assert!(!scored.wrong.is_empty());
    let scored = doctored(INFERENCE, |audit| audit.error = Some("broken".into()));
    assert!(!scored.wrong.is_empty());
}

#[test]
fn a_site_with_wrong_facts() {
    for name in [MASKS, OPERATORS] {
        fails(name, "rate", |site| site.rate = Some(0.500_002));
        fails(name, "no rate", |site| site.rate = None);
        fails(name, "kind", |site| site.kind = Kind::AlphaDropout);
        fails(name, "mode", |site| site.mode = Mode::Inert);
        fails(name, "layer", |site| {
            site.layer = Some("course/dense".into())
        });
    }
    fails(MASKS, "form", |site| site.form = Form::FrozenMask);
    fails(MASKS, "layer of another", |site| {
        site.layer = Some("course/dropout_1".into());
    });
    fails(MASKS, "a layer that is told", |site| site.layer = None);
}

#[test]
fn an_exception_that_does_not_occur() {
    let (mut row, audit) = fixture("keras3_augment_op13.onnx");
    row.insert(
        "random_forms".into(),
        r#"{"StatelessRandomUniformV2": 1}"#.into(),
    );
    let scored = score("keras3_augment_op13.onnx", &row, &audit);
    assert!(!scored.wrong.is_empty());
}

#[test]
fn layers_agree_from_their_ends() {
    for (layer, wanted) in [
        ("sequential/dropout_1", "dropout_1"),
        ("outer/inner/drop", "inner/drop"),
        (
            "encoder.layers.encoder_layer_0.mlp.2",
            "encoder.layers.0.mlp.2",
        ),
        ("layers.m1", "1"),
    ] {
        assert!(agrees(layer, wanted), "{layer} {wanted}");
    }
    for (layer, wanted) in [
        ("sequential/dropout_1", "dropout"),
        ("sequential/dropout", "dropout_1"),
        ("drop", "inner/drop"),
        ("layers.m11", "1"),
        (
            "encoder.layers.encoder_layer_1.mlp.2",
            "encoder.layers.0.mlp.2",
        ),
    ] {
        assert!(!agrees(layer, wanted), "{layer} {wanted}");
    }
}

#[test]
fn operators_in_the_truth() {
    let (mut row, _) = fixture(OPERATORS);
    let forms = r#"{"attr ratio=0.2 inert(opset<12) in Loop.body": 2,
        "ratio input=0.1 training_mode=True in If.then_branch": 1,
        "ratio input=0 training_mode=True": 1,
        "ratio input=0.3 training_mode=dynamic:not_det_0": 1,
        "NO ratio (spec default 0.5) training_mode=None": 1}"#;
    row.insert("Dropout_forms".into(), forms.into());
    let operators = Truth::new(&row).operators;
    let wanted = [
        (0, false),
        (100_000, true),
        (200_000, false),
        (200_000, false),
        (300_000, true),
        (500_000, false),
    ];
    assert_eq!(operators, wanted);
}
