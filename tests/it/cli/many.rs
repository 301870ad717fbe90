//! Many models: folders, lists, order, and what cannot be read.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::symlink;
use std::process::{Command, Stdio};

use rustix::fs::{CWD, FileType, Mode, mknodat};

use crate::common::cli::Folder;

/// A tree of models, one of them active.
fn tree() -> Folder {
    let folder = Folder::new();
    for name in ["models/sub/deep", "models/.cache", "models/built"] {
        fs::create_dir_all(folder.path(name)).unwrap();
    }
    for name in [
        "b.onnx",
        "models/a.onnx",
        "models/sub/deep/c.onnx",
        "models/sub/d.ort",
        "models/.hidden.onnx",
        "models/.cache/e.onnx",
        "models/built/f.onnx",
        "models/sub/no.onnx",
    ] {
        folder.copy("torch_course_eval_op17", name);
    }
    folder.copy("torch_course_preserve_op17", "models/z.onnx");
    folder.write("models/notes.txt", "no model");
    folder.write(".gitignore", "built/\n");
    folder.write("models/sub/.gitignore", "/no.onnx\n");
    folder
}

/// The paths that a run audited, or failed to.
fn paths(folder: &Folder, arguments: &str) -> Vec<String> {
    fed(folder, arguments, "")
}

fn fed(folder: &Folder, arguments: &str, stdin: impl Into<Vec<u8>>) -> Vec<String> {
    let said = folder.run_fed(&format!("audit --format json {arguments}"), stdin);
    let document = said.json();
    let models = document["models"].as_array().unwrap();
    let path = |model: &serde_json::Value| model["path"].as_str().unwrap().to_string();
    models.iter().map(path).collect()
}

const FOUND: [&str; 3] = ["models/a.onnx", "models/sub/deep/c.onnx", "models/z.onnx"];

#[test]
fn folders_are_searched() {
    let folder = tree();
    assert_eq!(paths(&folder, "models"), FOUND);
    assert_eq!(paths(&folder, "models/"), FOUND);
    assert_eq!(paths(&folder, "."), [&["b.onnx"], &FOUND[..]].concat());
    assert_eq!(paths(&folder, "models/sub"), ["models/sub/deep/c.onnx"]);
    folder.run("audit models").exits(1);
    folder.run("audit models/sub").exits(0);
    // A folder is no model, whatever it is called.
    fs::create_dir(folder.path("models/sub/dir.onnx")).unwrap();
    folder.copy("torch_course_eval_op17", "models/sub/dir.onnx/g.onnx");
    let expected = ["models/sub/deep/c.onnx", "models/sub/dir.onnx/g.onnx"];
    assert_eq!(paths(&folder, "models/sub"), expected);
}

#[test]
fn a_file_named_is_audited_whatever_it_is_called() {
    let folder = tree();
    for name in [
        "models/.hidden.onnx",
        "models/built/f.onnx",
        "models/sub/no.onnx",
        "models/sub/d.ort",
    ] {
        assert_eq!(paths(&folder, name), [name]);
    }
    // And a folder that is hidden or ignored, when it is named.
    assert_eq!(paths(&folder, "models/.cache"), ["models/.cache/e.onnx"]);
}

#[test]
fn gitignore_is_respected_by_default() {
    let folder = tree();
    let all = [
        "models/a.onnx",
        "models/built/f.onnx",
        "models/sub/deep/c.onnx",
        "models/sub/no.onnx",
        "models/z.onnx",
    ];
    assert_eq!(paths(&folder, "models --no-ignore"), all);
    fs::remove_file(folder.path(".gitignore")).unwrap();
    fs::remove_file(folder.path("models/sub/.gitignore")).unwrap();
    assert_eq!(paths(&folder, "models"), all);
}

#[test]
fn globs_choose_by_name_or_path() {
    let folder = tree();
    for (globs, expected) in [
        ("--glob *.ort", &["models/sub/d.ort"][..]),
        ("--glob [ac].onnx", &FOUND[..2]),
        ("--glob sub/*", &["models/sub/d.ort"]),
        ("--glob sub/**/*.onnx", &["models/sub/deep/c.onnx"]),
        (
            "--glob *.ort --glob z*",
            &["models/sub/d.ort", "models/z.onnx"],
        ),
    ] {
        assert_eq!(paths(&folder, &format!("models {globs}")), expected);
    }
    folder.refuses("audit models --glob [", &["--glob [: unclosed character"]);
}

