//! `--anonymous`: names do not matter, and everything else does.

use std::path::Path;
use std::sync::LazyLock;

use dropout_onnx::onnx::{Model, Values};
use dropout_onnx::show;
use dropout_onnx::source::Source;
use proptest::prelude::*;
use prost::Message;
use tract_onnx::pb;

use super::{ANONYMOUS, text};
use crate::common::everything::{EDITS, everything};
use crate::common::rename::rename;

static FIXTURES: LazyLock<Vec<(String, pb::ModelProto)>> = LazyLock::new(|| {
    let small = |path: &std::path::PathBuf| path.metadata().unwrap().len() < 40_000;
    let paths = crate::common::models().into_iter().filter(small);
    let read = |path: std::path::PathBuf| {
        let model = pb::ModelProto::decode(&*std::fs::read(&path).unwrap()).ok()?;
        Some((path.display().to_string(), model))
    };
    paths.filter_map(read).collect()
});

fn read(model: &pb::ModelProto) -> Model {
    let source = Source::from_bytes(model.encode_to_vec());
    Model::read_in(source, Some(Path::new("/nowhere").into())).unwrap()
}

fn sites(model: &Model) -> Option<usize> {
    let values = Values::new(model);
    model.check(&values).ok()?;
    let sites = dropout_onnx::dropout::find(&dropout_onnx::Analysis::of(model)).ok()?;
    Some(sites.len())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(60) })]

    #[test]
    fn the_same_under_any_renaming(model in any::<prop::sample::Index>(), seed in any::<u64>()) {
        let (path, model) = model.get(&FIXTURES);
        let mut renamed = model.clone();
        rename(&mut renamed, seed, false);
        let (before, after) = (read(model), read(&renamed));
        prop_assert_eq!(text(&before, &ANONYMOUS), text(&after, &ANONYMOUS), "{}", path);
        // the twin: with names it is another text
        prop_assert_ne!(show::text(&before).unwrap(), show::text(&after).unwrap());
        let json = |model: &Model| show::json::text(&show::document(model, &ANONYMOUS).unwrap()).unwrap();
        prop_assert_eq!(json(&before), json(&after));
        // some dropout is known by its name alone, and pictures mark what is dropout
        if sites(&before) == sites(&after) {
            let dot = |model: &Model| show::dot::text(model, &ANONYMOUS).unwrap();
            prop_assert_eq!(dot(&before), dot(&after));
            let svg = |model: &Model| show::svg::text(model, &ANONYMOUS).ok();
            prop_assert_eq!(svg(&before), svg(&after));
        }
    }

    #[test]
    fn the_same_in_any_order_of_nodes_and_weights(seed in any::<u64>()) {
        let before = everything();
        let mut after = everything();
        let mut random = seed;
        let main = after.main_mut();
        for at in (1..main.node.len()).rev() {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            main.node.swap(at, (random >> 33) as usize % (at + 1));
            main.initializer.rotate_left((random >> 50) as usize % 4);
        }
        let (before, after) = (before.read(), after.read());
        prop_assert_eq!(text(&before, &ANONYMOUS), text(&after, &ANONYMOUS));
    }
}

#[test]
fn the_text_changes_with_the_meaning_and_not_with_names() {
    let before = text(&everything().read(), &ANONYMOUS);
    for edit in EDITS {
        let mut model = everything();
        (edit.edit)(&mut model);
        let after = text(&model.read(), &ANONYMOUS);
        // symbols are names, too: only which are the same counts, and `rows` is not `batch`
        assert_eq!(before == after, edit.names_only, "{}:\n{after}", edit.what);
    }
}

#[test]
fn names_of_layers_are_not_in_pictures_without_names() {
    let path =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/keras_course_random_mask_op13.onnx");
    let model = Model::open(path).unwrap();
    let [named, nameless] = [false, true].map(|anonymous| {
        let options = show::Options {
            anonymous,
            ..show::Options::default()
        };
        let texts = [
            show::svg::text(&model, &options),
            show::dot::text(&model, &options),
        ];
        texts.map(|text| text.unwrap().contains("course/")).to_vec()
    });
    assert_eq!((named, nameless), (vec![true; 2], vec![false; 2]));
}
