//! `--anonymous`: names do not matter, and everything else does.

use std::path::Path;
use std::sync::LazyLock;

use dropout_onnx::onnx::{Model, Values};
use dropout_onnx::show;
use dropout_onnx::source::Source;
use proptest::prelude::*;
use prost::Message;
use tract_onnx::pb;

use super::{anonymous, text};
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
        prop_assert_eq!(text(&before, &anonymous()), text(&after, &anonymous()), "{}", path);
        // the twin: with names it is another text
        prop_assert_ne!(show::text(&before).unwrap(), show::text(&after).unwrap());
        let json = |model: &Model| show::json::text(&show::document(model, &anonymous()).unwrap()).unwrap();
        prop_assert_eq!(json(&before), json(&after));
        // some dropout is known by its name alone, and pictures mark what is dropout
        if sites(&before) == sites(&after) {
            let dot = |model: &Model| show::dot::text(model, &anonymous()).unwrap();
            prop_assert_eq!(dot(&before), dot(&after));
            let svg = |model: &Model| show::svg::text(model, &anonymous()).ok();
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
        prop_assert_eq!(text(&before, &anonymous()), text(&after, &anonymous()));
    }
}

#[test]
fn the_text_changes_with_the_meaning_and_not_with_names() {
    let before = text(&everything().read(), &anonymous());
    for edit in EDITS {
        let mut model = everything();
        (edit.edit)(&mut model);
        let after = text(&model.read(), &anonymous());
        // symbols are names, too: only which are the same counts, and `rows` is not `batch`
        assert_eq!(before == after, edit.names_only, "{}:\n{after}", edit.what);
    }
}

/// What `--anonymous --no-hash` omits, and what it does not: the change, and whether the text is the same.
type Edit = (&'static str, bool, fn(&mut pb::ModelProto));

fn graph(model: &mut pb::ModelProto) -> &mut pb::GraphProto {
    model.graph.as_mut().unwrap()
}

fn alpha(model: &mut pb::ModelProto) -> &mut pb::AttributeProto {
    let mut attributes = graph(model).node[0].attribute.iter_mut();
    attributes.find(|a| a.name == "alpha").unwrap()
}

#[test]
fn without_names_and_hashes_only_what_affects_the_result_is_shown() {
    let fixture =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/torch_mask_output_op13.onnx");
    let mut model = pb::ModelProto::decode(&*std::fs::read(fixture).unwrap()).unwrap();
    // two weights that no node uses
    for (name, data) in [("spare", vec![3.0, 4.0]), ("spare too", vec![1.0, 2.0])] {
        graph(&mut model).initializer.push(pb::TensorProto {
            name: name.into(),
            dims: vec![2],
            data_type: 1,
            float_data: data,
            ..Default::default()
        });
    }
    let edits: &[Edit] = &[
        ("the producer's version", true, |model| {
            model.producer_version = "99".into();
        }),
        ("declared types", true, |model| {
            let mut info = graph(model).input[0].clone();
            info.name = graph(model).node[1].output[0].clone();
            graph(model).value_info.push(info);
        }),
        ("attributes at their defaults", true, |model| {
            graph(model).node[0]
                .attribute
                .retain(|a| a.name != "alpha" && a.name != "beta");
        }),
        ("the order of weights", true, |model| {
            graph(model).initializer.reverse();
        }),
        ("the producer", false, |model| {
            model.producer_name = "me".into()
        }),
        ("an attribute", false, |model| alpha(model).f = 2.0),
        ("the shape of a weight", false, |model| {
            let last = graph(model).initializer.last_mut().unwrap();
            last.dims = vec![1, 2];
        }),
        ("an opset", false, |model| {
            model.opset_import[0].version = 14
        }),
    ];
    let lenient = anonymous().no_hash(true);
    let strict = lenient.strict(true);
    let [before, strictly] = [lenient, strict].map(|options| text(&read(&model), &options));
    for (what, same, edit) in edits {
        let mut edited = model.clone();
        edit(&mut edited);
        let edited = read(&edited);
        assert_eq!(text(&edited, &lenient) == before, *same, "{what}");
        // the twin: strictly, only the order of weights does not matter
        let ordered = *what == "the order of weights";
        assert_eq!(text(&edited, &strict) == strictly, ordered, "{what}");
    }
}

#[test]
fn names_of_layers_are_not_in_pictures_without_names() {
    let path =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/keras_course_random_mask_op13.onnx");
    let model = Model::open(path).unwrap();
    let [named, nameless] = [false, true].map(|anonymous| {
        let options = show::Options::default().anonymous(anonymous);
        let texts = [
            show::svg::text(&model, &options),
            show::dot::text(&model, &options),
        ];
        texts.map(|text| text.unwrap().contains("course/")).to_vec()
    });
    assert_eq!((named, nameless), (vec![true; 2], vec![false; 2]));
}
