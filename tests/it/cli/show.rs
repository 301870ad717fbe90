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
fn a_closed_pipe_ends_quietly() {
    let binary = assert_cmd::cargo::cargo_bin!("dropout-onnx");
    let model = fixture("torch24_function_op18");
    let model = model.to_str().unwrap();
    for arguments in [
        vec!["show", model],
        vec!["show", model, "--format", "svg"],
        vec!["diff", model, model],
        vec!["strip", "--check", model],
        vec!["audit", model],
        vec!["audit", "--format", "json", model],
        vec!["verify", "--verify", "structure", model, model],
        vec!["strip", "--verify", "none", model, "-"],
        vec!["strip", "--dry-run", model],
    ] {
        let said = Command::new(binary)
            .args(&arguments)
            .stdin(Stdio::null())
            .stdout(closed_pipe())
            .output()
            .unwrap();
        let stderr = String::from_utf8_lossy(&said.stderr);
        assert_eq!(said.status.code(), Some(2), "{arguments:?}: {stderr}");
        // of a model that is written to standard output, something is lost
        let expected = match arguments.last() {
            Some(&"-") => "error: standard output: cannot write: Broken pipe\n",
            _ => "",
        };
        assert_eq!(stderr, expected, "{arguments:?}");
    }
}
