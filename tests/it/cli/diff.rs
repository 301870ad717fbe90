//! What `diff` finds, in the report of `strip`.

use crate::common::cli::Folder;

#[test]
fn strip_reports_the_same_diff() {
    let folder = Folder::with("torch_mlp_training_op7", "a.onnx");
    folder.run("strip a.onnx b.onnx").exits(0);
    let diff = folder.run("diff -v a.onnx b.onnx").exits(1);
    let lines = diff.text().lines().skip_while(|line| *line != "graph");
    let lines: Vec<_> = lines.collect();
    assert!(lines.len() > 4);
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