#[test]
fn a_folder_without_models_is_an_error() {
    let folder = tree();
    let names = ["models/built/x: no file in this folder matches *.onnx"];
    fs::create_dir(folder.path("models/built/x")).unwrap();
    folder.refuses("audit models/built/x", &names);
    folder.refuses("audit models --glob *.tflite", &["matches *.tflite"]);
    let said = folder.run("audit models/a.onnx models/built/x").exits(2);
    assert!(said.text().contains("models/a.onnx: clean"));
}

#[test]
fn no_model_comes_twice() {
    let folder = tree();
    let whole = folder.path("models/a.onnx");
    let arguments = format!(
        "models/a.onnx models ./models/a.onnx models/sub/../a.onnx {}",
        whole.display()
    );
    assert_eq!(paths(&folder, &arguments), FOUND);
    // A link is another name, and may lead elsewhere tomorrow.
    symlink("a.onnx", folder.path("models/latest.onnx")).unwrap();
    assert!(paths(&folder, "models").contains(&"models/latest.onnx".to_string()));
}

#[test]
fn the_order_is_that_of_the_arguments() {
    let folder = tree();
    assert_eq!(
        paths(&folder, "models/z.onnx b.onnx models"),
        ["models/z.onnx", "b.onnx", FOUND[0], FOUND[1]]
    );
    let mut arguments = String::new();
    for i in 0..60 {
        let stem = match i % 3 {
            0 => "torch_mask_output_op13",
            1 => "keras_lstm_loop_op11",
            _ => "torch_course_eval_op17",
        };
        let name = format!("{:02}.onnx", (i * 37) % 60);
        folder.copy(stem, &name);
        arguments = format!("{arguments} {name}");
    }
    for format in ["text", "json", "jsonl", "sarif", "github"] {
        let run = |jobs: usize| {
            let said = folder.run(&format!("audit{arguments} --format {format} -j {jobs}"));
            said.exits(1).stdout
        };
        let one = run(1);
        assert!(one.len() > 1000);
        for jobs in [2, 8] {
            assert!(run(jobs) == one, "{format}, {jobs} jobs");
        }
    }
    let names: Vec<&str> = arguments.split_whitespace().collect();
    assert_eq!(paths(&folder, &arguments), names);
    folder.refuses("audit b.onnx --jobs 0", &["--jobs"]);
}

#[test]
fn files_and_standard_input_list_paths() {
    let folder = tree();
    folder.copy("torch_course_eval_op17", "with blank.onnx");
    for (list, expected) in [
        ("b.onnx\n", &["b.onnx"][..]),
        ("b.onnx", &["b.onnx"]),
        (
            "with blank.onnx\r\n\r\nb.onnx\r\n",
            &["with blank.onnx", "b.onnx"],
        ),
        (
            "models\nb.onnx\nmodels/a.onnx\n",
            &[&FOUND[..], &["b.onnx"]].concat(),
        ),
        ("missing.onnx\nb.onnx\n", &["missing.onnx", "b.onnx"]),
    ] {
        assert_eq!(fed(&folder, "--files-from -", list), expected, "{list:?}");
        folder.write("list", list);
        assert_eq!(fed(&folder, "--files-from list", ""), expected, "{list:?}");
    }
    let expected = ["models/z.onnx", "models/a.onnx", "b.onnx"];
    let arguments = "models/z.onnx --files-from - models/a.onnx";
    assert_eq!(fed(&folder, arguments, "b.onnx\n"), expected);
}

#[test]
fn standard_input_is_a_model_or_a_list() {
    let folder = tree();
    let model = folder.read("models/z.onnx");
    let said = folder.run_fed("audit -", model.clone()).exits(1);
    assert!(said.text().contains("-: active"), "{}", said.text());
    let said = folder.run_fed("audit -", "models/z.onnx").exits(2);
    assert!(
        said.stderr.contains("error: standard input: a text file"),
        "{}",
        said.stderr
    );
    for stdin in [&model[..], b"\xff\xfe", b"a.onnx\0b.onnx"] {
        let said = folder.run_fed("audit --files-from -", stdin);
        said.refused(&["standard input: is not a list of paths, one per line"]);
    }
    for empty in ["", "\n\n"] {
        let said = folder.run_fed("audit --files-from -", empty);
        said.refused(&["standard input: no paths in the list"]);
    }
}

