//! Places that cannot be written to, and runs that do not come to their end.

use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};
use std::time::Duration;

use dropout_onnx::onnx::DataType;
use prost::Message;

use super::sound;
use crate::common::build::{model, raw};
use crate::common::cli::{Folder, Said};

const STEM: &str = "torch_mask_output_op13";

fn folder() -> Folder {
    Folder::with(STEM, "model.onnx")
}

/// A sound model with this many bytes of weights.
fn large(size: usize) -> Vec<u8> {
    let weights = raw(DataType::FLOAT, &[size as i64 / 4], &vec![0x3f; size]);
    model(13, sound().main().clone().init("w", weights)).encode_to_vec()
}

#[test]
fn a_destination_that_is_no_place() {
    let folder = folder();
    std::fs::create_dir(folder.path("sub")).unwrap();
    folder.write("file", "");
    for (out, why) in [
        ("missing/out.onnx", "the folder missing does not exist"),
        (
            "missing/deeper/out.onnx",
            "the folder missing/deeper does not exist",
        ),
        ("file/out.onnx", "file is not a folder"),
        ("sub", "is a folder"),
        ("sub/", "is a folder"),
        (".", "is a folder"),
        ("/", "is a folder"),
        ("/proc/x", "cannot write"),
        ("new/", ""),
        ("", ""),
    ] {
        let before = folder.listing();
        let said = folder.run_all(&["strip", "model.onnx", "-o", out]);
        said.refused(&[out, why]);
        assert!(folder.listing() == before, "{out}");
    }
}

#[test]
fn a_full_disk_by_device() {
    let folder = folder();
    let names = ["/dev/full: cannot write: No space left on device"];
    folder.refuses("strip model.onnx /dev/full", &names);
    let mut command = Command::new(assert_cmd::cargo::cargo_bin!("dropout-onnx"));
    let full = std::fs::File::options()
        .write(true)
        .open("/dev/full")
        .unwrap();
    command
        .args(["strip", "model.onnx", "-"])
        .current_dir(folder.path(""));
    let output = command.stdout(full).output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(
        stderr,
        "error: standard output: cannot write: No space left on device\n"
    );
}

/// A file system of 64 KiB in a mount namespace of its own, where the system lets us have one.
#[test]
fn a_full_disk_keeps_the_old_file() {
    let folder = Folder::new();
    folder.write("model.onnx", large(1 << 20));
    std::fs::create_dir(folder.path("full")).unwrap();
    let binary = assert_cmd::cargo::cargo_bin!("dropout-onnx");
    let script = r#"
        mount -t tmpfs -o size=64k none full || exit 99
        echo old > full/out.onnx
        "$1" strip model.onnx full/new.onnx; echo "status $?"
        "$1" strip --force model.onnx full/out.onnx; echo "status $?"
        ls -A full; cat full/out.onnx
    "#;
    let mut command = Command::new("unshare");
    command.args(["--mount", "--map-root-user", "sh", "-c", script, "sh"]);
    let output = match command.arg(binary).current_dir(folder.path("")).output() {
        Ok(output) if ![1, 99].contains(&output.status.code().unwrap_or(1)) => output,
        refused => {
            eprintln!("SKIPPED: no file system of our own to fill: {refused:?}");
            return;
        }
    };
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(
        stderr,
        "error: full/new.onnx: cannot write: No space left on device\n\
         error: full/out.onnx: cannot write: No space left on device\n"
    );
    let stdout = String::from_utf8(output.stdout).unwrap();
    assert_eq!(stdout, "status 2\nstatus 2\nout.onnx\nold\n");
}

#[test]
fn a_closed_pipe() {
    let folder = Folder::new();
    folder.write("model.onnx", large(1 << 20));
    let before = folder.listing();
    let mut child = Command::new(assert_cmd::cargo::cargo_bin!("dropout-onnx"))
        .args(["strip", "model.onnx", "-", "--verify", "none"])
        .current_dir(folder.path(""))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut first = [0; 10];
    let mut pipe = child.stdout.take().unwrap();
    std::io::Read::read_exact(&mut pipe, &mut first).unwrap();
    drop(pipe);
    let output = child.wait_with_output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{stderr}");
    assert_eq!(
        stderr,
        "error: standard output: cannot write: Broken pipe\n"
    );
    assert!(folder.listing() == before);
}

#[test]
fn a_killed_run_keeps_the_old_file_and_its_permissions() {
    let folder = Folder::new();
    let bytes = large(64 << 20);
    folder.write("model.onnx", &bytes);
    let private = std::fs::Permissions::from_mode(0o600);
    std::fs::set_permissions(folder.path("model.onnx"), private).unwrap();
    let mut strip = folder.command();
    Said::new(strip.args(["strip", "model.onnx", "--verify", "none"])).exits(0);
    let stripped = folder.read("model.stripped.onnx");
    std::fs::remove_file(folder.path("model.stripped.onnx")).unwrap();
    let temporary = || {
        let entries = std::fs::read_dir(folder.path("")).unwrap();
        let mut paths = entries.map(|entry| entry.unwrap().path());
        paths.find(|path| path.file_name().unwrap() != "model.onnx")
    };
    let mut killed = 0;
    for attempt in 0..12 {
        let mut child = Command::new(assert_cmd::cargo::cargo_bin!("dropout-onnx"))
            .args(["strip", "--in-place", "model.onnx", "--verify", "none"])
            .current_dir(folder.path(""))
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(Duration::from_millis(attempt * 8));
        child.kill().unwrap();
        if child.wait().unwrap().code().is_some() {
            folder.write("model.onnx", &bytes); // it was faster; once more
            continue;
        }
        killed += 1;
        // a kill after the last step finds the result in place
        let now = folder.read("model.onnx");
        assert!(now == bytes || now == stripped, "the model is torn");
        let mode = |path: &std::path::Path| path.metadata().unwrap().permissions().mode();
        assert_eq!(mode(&folder.path("model.onnx")) & 0o077, 0);
        // where files without names exist, nothing is left but in the moment of the rename
        if let Some(left) = temporary() {
            assert_eq!(mode(&left) & 0o077, 0, "{}", left.display());
            let name = left.file_name().unwrap().to_str().unwrap();
            assert!(name.starts_with(".dropout-onnx-"), "{name}");
            std::fs::remove_file(left).unwrap();
        }
        folder.write("model.onnx", &bytes);
    }
    assert!(killed > 0, "every run was over before it could be killed");
    Said::new(folder.command().args(["strip", "-i", "model.onnx"])).exits(0);
    assert_eq!(folder.listing().len(), 1);
}
