//! What holds for every model whose dropout is changed.

use dropout_onnx::dropout::Site;
use dropout_onnx::onnx::{Model, Values};
use dropout_onnx::rewrite::Rate;
use dropout_onnx::rewrite::set::{Changed, Options, Seed, set};
use dropout_onnx::verify::acting::Report;
use dropout_onnx::verify::measure::Outcome;
use dropout_onnx::verify::{self, Demand, Verdict, Verification, verify_change};

pub fn to_rate(rate: f64) -> Options {
    Options::default().rate(Some(Rate::new(rate).unwrap()))
}

pub fn to_mode(acting: &str) -> Options {
    Options::default().acting(Some(acting.parse().unwrap()))
}

pub fn to_seed(seed: Seed) -> Options {
    Options::default().seed(Some(seed))
}

pub fn only(filter: &str, options: Options) -> Options {
    options.filters(vec![filter.parse().unwrap()])
}

pub fn fixture(stem: &str) -> Model {
    let fixtures = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures");
    Model::open(fixtures.join(format!("{stem}.onnx"))).unwrap()
}

/// Sets, and verifies the result.
pub fn sets(model: &Model, options: &Options) -> (Changed, Option<Report>) {
    let (changed, found) = verified(model, options);
    (changed, found.acting)
}

/// Sets a model with one mask, and checks that it is measured as asked for.
#[track_caller]
pub fn sets_mask(model: &Model, options: &Options) -> Changed {
    let (changed, found) = verified(model, options);
    let measured = found.measured.expect("a mask");
    let outcome = &measured.sites[0].outcome;
    assert!(matches!(outcome, Outcome::AsAssumed { .. }), "{outcome}");
    changed
}

#[track_caller]
fn verified(model: &Model, options: &Options) -> (Changed, Verification) {
    let changed = set(model, options).expect("set");
    let after = changed.edited.model();
    after.check(&Values::new(after)).expect("a sound result");
    let expected = changed.expected(options).unwrap();
    let how = verify::Options::default();
    let found = verify_change(model, after, &expected, &how).expect("verify");
    assert_eq!(found.verdict(Demand::Rewrite), Verdict::Equal, "{found:?}");
    (changed, found)
}

pub fn sites(changed: &Changed) -> Vec<Site> {
    changed.edited.examined().sites().unwrap().to_vec()
}

pub fn text(changed: &Changed) -> String {
    dropout_onnx::show::text(changed.edited.model()).unwrap()
}

pub fn refusal(model: &Model, options: &Options) -> String {
    let error = set(model, options);
    error.expect_err("set should refuse this").to_string()
}
