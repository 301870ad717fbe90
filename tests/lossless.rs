//! Reading and writing without an edit gives the same bytes.

use std::path::{Path, PathBuf};

use dropout_onnx::onnx::{Model, Values};

/// The fixtures, and the folder that DROPOUT_ONNX_MODELS names (`.ci/run` sets it).
fn models() -> Vec<PathBuf> {
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures")];
    folders.extend(std::env::var_os("DROPOUT_ONNX_MODELS").map(PathBuf::from));
    let mut models = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == "onnx") {
                models.push(path);
            }
        }
    }
    models.sort();
    models
}

#[test]
fn every_model_is_written_back_byte_for_byte() {
    let models = models();
    assert!(models.len() >= 10, "only {} models found", models.len());
    for path in models {
        let model = Model::open(&path).unwrap();
        let mut bytes = Vec::new();
        model.to_rope().unwrap().write_to(&mut bytes).unwrap();
        assert!(bytes == std::fs::read(&path).unwrap(), "{}", path.display());
        let values = Values::new(&model);
        if let Err(e) = model.check(&values) {
            panic!("{}: {e}", path.display());
        }
    }
}
