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
            assert_eq!(keys[..5], ["schema", "tool", "input", "output", "bytes"]);
            assert_eq!(keys[keys.len() - 2..], ["verification", "diff"], "{name}");
            assert_eq!(document["diff"]["schema"], "dropout-onnx/diff/1");
            assert_eq!(document["diff"]["changes"], changes(&folder, "out.onnx"));
        }
        assert!(!written["verification"].is_null() && dry["verification"].is_null());
        assert!(dry["output"].is_null());
    }
}

/// A tree of models: active, clean, active in a folder, and one that is no model.
fn tree() -> Folder {
    let folder = Folder::new();
    std::fs::create_dir_all(folder.path("models/sub")).unwrap();
    folder.copy("torch_course_preserve_op17", "models/active.onnx");
    folder.copy("torch_course_eval_op17", "models/clean.onnx");
    folder.copy("torch_mlp_training_op7", "models/sub/mlp.onnx");
    folder.write("models/bad.onnx", "no model");
    folder
}

#[test]
fn many_models_keep_their_tree_and_one_that_fails_stops_no_other() {
    let folder = tree();
    let before = folder.listing();
    let dry = folder.run("strip models --output-dir out -n").exits(2);
    assert!(
        dry.text().ends_with("4 models: 3 done, 1 failed\n"),
        "{}",
        dry.text()
    );
    assert!(folder.listing() == before);
    let said = folder.run("strip models --output-dir out").exits(2);
    let lines: Vec<&str> = said.text().lines().collect();
    assert!(lines[0].starts_with("models/active.onnx: 2 dropout layers removed, verified by "));
    assert_eq!(
        lines[1],
        "models/clean.onnx: no dropout; copied to out/clean.onnx"
    );
    assert!(
        lines[2].ends_with("; written to out/sub/mlp.onnx"),
        "{lines:?}"
    );
    assert_eq!(lines[3], "4 models: 3 done, 1 failed");
    assert!(
        said.stderr
            .starts_with("error: models/bad.onnx: a text file, not an ONNX model")
    );
    assert!(!folder.exists("out/bad.onnx"));
    assert_eq!(
        folder.read("out/clean.onnx"),
        folder.read("models/clean.onnx")
    );
    // each is what strip makes of it alone
    folder.run("strip models/sub/mlp.onnx alone.onnx").exits(0);
    assert_eq!(folder.read("out/sub/mlp.onnx"), folder.read("alone.onnx"));
    // nothing is overwritten unless asked for
    let again = folder.run("strip models --output-dir out").exits(2);
    assert_eq!(again.stderr.matches("already exists").count(), 3);
    std::fs::remove_file(folder.path("models/bad.onnx")).unwrap();
    folder.run("strip models --output-dir out --force").exits(0);
}

#[test]
fn many_models_have_a_document_each() {
    let folder = tree();
    let said = folder
        .run("strip models --output-dir out --format jsonl")
        .exits(2);
    let lines = said.text().lines();
    let documents: Vec<serde_json::Value> = lines
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let of = |key: &str| documents.iter().map(|d| d[key].clone()).collect::<Vec<_>>();
    assert_eq!(of("output")[0], "out/active.onnx");
    assert_eq!(of("removed")[3]["dropouts"], 2);
    assert!(
        of("error")[1]
            .as_str()
            .unwrap()
            .contains("not an ONNX model")
    );
    assert_eq!(documents.len(), 4);
}

#[test]
fn many_models_are_rewritten_in_place() {
    let folder = tree();
    folder
        .run("strip -i models/active.onnx models/sub")
        .exits(0);
    folder
        .run("strip --check models/active.onnx models/sub/mlp.onnx")
        .exits(0);
    for command in ["fold", "set --rate 0.2", "insert --after Relu=0.1"] {
        let folder = tree();
        std::fs::remove_file(folder.path("models/bad.onnx")).unwrap();
        if command.starts_with("insert") {
            folder.copy("torch_course_eval_op17", "models/sub/mlp.onnx");
        }
        let said = folder.run(&format!("{command} models/sub --output-dir out"));
        assert!(
            said.text().contains("1 model: 1 done"),
            "{command}: {}",
            said.stderr
        );
        assert!(folder.exists("out/mlp.onnx"), "{command}");
    }
}

#[test]
fn what_many_models_may_not_do() {
    let folder = tree();
    folder.refuses(
        "strip models",
        &["models: is a folder", "--output-dir", "--in-place"],
    );
    let several = "strip models/active.onnx models/clean.onnx models/sub/mlp.onnx";
    folder.refuses(several, &["--output-dir"]);
    folder.refuses("fold models/a.onnx -i -o b.onnx", &["cannot be used with"]);
    // two results of one name
    folder.copy("torch_course_eval_op17", "models/sub/clean.onnx");
    let twice = "strip models/clean.onnx models/sub/clean.onnx --output-dir out";
    let said = folder.run(twice).exits(2);
    assert!(
        said.stderr.contains("would be written to the same file"),
        "{}",
        said.stderr
    );
}