#[test]
fn unreadable_models_are_reported_and_the_rest_audited() {
    let folder = tree();
    symlink("nowhere", folder.path("models/gone.onnx")).unwrap();
    symlink("models", folder.path("models/loop.onnx")).unwrap();
    folder.write("models/broken.onnx", "no model");
    mknodat(
        CWD,
        folder.path("models/pipe.onnx"),
        FileType::Fifo,
        Mode::RUSR,
        0,
    )
    .unwrap();
    let said = folder.run("audit models missing.onnx").exits(2);
    let mut errors: Vec<&str> = said.stderr.lines().collect();
    errors.sort_unstable();
    assert_eq!(
        errors,
        [
            "error: missing.onnx: cannot open: No such file or directory",
            "error: models/broken.onnx: a text file, not an ONNX model; it may be the message of a download that failed",
            "error: models/gone.onnx: cannot open: No such file or directory",
            "error: models/loop.onnx: cannot open: No such file or directory",
        ]
    );
    let summary = "7 models: 1 active, 2 clean, 4 unreadable; 2 errors";
    assert_eq!(said.text().lines().last(), Some(summary));
}

#[test]
fn lines_of_json_come_as_soon_as_they_can() {
    let folder = tree();
    let mut child = Command::new(assert_cmd::cargo::cargo_bin!("dropout-onnx"))
        .args(["audit", "b.onnx", "/dev/stdin", "--format", "jsonl"])
        .current_dir(folder.path(""))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    stdout.read_line(&mut line).unwrap();
    assert!(line.starts_with(r#"{"path":"b.onnx""#), "{line}");
    // The other model exists only now.
    let mut pipe = child.stdin.take().unwrap();
    pipe.write_all(&folder.read("models/z.onnx")).unwrap();
    drop(pipe);
    let mut rest = String::new();
    stdout.read_to_string(&mut rest).unwrap();
    assert!(rest.starts_with(r#"{"path":"/dev/stdin""#), "{rest}");
    assert_eq!(child.wait().unwrap().code(), Some(1));
}

#[test]
fn a_reader_that_leaves_changes_neither_the_run_nor_its_status() {
    let folder = Folder::new();
    let names: Vec<String> = (0..500).map(|i| format!("{i}.onnx")).collect();
    for name in &names {
        folder.copy("keras_lstm_loop_op11", name);
    }
    for format in ["jsonl", "json", "text"] {
        let mut child = Command::new(assert_cmd::cargo::cargo_bin!("dropout-onnx"))
            .args(["audit", ".", "-v", "--format", format])
            .current_dir(folder.path(""))
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut first = [0; 10];
        let mut stdout = child.stdout.take().unwrap();
        stdout.read_exact(&mut first).unwrap();
        drop(stdout);
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{format}");
        assert_eq!(String::from_utf8(output.stderr).unwrap(), "");
    }
}

#[test]
fn progress_is_for_terminals() {
    let folder = tree();
    let said = folder.run("audit . --color always").exits(1);
    assert_eq!(said.stderr, "");
    assert!(!said.text().contains("auditing"));
    // `script` gives its command a terminal.
    let program = assert_cmd::cargo::cargo_bin!("dropout-onnx")
        .display()
        .to_string();
    let on_terminal = |arguments: &str| {
        let mut command = Command::new("script");
        let command = command
            .args([
                "-qec",
                &format!("{program} audit . {arguments}"),
                "/dev/null",
            ])
            .env("TERM", "xterm-256color")
            .current_dir(folder.path(""))
            .stdin(Stdio::null());
        String::from_utf8(command.output().unwrap().stdout).unwrap()
    };
    let said = on_terminal("");
    assert!(said.contains("auditing"), "{said}");
    assert!(!on_terminal("-q").contains("auditing"));
}

#[test]
fn a_report_is_written_to_a_file() {
    let folder = tree();
    for format in ["text", "json", "jsonl", "junit"] {
        let arguments = format!("audit models --format {format}");
        let expected = folder.run(&arguments).exits(1).stdout;
        folder.write("report", "old");
        let said = folder.run(&format!("{arguments} --color always -o report"));
        assert!(said.exits(1).stdout.is_empty());
        assert!(folder.read("report") == expected, "{format}");
    }
    folder.refuses(
        "audit models -o nowhere/report",
        &["nowhere/report: cannot write"],
    );
}

#[test]
fn a_report_never_overwrites_a_model() {
    let folder = tree();
    symlink("models/a.onnx", folder.path("link")).unwrap();
    for output in ["models/a.onnx", "models/../models/z.onnx", "link"] {
        folder.refuses(
            &format!("audit models -o {output}"),
            &["is one of the models"],
        );
    }
}
