//! The examples in every `--help` are run, on models that are called as they call them.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use assert_cmd::Command;
use dropout_onnx::onnx::DataType;
use ndarray_npy::write_npy;
use prost::Message;

use super::help::subcommands;
use crate::common::build::*;
use crate::common::cli::{Folder, Said, golden, test_data};

/// A line of `Examples:`, and what stands behind it.
struct Example {
    line: String,
    remark: String,
}

/// The examples in the help of a subcommand.
fn examples(subcommand: &str) -> Vec<Example> {
    let help = Folder::new().run(&format!("{subcommand} --help")).exits(0);
    let lines = help.text().split("\nExamples:\n").nth(1);
    let lines = lines.expect("examples").lines();
    let lines = lines.take_while(|line| !line.is_empty());
    lines
        .map(|line| {
            let line = line.trim();
            let (line, remark) = line.split_once("   ").unwrap_or((line, ""));
            let (line, remark) = (line.to_string(), remark.trim().to_string());
            Example { line, remark }
        })
        .collect()
}

/// A transformer's feed-forward layers, for examples that name such.
fn encoder() -> Vec<u8> {
    let nodes = [
        op("a = MatMul(x, w)").named("/encoder/layers.0/linear1/MatMul"),
        op("r = Relu(a)").named("/encoder/layers.0/activation/Relu"),
        op("l = MatMul(r, w)").named("/encoder/layers.0/linear2/MatMul"),
        op("d = Dropout(l, ratio, on)").named("/encoder/layers.0/dropout2/Dropout"),
        op("y = Add(d, x)").named("/encoder/layers.0/Add"),
    ];
    let graph = x_to_y(nodes)
        .init("w", f32s(&[3, 3], &[0.5; 9]))
        .init("ratio", f32_scalar(0.1))
        .init("on", flag(true));
    model(17, graph).encode_to_vec()
}

/// A transformer's layer without dropout.
fn attention() -> Vec<u8> {
    let nodes = [
        op("k = Transpose(x)"),
        op("s = MatMul(x, k)"),
        op("a = Softmax(s)"),
        op("v = MatMul(a, x)"),
        op("p = MatMul(v, w)"),
        op("h = Add(p, x)"),
        op("f = MatMul(h, w)"),
        op("r = Relu(f)"),
        op("g = MatMul(r, w)"),
        op("y = Add(g, h)"),
    ];
    let graph = x_to_y(nodes).init("w", f32s(&[3, 3], &[0.5; 9]));
    model(17, graph).encode_to_vec()
}

/// Dropout before two outputs, of which one says nothing of classes.
fn tagger() -> Vec<u8> {
    let nodes = [
        op("h = Dropout(x)"),
        op("tags = MatMul(h, w)"),
        op("attention = Softmax(h)"),
    ];
    let graph = graph(nodes).input("x").output("tags").output("attention");
    model(13, graph.init("w", f32s(&[3, 3], &[0.5; 9]))).encode_to_vec()
}

/// Convolutions with activations.
fn images() -> Vec<u8> {
    let nodes = [
        op("c = Conv(x, w)").with(ints("kernel_shape", &[1, 1])),
        op("r = Relu(c)"),
        op("d = Conv(r, w)").with(ints("kernel_shape", &[1, 1])),
        op("s = Relu(d)"),
        op("y = Conv(s, w)").with(ints("kernel_shape", &[1, 1])),
    ];
    let graph = graph(nodes)
        .input_of("x", DataType::FLOAT, &[1, 2, 4, 4])
        .output_of("y", DataType::FLOAT, &[1, 2, 4, 4])
        .init("w", f32s(&[2, 2, 1, 1], &[0.5; 4]));
    model(17, graph).encode_to_vec()
}

