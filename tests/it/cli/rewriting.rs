//! What every rewrite reports alike.

use serde_json::Value;

use crate::common::cli::Folder;

/// The changes that `diff` prints of two files.
fn changes(folder: &Folder, after: &str) -> Value {
    let said = folder.run(&format!("diff model.onnx {after} --format json"));
    said.exits(1).json()["changes"].clone()
}

/// strip, fold, insert and set: their documents end with the diff of both models, by name, also of
/// what was not written.
#[test]
fn every_document_has_the_diff() {
    for (fixture, rewrite) in [
        ("torch_mlp_training_op7", "strip"),
        ("paddle_downscale_op7", "fold"),
        ("torch_course_eval_op17", "insert --rate 0.3 --after Relu"),
        ("torch_course_preserve_op17", "set --rate 0.2"),
    ] {
        let folder = Folder::with(fixture, "model.onnx");
        let subcommand = rewrite.split(' ').next().unwrap();
        let arguments = rewrite.replacen(subcommand, "", 1);
        let command = format!("{subcommand} model.onnx out.onnx{arguments} --format json");
        let written = folder.run(&command).exits(0).json();
        let dry = folder.run(&format!("{command} -n --force")).exits(0).json();
        for (name, document) in [("written", &written), ("dry", &dry)] {
            let keys: Vec<&String> = document.as_object().unwrap().keys().collect();
            let schema = format!("dropout-onnx/{subcommand}/1");
            assert_eq!(document["schema"], schema);
            assert_eq!(keys[..4], ["schema", "input", "output", "bytes"]);
            assert_eq!(keys[keys.len() - 2..], ["verification", "diff"], "{name}");
            assert_eq!(document["diff"]["schema"], "dropout-onnx/diff/1");
            assert_eq!(document["diff"]["changes"], changes(&folder, "out.onnx"));
        }
        assert!(!written["verification"].is_null() && dry["verification"].is_null());
        assert!(dry["output"].is_null());
    }
}
