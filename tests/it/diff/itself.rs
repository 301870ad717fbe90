//! No model differs from itself, however it is written.

use dropout_onnx::diff::{Options, Verdict, diff};
use dropout_onnx::onnx::Model;
use dropout_onnx::source::Source;
use proptest::prelude::*;
use prost::Message;

use super::{compare, lines};
use crate::common::everything::everything;
use crate::common::tape::{cases, tapes};

fn read(bytes: &[u8]) -> Model {
    Model::read_in(Source::from_bytes(bytes.to_vec()), Some("/nowhere".into())).unwrap()
}

#[test]
fn every_model_is_itself() {
    for path in crate::common::models() {
        let (one, two) = (Model::open(&path).unwrap(), Model::open(&path).unwrap());
        let found = compare(&one, &two);
        assert_eq!(found.verdict, Verdict::IdenticalBytes, "{}", path.display());
        assert!(found.is_empty());
        // the same bytes, but not taken at their word
        let mut longer = std::fs::read(&path).unwrap();
        // an explicit producer_name before the one that counts: bytes differ, the model does not
        longer.splice(0..0, [0x12, 0]);
        let folder = one.folder().map(Into::into);
        let longer = Model::read_in(Source::from_bytes(longer), folder).unwrap();
        if longer.producer_name == one.producer_name {
            let found = compare(&one, &longer);
            let lines = lines(&one, &longer);
            assert_eq!(
                found.verdict,
                Verdict::SameModel,
                "{}: {lines:?}",
                path.display()
            );
        }
    }
}

#[test]
fn fields_in_another_order_are_the_same_model() {
    let model = everything();
    let mut rest = model.clone();
    rest.graph = None;
    let mut only = everything();
    only = crate::common::proto::Model {
        graph: only.graph.take(),
        ..Default::default()
    };
    let bytes = [rest.encode_to_vec(), only.encode_to_vec()].concat();
    assert_ne!(bytes, model.encode_to_vec());
    assert_eq!(
        compare(&model.read(), &read(&bytes)).verdict,
        Verdict::SameModel
    );
}

proptest! {
    #![proptest_config(cases(100))]

    #[test]
    fn an_odd_model_is_itself(tapes in tapes()) {
        let bytes = tapes.model();
        let options = Options::default().values(true).structure(true);
        let found = diff(&read(&bytes), &read(&bytes), &options).unwrap();
        prop_assert_eq!(found.verdict, Verdict::IdenticalBytes);
    }
}
