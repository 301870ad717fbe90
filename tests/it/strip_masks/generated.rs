//! Models that draw at random, made by chance: what is stripped computes what it did, by a run.

use dropout_onnx::onnx::Model;
use dropout_onnx::rewrite::strip::{self, Options};
use dropout_onnx::source::Source;
use dropout_onnx::verify::{self, run, structure};
use proptest::prelude::*;

use crate::common::{mask_gen, promises};

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

/// Holds for tapes of the generator, as many as DROPOUT_ONNX_CASES says; the same ones each time.
fn for_tapes(cases: u32, longest: usize, holds: impl Fn(Vec<u8>) -> Result<(), TestCaseError>) {
    let count = std::env::var("DROPOUT_ONNX_CASES")
        .ok()
        .and_then(|n| n.parse().ok());
    let config = ProptestConfig {
        failure_persistence: None,
        max_shrink_iters: 5000,
        ..ProptestConfig::with_cases(count.unwrap_or(cases))
    };
    let mut runner = proptest::test_runner::TestRunner::new_with_rng(
        config,
        proptest::test_runner::TestRng::deterministic_rng(
            proptest::test_runner::RngAlgorithm::ChaCha,
        ),
    );
    let tapes = proptest::collection::vec(any::<u8>(), 0..longest);
    if let Err(error) = runner.run(&tapes, holds) {
        panic!("{error}");
    }
}

#[test]
fn what_is_stripped_computes_the_same() {
    let equal = std::cell::Cell::new(0);
    for_tapes(300, 160, |tape| {
        equal.set(equal.get() + usize::from(shown(&mask_gen::model(&tape))?));
        Ok(())
    });
    assert!(equal.get() > 20, "only {} ran", equal.get());
}

/// What the fuzz target `masks` asks.
#[test]
fn what_is_stripped_keeps_every_promise() {
    let stripped = std::cell::Cell::new(0);
    for_tapes(300, 400, |tape| {
        let bytes = mask_gen::model(&tape);
        let promised = || {
            promises::parse(&bytes);
            promises::stripping(&bytes)
        };
        let reached = std::panic::catch_unwind(promised).map_err(|why| {
            let why = (why.downcast_ref::<String>().map(String::as_str))
                .or(why.downcast_ref::<&str>().copied());
            let model = Model::read(Source::from_bytes(bytes.clone())).expect("a readable model");
            let text = dropout_onnx::show::text(&model).expect("text");
            TestCaseError::fail(format!("{}\n{text}", why.unwrap_or("a panic")))
        })?;
        stripped.set(stripped.get() + u32::from(reached == promises::Reached::Stripped));
        Ok(())
    });
    assert!(
        stripped.get() > 100,
        "only {} were stripped",
        stripped.get()
    );
}
