//! What `show` prints.

use std::io::{ErrorKind, PipeWriter, Write};
use std::process::{Command, Stdio};

use crate::common::cli::{Folder, fixture, golden};

#[test]
fn the_same_text_for_a_file_and_for_standard_input() {
    let folder = Folder::with("torch_mask_output_op13", "model.onnx");
    let file = folder.run("show model.onnx").exits(0);
    let stdin = folder.run_fed("show -", folder.read("model.onnx")).exits(0);
    assert!(file.stderr.is_empty() && stdin.stderr.is_empty());
    assert_eq!(file.text(), stdin.text());
    assert!(file.text().contains("Dropout"), "{}", file.text());
}

/// The end to write to of a pipe whose reader has left, before anybody is started: what a pipe holds
/// is written without error as long as there is a reader. Another thread's fork may have one until
/// its exec, so that only a failed write shows that there is none.
fn pipe_nobody_reads() -> PipeWriter {
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
fn a_reader_that_leaves_is_no_reason_to_panic() {
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
            .stdout(pipe_nobody_reads())
            .output()
            .unwrap();
        let stderr = String::from_utf8_lossy(&said.stderr);
        assert_eq!(said.status.code(), Some(2), "{arguments:?}: {stderr}");
        assert_eq!(
            stderr, "error: standard output: cannot write: Broken pipe\n",
            "{arguments:?}"
        );
    }
}

/// A model, a snapshot of it, and the model as strip leaves it.
fn with_snapshot(arguments: &str) -> Folder {
    let folder = Folder::with("torch_mask_output_op13", "model.onnx");
    let said = folder.run(&format!(
        "show model.onnx --check model.snap --update {arguments}"
    ));
    assert_eq!(said.exits(0).text(), "model.snap: written\n");
    folder.run("strip model.onnx stripped.onnx").exits(0);
    folder
}

#[test]
fn a_snapshot_is_compared_and_a_change_shown() {
    let folder = with_snapshot("");
    let printed = folder.run("show model.onnx").exits(0).stdout;
    assert_eq!(folder.read("model.snap"), printed);
    let before = folder.listing();
    let said = folder.run("show model.onnx --check model.snap").exits(0);
    assert_eq!(said.text(), "model.snap: unchanged\n");
    let said = folder.run("show stripped.onnx --check model.snap").exits(1);
    assert!(said.stderr.is_empty(), "{}", said.stderr);
    golden("show_check", said.text());
    assert!(folder.listing() == before, "a check wrote something");
    let quiet = folder
        .run("-q show stripped.onnx --check model.snap")
        .exits(1);
    assert!(quiet.stdout.is_empty() && quiet.stderr.is_empty());
    // accepted
    let said = folder
        .run("show stripped.onnx --check model.snap --update")
        .exits(0);
    assert!(
        said.text().ends_with("model.snap: written\n"),
        "{}",
        said.text()
    );
    folder.run("show stripped.onnx --check model.snap").exits(0);
    folder.run("show model.onnx --check model.snap").exits(1);
}

#[test]
fn a_snapshot_records_its_options() {
    for options in [
        "--anonymous",
        "--no-hash",
        "--anonymous --no-hash",
        "--format json --no-hash",
    ] {
        let folder = with_snapshot(options);
        folder.run("show model.onnx --check model.snap").exits(0);
        folder.run("show stripped.onnx --check model.snap").exits(1);
    }
    // what is asked for rules
    let folder = with_snapshot("--anonymous");
    let said = folder
        .run("show model.onnx --check model.snap --no-hash")
        .exits(1);
    let text = said.text();
    assert!(
        text.contains("-dropout-onnx show 1 anonymous\n+dropout-onnx show 1 no-hash\n"),
        "{text}"
    );
    let end = "model.snap: the snapshot has different options: `dropout-onnx show 1 anonymous`; \
               --update accepts the new snapshot\n";
    assert!(text.ends_with(end), "{text}");
    // text and JSON have no line in common
    let said = folder
        .run("show model.onnx --check model.snap --anonymous --format json")
        .exits(1);
    assert_eq!(said.text(), end);
    let folder = with_snapshot("--format json");
    let said = folder
        .run("show model.onnx --check model.snap --format text")
        .exits(1);
    let end = "model.snap: the snapshot has different options: `dropout-onnx show 1`, as JSON; \
               --update accepts the new snapshot\n";
    assert_eq!(said.text(), end);
    folder
        .run("show model.onnx --check model.snap --format text --update")
        .exits(0);
    let text = folder.run("show model.onnx").exits(0);
    assert_eq!(folder.read("model.snap"), text.stdout);
}

