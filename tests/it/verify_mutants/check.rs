//! A stripped model, changed once more, against the original.

use dropout_onnx::onnx;
use dropout_onnx::rewrite::strip::{self, Options};
use dropout_onnx::verify::{self, Demand, Verdict, run, structure};
use prost::Message;

use crate::common::proto::Model;

/// What a run says of a broken rewrite.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Run {
    /// That it is.
    Different,
    /// Nothing: the outputs are the same all the same.
    Equal,
    /// Nothing: tract does not run it.
    Unrunnable,
    /// One of the first two: whether the last bit of an output changes depends on the processor.
    Either,
}

/// What strip makes of a model.
pub fn stripped(before: &Model) -> Model {
    let stripped = strip::strip(&before.read(), &Options::default()).expect("strip");
    assert!(!stripped.outcome.is_unchanged(), "nothing to strip");
    let mut bytes = Vec::new();
    let rope = &stripped.edited.rope;
    rope.write_to(&mut bytes).expect("writing to memory");
    Model::decode(&bytes[..]).expect("a decodable result")
}

/// Strips the model, breaks the result, and asserts that structure, run and both together see it.
/// Returns what structure says.
#[track_caller]
pub fn broken(before: &Model, run: Run, change: impl FnOnce(&mut Model)) -> String {
    let mut after = stripped(before);
    let whole = after.clone();
    change(&mut after);
    assert_ne!(after, whole, "the change changed nothing");
    differ(&before.read(), &after.read(), run)
}

/// Asserts that two models are seen to differ. Returns what structure says.
#[track_caller]
pub fn differ(before: &onnx::Model, after: &onnx::Model, expected: Run) -> String {
    let verification = verify::verify(before, after, &verify::Options::default()).expect("verify");
    let by_structure = match verification.structure.as_ref().expect("asked for") {
        structure::Verdict::Different(mismatch) => mismatch.to_string(),
        same => panic!("by structure: {same:?}"),
    };
    let outcome = &verification.run.as_ref().expect("asked for").outcome;
    let by_run = match outcome {
        run::Outcome::Equal => Run::Equal,
        run::Outcome::Different(_) => Run::Different,
        _ => Run::Unrunnable,
    };
    let either = expected == Run::Either && by_run != Run::Unrunnable;
    assert!(either || by_run == expected, "by run: {outcome}");
    let verdict = verification.verdict(Demand::Rewrite);
    assert!(matches!(verdict, Verdict::Different { .. }), "{verdict:?}");
    by_structure
}

/// Changes the model, and asserts that structure and run call it the same.
#[track_caller]
pub fn neutral(before: &Model, change: impl FnOnce(&mut Model)) {
    let mut after = before.clone();
    change(&mut after);
    assert_ne!(after, *before, "the change changed nothing");
    same(&before.read(), &after.read());
    same(&after.read(), &before.read());
}

/// Asserts that two models are seen to compute the same, both ways.
#[track_caller]
pub fn same(before: &onnx::Model, after: &onnx::Model) {
    let verification = verify::verify(before, after, &verify::Options::default()).expect("verify");
    let structure = verification.structure.as_ref().expect("asked for");
    assert!(
        matches!(structure, structure::Verdict::Same { .. }),
        "by structure: {structure:?}"
    );
    let outcome = &verification.run.as_ref().expect("asked for").outcome;
    assert_eq!(*outcome, run::Outcome::Equal, "by run: {outcome}");
    assert_eq!(verification.verdict(Demand::Rewrite), Verdict::Equal);
}
