//! What `show` prints.

use std::io::{ErrorKind, PipeWriter, Write};
use std::process::{Command, Stdio};

use crate::common::cli::fixture;

/// The end to write to of a pipe whose reader has left, before anybody is started: what a pipe holds
/// is written without error as long as there is a reader. Another thread's fork may have one until
/// its exec, so that only a failed write shows that there is none.
fn closed_pipe() -> PipeWriter {
    let (reader, mut writer) = std::io::pipe().unwrap();
    drop(reader);
    let error = loop {
        if let Err(error) = writer.write_all(b"x") {
            break error;
        }
    };
    assert_eq!(error.kind(), ErrorKind::BrokenPipe);
    writer
}

#[test]
fn a_closed_pipe_ends_quietly_with_the_status_of_the_whole_run() {
    let binary = assert_cmd::cargo::cargo_bin!("dropout-onnx");
    let model = fixture("torch24_function_op18");
    let model = model.to_str().unwrap();
    let run = |arguments: &[&str], stdout: Stdio| {
        let mut command = Command::new(binary);
        command.args(arguments).stdin(Stdio::null()).stdout(stdout);
        let said = command.output().unwrap();
        let stderr = String::from_utf8(said.stderr).unwrap();
        (said.status.code(), stderr)
    };
    let mut statuses = Vec::new();
    for arguments in [
        &["show", model][..],
        &["show", model, "--format", "svg"],
        &["diff", model, model],
        &["strip", "--check", model],
        &["audit", model],
        &["audit", "--format", "jsonl", model],
        &["verify", "--verify", "structure", model, model],
        &["strip", "--dry-run", model],
    ] {
        let read = run(arguments, Stdio::null());
        assert_eq!(read.1, "", "{arguments:?}");
        assert_eq!(run(arguments, closed_pipe().into()), read, "{arguments:?}");
        statuses.push(read.0.unwrap());
    }
    statuses.dedup();
    assert_eq!(statuses, [0, 1, 0]);
    // models after the last one that was read are left out, where each has lines of its own
    for format in ["jsonl", "concise"] {
        let arguments = ["audit", "--format", format, model, "missing.onnx"];
        let (status, stderr) = run(&arguments, Stdio::null());
        assert!(status == Some(2) && stderr.starts_with("error: missing.onnx: "));
        let read = run(&arguments, closed_pipe().into());
        assert_eq!(read, (Some(0), String::new()), "{format}");
    }
    // of a model that is written to standard output, something is lost
    let model = run(
        &["strip", "--verify", "none", model, "-"],
        closed_pipe().into(),
    );
    let expected = "error: standard output: cannot write: Broken pipe\n";
    assert_eq!(model, (Some(2), expected.to_string()));
}
