//! Broken rewrites of models that exporters wrote.

use prost::Message;

use super::check::{Run, broken, differ, same, stripped};
use super::models::{change_weight, node};
use crate::common::proto::Model;

fn bytes(name: &str) -> Vec<u8> {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures");
    std::fs::read(folder.join(name)).unwrap()
}

fn fixture(name: &str) -> Model {
    Model::decode(&bytes(name)[..]).unwrap()
}

/// Exporters' models, each with a Dropout that strip removes.
const MODELS: &[&str] = &[
    "torch_course_preserve_op17.onnx",
    "torch_course_training_op9.onnx",
    "torch_course_dynamo_train_op18.onnx",
    "keras_course_train_op8.onnx",
];

#[test]
fn a_model_reencoded_by_a_different_writer_is_equal() {
    for name in MODELS {
        let source = dropout_onnx::source::Source::from_bytes(bytes(name));
        let before = dropout_onnx::onnx::Model::read(source).unwrap();
        same(&before, &fixture(name).read());
    }
}

#[test]
fn stripped_is_the_same() {
    for name in MODELS {
        let before = fixture(name);
        same(&before.read(), &stripped(&before).read());
    }
}

#[test]
fn one_activation_lost() {
    for name in MODELS {
        broken(&fixture(name), Run::Different, |after| {
            let nodes = &mut after.main_mut().node;
            let place = nodes.iter().position(|node| node.is("Relu")).unwrap();
            let relu = nodes.remove(place);
            let uses = nodes.iter_mut().flat_map(|node| &mut node.input);
            let uses = uses.filter(|input| **input == relu.output[0]);
            uses.for_each(|input| *input = relu.input[0].clone());
        });
    }
}

/// The last bit of the largest weight.
#[test]
fn one_weight_changed_by_the_last_bit() {
    for name in MODELS {
        let before = fixture(name);
        let tensors = before.main().initializer.iter();
        let largest = tensors
            .filter(|tensor| tensor.data_type() == 1 && tensor.raw_data.is_some())
            .max_by_key(|tensor| tensor.raw_data().len());
        let weight = largest.expect("a weight").name().to_string();
        broken(&before, Run::Either, |after| {
            change_weight(after, &weight, |w| {
                w[0] = f32::from_bits(w[0].to_bits() ^ 1)
            });
        });
        broken(&before, Run::Different, |after| {
            change_weight(after, &weight, |w| w.iter_mut().for_each(|f| *f = -*f));
        });
    }
}

#[test]
fn stopped_before_the_last_layer() {
    let before = fixture("torch_course_preserve_op17.onnx");
    let mut after = stripped(&before);
    let last = after.main().output[0].name().to_string();
    let input = node(&mut after, &last).input[0].clone();
    let identity = crate::common::proto::Node {
        op_type: Some("Identity".into()),
        input: vec![input],
        attribute: Vec::new(),
        ..node(&mut after, &last).clone()
    };
    *node(&mut after, &last) = identity;
    differ(&before.read(), &after.read(), Run::Different);
}
