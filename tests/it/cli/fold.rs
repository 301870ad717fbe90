//! What `fold` takes and reports.

use crate::common::cli::{Folder, golden};

const CLASSIC: &str = "torch_classic_mask_op11";

/// The fixture, stripped: one factor is left.
fn stripped() -> Folder {
    let folder = Folder::with(CLASSIC, "classic.onnx");
    folder.run("strip -q classic.onnx model.onnx").exits(0);
    folder
}

#[test]
fn a_dry_run_lists_the_target_of_each_factor_and_writes_nothing() {
    let folder = stripped();
    folder.copy("torch112_nested_functions_op15", "functions.onnx");
    let before = folder.listing();
    let said = folder.run("fold -n model.onnx").exits(0);
    golden("fold_dry_run", said.text());
    let said = folder.run("fold -n functions.onnx").exits(0);
    golden("fold_dry_run_refused", said.text());
    assert!(folder.listing() == before, "a dry run touched a file");
}

#[test]
fn reports() {
    let folder = stripped();
    golden(
        "fold_classic_mask",
        folder.run("fold model.onnx").exits(0).text(),
    );
    folder.copy("paddle_downscale_op7", "paddle.onnx");
    golden(
        "fold_paddle",
        folder.run("fold paddle.onnx -v").exits(0).text(),
    );
    let said = folder
        .run("fold model.onnx again.onnx --format json")
        .exits(0);
    let mut document = said.json();
    document["verification"]["run"]["engine"] = "tract VERSION".into();
    golden(
        "fold_json",
        &serde_json::to_string_pretty(&document).unwrap(),
    );
}

#[test]
fn nothing_to_fold_is_the_same_file() {
    let folder = Folder::with("torch_course_eval_op17", "model.onnx");
    let said = folder.run("fold model.onnx").exits(0);
    assert!(
        said.text().contains("no constant factor in this file"),
        "{}",
        said.text()
    );
    assert_eq!(folder.read("model.folded.onnx"), folder.read("model.onnx"));
    let before = folder.listing();
    folder.run("fold --in-place model.onnx").exits(0);
    assert!(folder.listing() == before);
}

#[test]
fn after_strip_in_a_pipe() {
    let folder = Folder::with(CLASSIC, "classic.onnx");
    let stripped = folder.run("strip classic.onnx -").exits(0).stdout;
    let folded = folder.run_fed("fold - -", stripped).exits(0).stdout;
    folder.run("strip classic.onnx model.onnx").exits(0);
    folder.run("fold model.onnx").exits(0);
    assert_eq!(folder.read("model.folded.onnx"), folded);
}

#[test]
fn one_factor_by_name() {
    let folder = stripped();
    let said = folder.run("fold model.onnx --at /Mul_output_0").exits(0);
    assert!(said.text().contains("1 can be folded"), "{}", said.text());
    folder.refuses(
        "fold model.onnx b.onnx --at nothing",
        &["`nothing` is no product", "model.onnx"],
    );
    folder.refuses("fold model.onnx b.onnx --only mask", &["'mask'", "dropout"]);
}

/// Outputs that differ by more than is asked for: nothing is written.
#[test]
fn a_tolerance_that_is_not_kept_writes_nothing() {
    let folder = stripped();
    let said = folder.run("fold model.onnx --rtol 0").exits(1);
    assert!(
        said.text()
            .contains("nothing: the result differs from the original"),
        "{}",
        said.text()
    );
    assert!(!folder.exists("model.folded.onnx"));
    folder
        .run("fold model.onnx --rtol 1e-5 --atol 1e-6")
        .exits(0);
}

/// tract has no operator for it, and a fold is not taken on trust.
#[test]
fn what_cannot_be_run_is_not_written_unless_asked() {
    use crate::common::build::{f32_scalar, f32s, graph, model, op};
    use prost::Message;
    let nodes = ["h = Mul(x, s)", "k = MatMul(h, w)", "y = other::Thing(k)"].map(op);
    let graph = graph(nodes)
        .input("x")
        .output("y")
        .init("s", f32_scalar(0.5))
        .init("w", f32s(&[3, 3], &[1.0; 9]));
    let folder = Folder::new();
    folder.write(
        "model.onnx",
        model(17, graph).imports("other", 1).encode_to_vec(),
    );
    folder.refuses(
        "fold model.onnx",
        &["cannot be verified", "Thing", "--verify structure"],
    );
    let said = folder.run("fold model.onnx --verify structure").exits(0);
    assert!(
        said.text()
            .contains("except for the changes: 1 factor, 1 use of weights")
    );
}