#[test]
fn snapshots_of_another_form_lines_and_files_of_insta_are_read() {
    let folder = with_snapshot("");
    let text = String::from_utf8(folder.read("model.snap")).unwrap();
    folder.write("model.snap", text.replace('\n', "\r\n"));
    folder.run("show model.onnx --check model.snap").exits(0);
    let front = "---\nsource: tests/x.rs\nexpression: text\n---\n";
    folder.write("model.snap", format!("{front}{}", text.trim_end()));
    folder.run("show model.onnx --check model.snap").exits(0);
    folder
        .run("show stripped.onnx --check model.snap --update")
        .exits(0);
    let after = String::from_utf8(folder.read("model.snap")).unwrap();
    assert!(
        after.starts_with(&format!("{front}dropout-onnx show 1\n")),
        "{after}"
    );
    folder.write("model.snap", text.replace("show 1", "show 0"));
    let said = folder.run("show model.onnx --check model.snap").exits(1);
    assert!(
        said.text()
            .contains("-dropout-onnx show 0\n+dropout-onnx show 1\n")
    );
}

#[test]
fn what_is_no_snapshot_is_not_written_over() {
    let folder = with_snapshot("");
    folder.write("notes.txt", "to do\n");
    folder.write("empty.snap", "");
    folder.write("package.json", "{\"schema\": \"other/1\"}\n");
    folder.write("broken.snap", "{\n  \"schema\": \"dropout-onnx/show/1\",\n");
    for (arguments, names) in [
        (
            "show model.onnx --check missing.snap",
            &["missing.snap", "--update"][..],
        ),
        (
            "show model.onnx --check notes.txt --update",
            &["notes.txt", "is not a snapshot"],
        ),
        (
            "show model.onnx --check empty.snap --update",
            &["empty.snap", "is not a snapshot"],
        ),
        (
            "show model.onnx --check package.json --update",
            &["package.json", "is not a snapshot"],
        ),
        (
            "show model.onnx --check broken.snap --format json --update",
            &["broken.snap", "is not a snapshot"],
        ),
        (
            "show model.onnx --check model.onnx --update",
            &["is one of the audited models"],
        ),
        (
            "show model.onnx --check stripped.onnx --update",
            &["is not a snapshot"],
        ),
        (
            "show model.onnx --check model.snap --format svg",
            &["text and json"],
        ),
        ("show model.onnx --update", &["--check"]),
        (
            "show missing.onnx --check model.snap --update",
            &["missing.onnx"],
        ),
        (
            "show model.onnx --check nowhere/model.snap --update",
            &["nowhere/model.snap"],
        ),
    ] {
        folder.refuses(arguments, names);
    }
}

#[test]
fn every_format_is_printed() {
    let folder = Folder::with("torch_scripted_if_op13", "model.onnx");
    for (format, beginning) in [
        ("text", "dropout-onnx show 1\n"),
        ("json", "{\n  \"schema\": \"dropout-onnx/show/1\""),
        ("dot", "digraph model {"),
        ("svg", "<svg xmlns="),
    ] {
        let said = folder
            .run(&format!("show model.onnx --format {format}"))
            .exits(0);
        assert!(
            said.text().starts_with(beginning),
            "{format}: {}",
            said.text()
        );
        assert!(said.stderr.is_empty());
    }
}
