//! What holds for every model that dropout is put into.

use dropout_onnx::onnx;
use dropout_onnx::rewrite::insert::{Choice, Inserted, Options, insert};
use dropout_onnx::rewrite::strip::{self, strip};
use dropout_onnx::rewrite::{Acting, Rate};
use dropout_onnx::verify::verify_change;
use dropout_onnx::verify::{self, Demand, Verdict, Verification};
use prost::Message;

use crate::common::proto::Model;

pub use crate::common::promises::bytes_of;

pub fn rate(rate: f64) -> Option<Rate> {
    Some(Rate::new(rate).unwrap())
}

/// The value of this name.
pub fn at(name: &str) -> Choice {
    Choice::default().at(Some(name.into()))
}

pub fn after(op_type: &str) -> Choice {
    Choice::default().after(Some(op_type.into()))
}

pub fn named(pattern: &str) -> Choice {
    Choice::default().name(Some(pattern.into()))
}

/// These choices at rate 0.3, inert.
pub fn options(choices: impl IntoIterator<Item = Choice>) -> Options {
    Options::default()
        .choices(choices.into_iter().collect())
        .rate(rate(0.3))
}

pub fn acts(acting: &str, options: Options) -> Options {
    options.acting(acting.parse::<Acting>().unwrap())
}

/// With seeds from 7 on.
pub fn seeded(options: Options) -> Options {
    options.seed(Some(7))
}

/// Strips a model of all it may.
pub fn stripped(model: &onnx::Model) -> Vec<u8> {
    let options = strip::Options::default();
    bytes_of(&strip(model, &options).unwrap().edited.rope)
}

/// As [`stripped`], with the inputs that only dropout used.
pub fn pruned(model: &onnx::Model) -> Vec<u8> {
    let options = strip::Options::default().prune_inputs(true);
    bytes_of(&strip(model, &options).unwrap().edited.rope)
}

/// Inserts, and asserts that the result is sound and that strip gives the model back.
pub fn inserts(model: &Model, options: &Options) -> (Inserted, Model) {
    let before = model.read();
    let inserted = insert(&before, options).expect("insert");
    assert!(inserted.outcome.inserted > 0);
    let after = inserted.edited.model();
    after
        .check(&onnx::Values::new(after))
        .expect("a sound result");
    let back = match inserted.outcome.added_input {
        true => pruned(after),
        false => stripped(after),
    };
    assert!(
        back == stripped(&before),
        "strip does not give the model back"
    );
    let bytes = bytes_of(&inserted.edited.rope);
    let decoded = Model::decode(&bytes[..]).expect("a decodable result");
    (inserted, decoded)
}

/// As [`inserts`]; verified by structure and run, and watched where it acts.
pub fn inserts_verified(model: &Model, options: &Options) -> (Verification, Model) {
    let (inserted, decoded) = inserts(model, options);
    let expected = inserted.expected(options);
    let how = verify::Options::default();
    let found = verify_change(&model.read(), inserted.edited.model(), &expected, &how);
    let found = found.expect("verify");
    assert_eq!(found.verdict(Demand::Rewrite), Verdict::Equal, "{found:?}");
    (found, decoded)
}

/// Why nothing is inserted.
pub fn refusal(model: &Model, options: &Options) -> String {
    let error = insert(&model.read(), options);
    error.expect_err("insert should refuse this").to_string()
}
