//! Models that draw at random, made by chance: what is stripped computes what it did, by a run.

use dropout_onnx::onnx::Model;
use dropout_onnx::rewrite::strip::{self, Options};
use dropout_onnx::source::Source;
use dropout_onnx::verify::{self, run, structure};
use proptest::prelude::*;

use crate::mask_gen;

/// True if something was stripped and run; an error if that is not the same.
fn shown(bytes: &[u8]) -> Result<bool, TestCaseError> {
    let model = Model::read(Source::from_bytes(bytes.to_vec())).expect("a readable model");
    let Ok(stripped) = strip::strip(&model, &Options::default()) else {
        return Ok(false);
    };
    if stripped.outcome.is_unchanged() {
        return Ok(false);
    }
    let after = &stripped.edited.model;
    let shown = verify::verify(&model, after, &verify::Options::default()).expect("verify");
    let structure = shown.structure.expect("asked for");
    let outcome = shown.run.expect("asked for").outcome;
    let same = matches!(structure, structure::Verdict::Same { .. });
    if same && !matches!(outcome, run::Outcome::Different(_)) {
        return Ok(outcome == run::Outcome::Equal);
    }
    let text = |model| dropout_onnx::show::text(model).expect("text");
    let (before, after) = (text(&model), text(after));
    let why = format!("{structure:?}\n{outcome}\nbefore\n{before}\nafter\n{after}");
    Err(TestCaseError::fail(why))
}

#[test]
fn what_is_stripped_computes_the_same() {
    let count = std::env::var("DROPOUT_ONNX_CASES")
        .ok()
        .and_then(|n| n.parse().ok());
    let config = ProptestConfig {
        failure_persistence: None,
        max_shrink_iters: 5000,
        ..ProptestConfig::with_cases(count.unwrap_or(300))
    };
    let mut runner = proptest::test_runner::TestRunner::new_with_rng(
        config,
        proptest::test_runner::TestRng::deterministic_rng(
            proptest::test_runner::RngAlgorithm::ChaCha,
        ),
    );
    let equal = std::cell::Cell::new(0);
    let tapes = proptest::collection::vec(any::<u8>(), 0..160);
    let result = runner.run(&tapes, |tape| {
        equal.set(equal.get() + usize::from(shown(&mask_gen::model(&tape))?));
        Ok(())
    });
    if let Err(error) = result {
        panic!("{error}");
    }
    assert!(equal.get() > 20, "only {} ran", equal.get());
}