/// A folder with all that an example names. What `model.onnx` is depends on what is done with it.
fn folder(subcommand: &str, line: &str) -> Folder {
    let folder = Folder::new();
    let copy = |stem: &str, name: &str| folder.copy(stem, name);
    let has = |part: &str| line.contains(part);
    match subcommand {
        _ if has("model.keras") => {
            for (name, to) in [("mlp.keras", "model.keras"), ("mlp.onnx", "model.onnx")] {
                let path = Path::new(env!("CARGO_MANIFEST_DIR"))
                    .join("tests/keras")
                    .join(name);
                std::fs::copy(path, folder.path(to)).unwrap();
            }
        }
        _ if has("encoder.") => folder.write("model.onnx", encoder()),
        "sample" if has("tags") => folder.write("model.onnx", tagger()),
        "insert" if has("conv") => folder.write("model.onnx", images()),
        "insert" if has("attention") => folder.write("model.onnx", attention()),
        "insert" => copy("torch_course_eval_op17", "model.onnx"),
        "fold" if !has("strip") => copy("paddle_downscale_op7", "model.onnx"),
        _ => copy("torch_course_preserve_op17", "model.onnx"),
    }
    copy("torch_course_eval_op17", "model.stripped.onnx");
    copy("torch_course_eval_op17", "pruned.onnx");
    copy("torch_course_training_op9", "trained.onnx");
    copy("torch_course_preserve_op17", "a.onnx");
    copy("torch_course_eval_op17", "b.onnx");
    copy("keras_course_train_op8", "epoch1.onnx");
    copy("keras_course_infer_op15", "epoch2.onnx");
    if line.ends_with("model.onnx") || line.contains("model.onnx -") {
        std::fs::remove_file(folder.path("model.stripped.onnx")).unwrap();
    }
    for sub in [
        "models",
        "stripped",
        "bin",
        "test_data_set_0",
        ".local/share/bash-completion/completions",
        ".zfunc",
        ".config/fish/completions",
    ] {
        std::fs::create_dir_all(folder.path(sub)).unwrap();
    }
    copy("torch_mask_output_op13", "models/one.onnx");
    copy("keras_course_infer_op15", "models/two.onnx");
    copy("torch_mask_output_op13", "stripped/one.onnx");
    copy("keras_course_infer_op15", "stripped/two.onnx");
    for entry in std::fs::read_dir(test_data("torch_course_eval_op17", 0)).unwrap() {
        let entry = entry.unwrap();
        let to = folder.path("test_data_set_0").join(entry.file_name());
        std::fs::copy(entry.path(), to).unwrap();
    }
    write_npy(
        folder.path("data.npy"),
        &ndarray::Array2::<f32>::ones((2, 20)),
    )
    .unwrap();
    let labels = ndarray::arr1(&[3i64, 5]);
    write_npy(folder.path("labels.npy"), &labels).unwrap();
    folder.write("dropout.toml", "rate = 0.2\n[[insert]]\nafter = 'Relu'\n");
    folder.write("strip.toml", "[[strip]]\nform = 'operator'\n");
    folder.write("strict.toml", "[rules]\ndeny = ['all']\n");
    if has("--baseline baseline.json") {
        let baseline = "audit models --write-baseline baseline.json";
        folder.run(baseline).exits(0);
    }
    if has("--replay evidence.json") {
        let evidence = "verify a.onnx b.onnx --evidence evidence.json";
        folder.run(evidence).exits(0);
    }
    if has("--check model.snap") && !has("--update") {
        let snapshot = "show model.onnx --check model.snap --update";
        folder.run(snapshot).exits(0);
    }
    if has("--check snapshots") {
        let snapshots = "show models --write-snapshots snapshots";
        folder.run(snapshots).exits(0);
    }
    // programs of others, which need not be on this machine
    for (name, script) in [
        ("git", "test \"$1 $2\" = 'ls-files *.onnx' && ls *.onnx"),
        ("dot", "head -c 7 | grep -q digraph && echo a picture"),
        ("man", "test \"$1 $2\" = '-l -' && grep '^.SH NAME'"),
    ] {
        let path = folder.path("bin").join(name);
        std::fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o755)).unwrap();
    }
    folder
}

/// Runs a line as a shell does.
fn run(folder: &Folder, line: &str) -> Said {
    let own = assert_cmd::cargo::cargo_bin!("dropout-onnx").parent();
    let path = std::env::var("PATH").unwrap_or_default();
    let bin = folder.path("bin");
    let path = [own.unwrap_or(Path::new("")), &bin]
        .map(|folder| folder.display().to_string())
        .into_iter()
        .chain([path]);
    let mut shell = Command::new("sh");
    shell
        .args(["-c", line])
        .current_dir(folder.path(""))
        .env("PATH", path.collect::<Vec<_>>().join(":"))
        .env("HOME", folder.path(""))
        .env("GITHUB_STEP_SUMMARY", folder.path("summary.md"))
        .env("NO_COLOR", "1");
    Said::new(&mut shell)
}

#[test]
fn examples_in_help_work() {
    let mut told = String::new();
    for subcommand in subcommands().into_iter().chain([String::new()]) {
        for Example { line, remark } in examples(&subcommand) {
            assert!(
                line.contains(&format!("dropout-onnx {subcommand}")),
                "{line}"
            );
            let folder = folder(&subcommand, &line);
            let before = folder.listing();
            let said = run(&folder, &line);
            assert!((0..=1).contains(&said.status), "{line}: {said:?}");
            // a result on standard output has its report on standard error
            assert!(!said.stderr.contains("error:"), "{line}: {}", said.stderr);
            let after = folder.listing().into_iter();
            let new = after.filter(|(path, entry)| before.get(path) != Some(entry));
            let new: Vec<_> = new.map(|(path, _)| path.display().to_string()).collect();
            // "writes model.snap", "also writes model.sample.svg"
            if let Some((_, file)) = remark.split_once("writes ")
                && !file.contains("NAME")
            {
                assert!(new.iter().any(|new| new == file), "{line}: wrote {new:?}");
            }
            told.push_str(&format!("{line}\n    {}", said.status));
            match new.is_empty() {
                true => told.push('\n'),
                false => told.push_str(&format!(", writes {}\n", new.join(", "))),
            }
        }
    }
    golden("examples", &told);
}

#[test]
fn an_example_that_does_not_work_is_seen() {
    let folder = folder("strip", "model.onnx");
    assert_eq!(run(&folder, "dropout-onnx strip modle.onnx").status, 2);
    assert_eq!(run(&folder, "dropout-onnx strip --onyl inert").status, 2);
    let elsewhere = run(&folder, "dropout-onnx show model.onnx --format dot | dot");
    assert_eq!(elsewhere.text(), "a picture\n");
    let none = run(&folder, "dropout-onnx show model.onnx --format svg | dot");
    assert_eq!(none.status, 1);
}
