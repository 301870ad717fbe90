//! What holds for any bytes whatever. Tests and fuzz targets ask the same.

use dropout_onnx::Result;
use dropout_onnx::audit::ModelAudit;
use dropout_onnx::diff;
use dropout_onnx::dropout::Kind;
use dropout_onnx::onnx::{Model, Values};
use dropout_onnx::rewrite::Rate;
use dropout_onnx::rewrite::fold::{self, fold};
use dropout_onnx::rewrite::insert::{self, Choice, candidates, insert};
use dropout_onnx::rewrite::set::{self, set};
use dropout_onnx::rewrite::strip::{Options, strip};
use dropout_onnx::show;
use dropout_onnx::source::{Rope, Source};
use dropout_onnx::verify::structure::{Verdict, compare, compare_but};

/// How far bytes were a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reached {
    /// They are none.
    Nothing,
    /// They can be read.
    Read,
    /// What they are can be stripped.
    Stripped,
}

pub fn bytes_of(rope: &Rope) -> Vec<u8> {
    let mut bytes = Vec::new();
    rope.write_to(&mut bytes).expect("memory can be read");
    bytes
}

fn read(bytes: &[u8]) -> Result<Model> {
    // relative to a folder that is not there: a model must not read files of the machine
    let folder = Some("/nowhere".into());
    Model::read_in(Source::from_bytes(bytes.to_vec()), folder)
}

/// A model that can be read is written back as it was; looking at it in any way does not panic.
pub fn parse(bytes: &[u8]) -> Reached {
    let Ok(model) = read(bytes) else {
        return Reached::Nothing;
    };
    let rope = model.to_rope().expect("what was read can be written");
    assert!(bytes_of(&rope) == bytes, "written otherwise than read");
    let values = Values::new(&model);
    let _ = model.check(&values);
    shown(&model);
    let _ = ModelAudit::new("model.onnx", &model);
    let _ = model.external_files();
    let _ = model.check_external();
    Reached::Read
}

/// Every format; a model is no other than itself.
fn shown(model: &Model) {
    let _ = show::text(model);
    for anonymous in [false, true] {
        for no_hash in [false, true] {
            let options = show::Options::default()
                .anonymous(anonymous)
                .no_hash(no_hash)
                .strict(false);
            if let Ok(document) = show::document(model, &options) {
                let _ = show::text::text(&document);
                let _ = show::json::text(&document);
            }
        }
        let options = show::Options::default()
            .anonymous(anonymous)
            .no_hash(true)
            .strict(false);
        let _ = show::dot::text(model, &options);
        let _ = show::svg::text(model, &options);
    }
    let options = diff::Options::default().values(true).structure(true);
    let found = diff::diff(model, model, &options);
    assert!(found.is_ok_and(|found| found.is_empty()), "unlike itself");
}

/// A model that can be stripped computes the same, has no `Dropout` but refused ones, and cannot be stripped again;
/// so too if noise and frozen masks go as well.
pub fn stripping(bytes: &[u8]) -> Reached {
    let everything = Options::default()
        .kinds(Kind::ALL.to_vec())
        .frozen_masks(true);
    stripping_as(bytes, &everything);
    stripping_as(bytes, &Options::default())
}

fn stripping_as(bytes: &[u8], options: &Options) -> Reached {
    let Ok(model) = read(bytes) else {
        return Reached::Nothing;
    };
    let Ok(stripped) = strip(&model, options) else {
        return Reached::Read;
    };
    let after = stripped.edited.model();
    let left = after.nodes().filter(|(_, node)| node.is("Dropout")).count();
    let refused = stripped.plan.refusals().count();
    assert!(left <= refused, "a Dropout is left");
    match compare(&model, after) {
        Ok(Verdict::Same { .. }) => {}
        Ok(different) => panic!("{different:?}"),
        // a model that cannot be compared with itself
        Err(e) if compare(&model, &model).is_err() => drop(e),
        Err(e) => panic!("the stripped model only: {e}"),
    }
    if let Ok(found) = diff::diff(&model, after, &diff::Options::default()) {
        assert_eq!(
            found.is_empty(),
            stripped.outcome.is_unchanged(),
            "{found:?}"
        );
        let _ = diff::markdown::text(&found, "a", "b");
        let _ = diff::text::lines(&found);
    }
    let once = bytes_of(&stripped.edited.rope);
    if stripped.outcome.is_unchanged() {
        assert!(once == bytes, "nothing was removed, but something changed");
    }
    let again = read(&once).expect("a stripped model can be read");
    if refused > 0 {
        return Reached::Stripped; // what is left may be removable now, or all there is
    }
    let twice = strip(&again, options).expect("a stripped model can be stripped");
    assert!(twice.outcome.is_unchanged(), "a second strip removes more");
    assert!(bytes_of(&twice.edited.rope) == once, "written otherwise");
    let _ = show::text(&again);
    Reached::Stripped
}

/// A model that can be folded computes the same but for what changed, and can be read again.
pub fn folding(bytes: &[u8]) {
    let Ok(model) = read(bytes) else { return };
    let Ok(folded) = fold(&model, &fold::Options::default()) else {
        return;
    };
    let once = bytes_of(&folded.edited.rope);
    if folded.outcome.is_unchanged() {
        assert!(once == bytes, "nothing was folded, but something changed");
        return;
    }
    match compare_but(&model, folded.edited.model(), &folded.outcome.allowed) {
        Ok(Verdict::Same { .. }) => {}
        Ok(different) => panic!("{different:?}"),
        // a model that cannot be compared with itself
        Err(e) if compare(&model, &model).is_err() => drop(e),
        Err(e) => panic!("the folded model only: {e}"),
    }
    let again = read(&once).expect("a folded model can be read");
    let _ = show::text(&again);
}

/// Dropout put in wherever it may stand, and dropout that is there given another rate: either computes
/// the same, or is refused.
pub fn changing(bytes: &[u8]) {
    let Ok(model) = read(bytes) else {
        return;
    };
    let same = |after: &Model| match compare(&model, after) {
        Ok(Verdict::Same { .. }) => {}
        Ok(different) => panic!("{different:?}"),
        // a model that cannot be compared with itself
        Err(e) if compare(&model, &model).is_err() => drop(e),
        Err(e) => panic!("the changed model only: {e}"),
    };
    let rate = Rate::new(0.25).ok();
    let everywhere = Choice::default().name(Some("*".into()));
    let options = insert::Options::default()
        .choices(vec![everywhere])
        .rate(rate);
    let _ = candidates(&model, &insert::Options::default());
    if let Ok(inserted) = insert(&model, &options) {
        same(inserted.edited.model());
    }
    let options = set::Options::default().rate(rate);
    if let Ok(changed) = set(&model, &options) {
        same(changed.edited.model());
    }
}
