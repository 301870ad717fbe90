//! Reading and writing without an edit gives the same bytes.

mod common;

use dropout_onnx::onnx::{Model, Values};

#[test]
fn every_model_is_written_back_byte_for_byte() {
    for path in common::models() {
        let model = Model::open(&path).unwrap();
        let mut bytes = Vec::new();
        model.to_rope().unwrap().write_to(&mut bytes).unwrap();
        assert!(bytes == std::fs::read(&path).unwrap(), "{}", path.display());
        model.check(&Values::new(&model)).unwrap();
    }
}
