//! Dropout where a saved Keras model has it, in its exports: `tests/keras` has both.

use std::path::PathBuf;

use dropout_onnx::audit::{ModelAudit, State};
use dropout_onnx::dropout::{Examined, Mode};
use dropout_onnx::keras::Archive;
use dropout_onnx::onnx::Model;
use dropout_onnx::rewrite::insert::{Inserted, Like, Options, from, insert};
use dropout_onnx::rewrite::{Acting, strip};
use serde_json::json;

use crate::common::build;

fn path(name: &str) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    folder.join("tests/keras").join(name)
}

fn archive(name: &str) -> Archive {
    Archive::open(&path(name)).unwrap()
}

fn model(name: &str) -> Model {
    Model::open(path(name)).unwrap()
}

/// Where the dropout of an archive goes in an export.
fn found(source: &Archive, name: &str) -> Like {
    from(&Examined::new(&model(name)), source).unwrap()
}

fn inserted(source: &Archive, name: &str, acting: Acting) -> Inserted {
    let options = Options::default()
        .choices(found(source, name).choices)
        .acting(acting);
    insert(&model(name), &options).unwrap()
}

fn places(inserted: &Inserted) -> Vec<(String, f64, Option<Vec<i64>>)> {
    let places = inserted.places.iter();
    let place = places.map(|p| (p.data.to_string(), p.rate.value(), p.shared_axes.clone()));
    place.collect()
}

/// The reasons by layer.
fn unplaced(found: &Like) -> Vec<String> {
    let unplaced = found.unplaced.iter();
    unplaced
        .map(|u| format!("{}: {}", u.dropout, u.why))
        .collect()
}

#[test]
fn a_functional_model_with_a_nested_one() {
    let source = archive("mlp.keras");
    let inserted = inserted(&source, "mlp.onnx", Acting::Inert);
    let at = |value: &str, rate| (value.to_string(), rate, None);
    let all = [
        at("mlp_1/fc1_1/Relu:0", 0.3),
        at("mlp_1/block_1/fc2_1/MatMul:0", 0.2),
        at("mlp_1/skip_1/Add:0", 0.5),
    ];
    assert_eq!(places(&inserted), all);
    assert_eq!(
        unplaced(&found(&source, "mlp.onnx")),
        [
            "gd (GaussianDropout, rate 0.1): insert writes no gaussian dropout",
            "gn (GaussianNoise, stddev 0.1): insert writes no gaussian noise",
            "ad (AlphaDropout, rate 0.25): insert writes no alpha dropout",
        ]
    );
    // the skip connection reads what is before the dropout
    let after = inserted.edited.model();
    let skip = after
        .nodes()
        .find(|(_, node)| node.name == "mlp_1/skip_1/Add");
    let skip = skip.unwrap().1.inputs[0].to_string();
    assert_eq!(skip, "mlp_1/fc1_1/Relu:0");
    let stripped = strip::strip(after, &strip::Options::default()).unwrap();
    let original = std::fs::read(path("mlp.onnx")).unwrap();
    let mut bytes = Vec::new();
    stripped.edited.rope.write_to(&mut bytes).unwrap();
    assert!(bytes == original);
}

#[test]
fn masks_are_shared_along_the_axes_that_the_exporter_moved() {
    let source = archive("cnn.keras");
    let active = inserted(&source, "cnn.onnx", Acting::Active);
    let all = [
        ("cnn_1/c1_1/Relu:0".to_string(), 0.1, Some(vec![2, 3])),
        ("cnn_1/f_1/Reshape:0".to_string(), 0.5, None),
        ("cnn_1/d1_1/Relu:0".to_string(), 0.25, None),
    ];
    assert_eq!(places(&active), all);
}

#[test]
fn sequences_and_attention() {
    let source = archive("seq.keras");
    let active = inserted(&source, "seq.onnx", Acting::Active);
    let placed: Vec<_> = places(&active);
    assert!(
        placed.contains(&("seq_1/mha_1/softmax_1/Softmax:0".into(), 0.12, None)),
        "{placed:?}"
    );
    assert!(
        placed.contains(&("seq_1/bi_1/concat:0".into(), 0.4, None)),
        "{placed:?}"
    );
    let sequence = placed.iter().find(|(_, rate, _)| *rate == 0.3);
    assert_eq!(sequence.unwrap().2, Some(vec![1]), "{placed:?}");
    let why = unplaced(&found(&source, "seq.onnx")).join("\n");
    assert!(
        why.contains("bi (Bidirectional, dropout 0.2): each direction has a mask"),
        "{why}"
    );
    assert!(
        why.contains("recurrent_dropout 0.1): it drops a state"),
        "{why}"
    );
}

/// What became of each dropout of a source.
fn became(source: &Archive, name: &str) -> Vec<(String, State)> {
    let mut audit = ModelAudit::open(&path(name));
    audit.compare(source);
    let source = audit.source.unwrap().into_iter();
    source
        .map(|dropout| (dropout.layer, dropout.state))
        .collect()
}

