//! What `diff` prints, and the same as the report of strip; `strip --check`.

use crate::common::cli::{Folder, golden};

/// A model and what strip makes of it.
fn stripped(stem: &str) -> Folder {
    let folder = Folder::with(stem, "a.onnx");
    folder.run("strip a.onnx b.onnx").exits(0);
    folder
}

#[test]
fn reports() {
    for stem in [
        "jax2onnx_runtime_switch_op18",
        "torch112_nested_functions_op15",
        "torch_mask_output_op13",
        "torch_mlp_training_op7",
        "torch_scripted_if_op13",
    ] {
        let folder = stripped(stem);
        let said = folder.run("diff a.onnx b.onnx").exits(1);
        assert!(said.stderr.is_empty());
        golden(&format!("diff_{stem}"), said.text());
    }
}

#[test]
fn formats() {
    let folder = stripped("torch_mlp_training_op7");
    for format in ["json", "markdown"] {
        let said = folder
            .run(&format!("diff a.onnx b.onnx --format {format}"))
            .exits(1);
        golden(&format!("diff_format_{format}"), said.text());
    }
    let said = folder.run("diff a.onnx b.onnx --color always").exits(1);
    assert!(
        said.text().contains("\u{1b}[1m\u{1b}[31m  - node"),
        "{:?}",
        said.text()
    );
    let said = folder.run("-q diff a.onnx b.onnx").exits(1);
    assert!(said.stdout.is_empty());
}

#[test]
fn the_same_is_status_0() {
    let folder = Folder::with("torch_mlp_training_op7", "a.onnx");
    folder.copy("torch_mlp_training_op7", "b.onnx");
    let said = folder.run("diff a.onnx b.onnx --values").exits(0);
    assert_eq!(said.text(), "identical bytes\n");
    let mut longer = folder.read("a.onnx");
    // an IR version that a later field overrides
    longer.splice(0..0, [0x08, 1]);
    folder.write("b.onnx", longer);
    let said = folder.run("diff a.onnx b.onnx").exits(0);
    assert!(
        said.text()
            .starts_with("the same model, with fields in a different order"),
        "{}",
        said.text()
    );
    let said = folder.run("diff a.onnx b.onnx --format json").exits(0);
    assert_eq!(said.json()["verdict"], "same_model");
    assert_eq!(said.json()["changes"].as_array().unwrap().len(), 0);
    let fed = folder
        .run_fed("diff - a.onnx", folder.read("a.onnx"))
        .exits(0);
    assert_eq!(fed.text(), "identical bytes\n");
}

#[test]
fn what_cannot_be_compared_is_status_2() {
    let folder = Folder::with("torch_mlp_training_op7", "a.onnx");
    folder.write("text.onnx", "text");
    folder.refuses("diff a.onnx missing.onnx", &["missing.onnx"]);
    folder.refuses("diff text.onnx a.onnx", &["text.onnx", "not an ONNX model"]);
    folder.refuses("diff a.onnx", &["<AFTER>"]);
    folder.refuses("diff - -", &["standard input"]);
}

#[test]
fn strip_reports_the_same_diff() {
    let folder = stripped("torch_mlp_training_op7");
    let diff = folder.run("diff a.onnx b.onnx").exits(1);
    let lines: Vec<_> = diff.text().lines().skip(1).collect();
    let brief = folder.run("strip a.onnx b.onnx -f").exits(0);
    for dry in ["", "--dry-run"] {
        let verbose = folder
            .run(&format!("strip a.onnx b.onnx -f -v {dry}"))
            .exits(0);
        for line in &lines {
            let told = format!("          {line}\n");
            assert!(verbose.text().contains(&told), "{line}: {}", verbose.text());
            assert!(!brief.text().contains(&told));
        }
    }
    let report = folder
        .run("strip a.onnx b.onnx -f --format json")
        .exits(0)
        .json();
    let diff = folder
        .run("diff a.onnx b.onnx --format json")
        .exits(1)
        .json();
    assert_eq!(report["diff"]["changes"], diff["changes"]);
    assert!(diff["changes"].as_array().unwrap().len() >= 4);
}

#[test]
fn strip_check_reports_dropout_to_strip() {
    let folder = stripped("torch_mlp_training_op7");
    folder.write("text.onnx", "text");
    // what strip would write to is there already, and nobody's concern
    folder.write("a.stripped.onnx", "");
    let before = folder.listing();
    let said = folder.run("strip --check a.onnx").exits(1);
    assert_eq!(said.text(), "a.onnx: 2 dropout layers to strip\n");
    let said = folder.run("strip --check b.onnx").exits(0);
    assert_eq!(said.text(), "b.onnx: no dropout in this file\n");
    let said = folder
        .run("strip --check b.onnx a.onnx b.onnx b.onnx")
        .exits(1);
    assert_eq!(said.text().lines().count(), 4);
    let said = folder.run("strip --check -v a.onnx").exits(1);
    assert!(
        said.text().contains("  - node /2/Dropout: "),
        "{}",
        said.text()
    );
    let said = folder.run("strip --check a.onnx text.onnx b.onnx").exits(2);
    assert!(
        said.stderr.contains("text.onnx: not an ONNX model"),
        "{}",
        said.stderr
    );
    assert_eq!(said.text().lines().count(), 2);
    let said = folder
        .run("strip --check a.onnx b.onnx --format json")
        .exits(1)
        .json();
    assert_eq!(said["schema"], "dropout-onnx/strip-check/1");
    assert_eq!(said["models"][0]["would_change"], true);
    assert_eq!(said["models"][1]["would_change"], false);
    // --only and --kind choose, as they do for strip
    let said = folder.run("strip --check a.onnx --only active").exits(0);
    assert_eq!(
        said.text(),
        "a.onnx: nothing to strip; 2 dropout layers would be kept\n"
    );
    let said = folder.run("-q strip --check a.onnx").exits(1);
    assert!(said.stdout.is_empty() && said.stderr.is_empty());
    folder
        .run_fed("strip --check -", folder.read("a.onnx"))
        .exits(1);
    for other in ["--in-place", "--dry-run", "--force", "-o c.onnx"] {
        let said = folder.run(&format!("strip --check a.onnx {other}"));
        said.refused(&["cannot be used with"]);
    }
    assert!(folder.listing() == before, "a check wrote something");
}
