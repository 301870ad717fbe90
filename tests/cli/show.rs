//! What `show` prints.

use std::io::Read;
use std::process::{Command, Stdio};

use crate::cli::{Folder, fixture};

#[test]
fn the_same_text_for_a_file_and_for_standard_input() {
    let folder = Folder::with("torch_mask_output_op13", "model.onnx");
    let file = folder.run("show model.onnx").exits(0);
    let stdin = folder.run_fed("show -", folder.read("model.onnx")).exits(0);
    assert!(file.stderr.is_empty() && stdin.stderr.is_empty());
    assert_eq!(file.text(), stdin.text());
    assert!(file.text().contains("Dropout"), "{}", file.text());
}

#[test]
fn a_reader_that_leaves_is_no_reason_to_panic() {
    let binary = assert_cmd::cargo::cargo_bin!("dropout-onnx");
    let model = fixture("torch24_function_op18");
    let model = model.to_str().unwrap();
    for arguments in [
        vec!["show", model],
        vec!["audit", model],
        vec!["audit", "--format", "json", model],
        vec!["verify", "--verify", "structure", model, model],
        vec!["strip", "--verify", "none", model, "-"],
        vec!["strip", "--dry-run", model],
    ] {
        let mut child = Command::new(binary)
            .args(&arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        drop(child.stdout.take());
        let mut stderr = String::new();
        child
            .stderr
            .take()
            .unwrap()
            .read_to_string(&mut stderr)
            .unwrap();
        let status = child.wait().unwrap().code();
        assert_eq!(status, Some(2), "{arguments:?}: {stderr}");
        assert_eq!(
            stderr, "error: standard output: cannot write: Broken pipe\n",
            "{arguments:?}"
        );
    }
}