#[test]
fn an_audit_reports_what_became_of_each() {
    let source = archive("mlp.keras");
    use State::Missing;
    const ACTIVE: State = State::Is(Mode::Active);
    let all = |states: [State; 6]| -> Vec<(String, State)> {
        let layers = ["drop1", "block/drop2", "gd", "gn", "ad", "last"];
        layers.map(String::from).into_iter().zip(states).collect()
    };
    assert_eq!(became(&source, "mlp.onnx"), all([Missing; 6]));
    // a Sequential that is called with training=True passes it on
    let on = all([ACTIVE, ACTIVE, Missing, Missing, ACTIVE, Missing]);
    assert_eq!(became(&source, "mlp_mc.onnx"), on);
}

fn layer(
    class: &str,
    name: &str,
    inbound: &serde_json::Value,
    more: serde_json::Value,
) -> serde_json::Value {
    let mut config = json!({"name": name});
    config
        .as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    json!({"class_name": class, "name": name, "config": config, "inbound_nodes": inbound})
}

/// A model in the spelling of Keras 2, whose dropout `drop` reads `fc1`; with another reader of `fc1`.
fn keras_2(calls: usize, skip: &str) -> Archive {
    let from = |name: &str| json!([[[name, 0, 0, {}]]]);
    let twice = json!(vec![json!([["fc1", 0, 0, {}]]); calls]);
    let layers = json!([
        layer("InputLayer", "x", &json!([]), json!({})),
        layer("Dense", "fc1", &from("x"), json!({})),
        layer("Dropout", "drop1", &twice, json!({"rate": 0.3})),
        layer(
            "Custom",
            "block",
            &from("drop1"),
            json!({"dropout_rate": 0.7})
        ),
        layer(
            "Add",
            "skip",
            &json!([[["block", 0, 0, {}], [skip, 0, 0, {}]]]),
            json!({})
        ),
        layer("Dense", "head", &from("skip"), json!({})),
    ]);
    let config = json!({"name": "mlp", "layers": layers, "input_layers": [["x", 0, 0]],
                        "output_layers": [["head", 0, 0]]});
    Archive::of(&json!({"class_name": "Functional", "config": config})).unwrap()
}

#[test]
fn only_the_readers_of_the_dropout_read_it() {
    // `skip` reads it past the dropout, or by way of it
    for (skip, some) in [("fc1", true), ("drop1", false)] {
        let found = found(&keras_2(1, skip), "mlp.onnx");
        let [choice] = &found.choices[..] else {
            panic!("{:?}", found.choices)
        };
        assert_eq!(
            choice.readers.as_ref().map(Vec::len),
            some.then_some(1),
            "{skip}"
        );
        let why = unplaced(&found);
        assert_eq!(
            why,
            ["block (Custom, dropout_rate 0.7): what the class Custom drops is not known"]
        );
    }
}

#[test]
fn what_is_called_twice_has_no_place() {
    let source = keras_2(2, "fc1");
    let refused = from(&Examined::new(&model("mlp.onnx")), &source)
        .unwrap_err()
        .to_string();
    assert!(
        refused.contains("drop1 (Dropout, rate 0.3): its layer is called 2 times"),
        "{refused}"
    );
}

#[test]
fn models_without_layers_and_without_dropout() {
    let own = json!({"class_name": "MyModel", "config": {"units": 3}});
    let refused = Archive::of(&own).unwrap_err().to_string();
    assert!(
        refused.contains("MyModel is a class of its own"),
        "{refused}"
    );
    let none = json!({"class_name": "Sequential", "config": {"name": "s", "layers": []}});
    let none = Archive::of(&none).unwrap();
    let refused = from(&Examined::new(&model("mlp.onnx")), &none)
        .unwrap_err()
        .to_string();
    assert!(refused.contains("has no dropout"), "{refused}");
    // of another model
    let other = archive("cnn.keras");
    let refused = from(&Examined::new(&model("mlp.onnx")), &other)
        .unwrap_err()
        .to_string();
    assert!(
        refused.contains("no node of this model is of `c1` (Conv2D)"),
        "{refused}"
    );
}

/// Exports of Keras' torch and jax backends: nothing in them is named after a layer.
#[test]
fn an_export_without_names_of_layers_is_refused_as_a_whole() {
    let source = archive("mlp.keras");
    let nameless = build::model(
        17,
        build::x_to_y([build::op("h = Relu(x)"), build::op("y = Tanh(h)")]),
    );
    let why = from(&Examined::new(&nameless.read()), &source).unwrap_err();
    assert!(
        why.to_string()
            .contains("export it again with KERAS_BACKEND=tensorflow"),
        "{why}"
    );
    // the twin
    assert!(from(&Examined::new(&model("mlp.onnx")), &source).is_ok());
}
