//! Weights in other files that are not there, too short, or not the model's to read.

use std::os::unix::fs::symlink;

use dropout_onnx::onnx::DataType;
use prost::Message;

use super::sound;
use crate::common::build::*;
use crate::common::cli::Folder;
use crate::common::proto::Tensor;

/// `x -> Dropout -> Mul(w) -> y`, where `w`, eight floats, stands in another file.
fn model_with(entries: &[(&str, &str)]) -> Vec<u8> {
    let nodes = vec![op("d = Dropout(x)"), op("y = Mul(d, w)")];
    let entries = entries.iter().map(|(key, value)| entry(key, value));
    let w = Tensor {
        external_data: entries.collect(),
        data_location: Some(1),
        ..raw(DataType::FLOAT, &[8], &[])
    };
    let graph = graph(nodes)
        .input_of("x", DataType::FLOAT, &[8])
        .output_of("y", DataType::FLOAT, &[8])
        .init("w", w);
    model(13, graph).encode_to_vec()
}

const WEIGHTS: &[u8; 40] = &[0x3f; 40];

fn folder(entries: &[(&str, &str)]) -> Folder {
    let folder = Folder::new();
    folder.write("model.onnx", model_with(entries));
    folder.write("weights.bin", WEIGHTS);
    folder
}

#[track_caller]
fn refused_in(folder: &Folder, names: &[&str]) {
    folder.write("good.onnx", sound().encode_to_vec());
    let names = [&["tensor `w`"], names].concat();
    for arguments in [
        "strip model.onnx",
        "strip --in-place model.onnx",
        "strip model.onnx out.onnx",
        "strip model.onnx --verify structure",
        "verify model.onnx good.onnx",
        "verify good.onnx model.onnx",
    ] {
        folder.refuses(arguments, &names);
    }
    // what needs no weights goes on, and says so
    folder.run("audit model.onnx").exits(0);
    let said = folder.run("show model.onnx").exits(0);
    let line = "initializer w: float[8] missing in ";
    assert!(said.text().contains(line), "{}", said.text());
}

#[track_caller]
fn refused(entries: &[(&str, &str)], names: &[&str]) {
    refused_in(&folder(entries), names);
}

#[test]
fn where_they_should_be() {
    for entries in [
        &[("location", "weights.bin")][..],
        &[("location", "weights.bin"), ("offset", "8")],
        &[
            ("location", "weights.bin"),
            ("offset", "8"),
            ("length", "32"),
        ],
        &[
            ("location", "./weights.bin"),
            ("length", "32"),
            ("checksum", "?"),
        ],
    ] {
        let folder = folder(entries);
        folder.run("strip model.onnx").exits(0);
        let said = folder
            .run("verify model.onnx model.stripped.onnx --input x:8")
            .exits(0);
        let ran = said.text().contains("equal outputs in 3 runs");
        assert!(ran, "{}", said.text());
        folder.run("show model.onnx").exits(0);
        assert_eq!(folder.listing().len(), 3);
    }
}

#[test]
fn a_missing_file() {
    let names = ["missing.bin: ", "No such file or directory"];
    refused(&[("location", "missing.bin")], &names);
    refused(&[("location", "no/folder/missing.bin")], &names);
}

#[test]
fn a_pipe_or_a_device() {
    use rustix::fs::{CWD, FileType, Mode, mknodat};
    let at = [("location", "pipe"), ("length", "32")];
    let folder = folder(&at);
    let mode = Mode::RUSR | Mode::WUSR;
    mknodat(CWD, folder.path("pipe"), FileType::Fifo, mode, 0).unwrap();
    refused_in(&folder, &["pipe: ", "external data is a pipe or a device"]);
    std::fs::remove_file(folder.path("pipe")).unwrap();
    std::fs::rename(folder.path("weights.bin"), folder.path("pipe")).unwrap();
    folder.run("strip --force model.onnx").exits(0);
}

#[test]
fn a_file_that_is_too_short() {
    let at = |offset| {
        [
            ("location", "weights.bin"),
            ("offset", offset),
            ("length", "32"),
        ]
    };
    refused(&at("9"), &["weights.bin: ", "too short"]);
    refused(&at("4000"), &["weights.bin: ", "too short"]);
    let open = [("location", "weights.bin"), ("offset", "9")];
    refused(&open, &["weights.bin: ", "too short"]);
    let little = [("location", "weights.bin"), ("length", "31")];
    refused(&little, &["weights.bin: ", "too short"]);
    // a file that was never fetched
    let folder = folder(&at("0"));
    folder.write("weights.bin", "version https://git-lfs\n");
    refused_in(
        &folder,
        &["weights.bin: ", "a Git LFS pointer", "git lfs pull"],
    );
}

#[test]
fn a_directory() {
    let folder = folder(&[("location", "sub")]);
    std::fs::create_dir(folder.path("sub")).unwrap();
    refused_in(&folder, &["sub: "]);
}

#[test]
fn an_offset_and_a_length_that_overflow() {
    let most = u64::MAX.to_string();
    let at = |offset, length| {
        [
            ("location", "weights.bin"),
            ("offset", offset),
            ("length", length),
        ]
    };
    refused(&at(&most, "32"), &["overflow"]);
    refused(&at("32", &most), &["overflow"]);
    refused(&at(&most, &most), &["overflow"]);
    refused(&at("0", &most), &["weights.bin: ", "too short"]);
    refused(&at("99999999999999999999", "1"), &["is not a number"]);
    refused(&at("-1", "1"), &["is not a number"]);
    refused(&at("0", "many"), &["is not a number"]);
}

#[test]
fn no_location() {
    refused(&[], &["without a location"]);
    refused(&[("location", "")], &["not inside the model's folder"]);
}

#[test]
fn a_location_outside_the_folder() {
    for location in [
        "/etc/passwd",
        "../weights.bin",
        "sub/../../weights.bin",
        "..",
        "C:\\weights.bin",
        "sub\\..\\..\\weights.bin",
    ] {
        refused(
            &[("location", location)],
            &["model.onnx: ", "not inside the model's folder"],
        );
    }
}

#[test]
fn a_link_out_of_the_folder() {
    let outside = Folder::new();
    outside.write("secret.bin", WEIGHTS);
    let folder = folder(&[("location", "link.bin")]);
    symlink(outside.path("secret.bin"), folder.path("link.bin")).unwrap();
    refused_in(&folder, &["link.bin: ", "leads out of the model's folder"]);

    let folder = self::folder(&[("location", "sub/secret.bin")]);
    symlink(outside.path(""), folder.path("sub")).unwrap();
    refused_in(&folder, &["leads out of the model's folder"]);
}

#[test]
fn a_link_within_the_folder_is_fine() {
    let folder = folder(&[("location", "link.bin")]);
    symlink("weights.bin", folder.path("link.bin")).unwrap();
    folder.run("strip model.onnx").exits(0);
}

#[test]
fn the_weights_are_not_overwritten_by_the_result() {
    let folder = folder(&[("location", "weights.bin")]);
    symlink("weights.bin", folder.path("link.bin")).unwrap();
    for out in ["weights.bin", "./weights.bin", "link.bin"] {
        for verify in ["all", "none"] {
            let arguments = format!("strip model.onnx {out} --force --verify {verify}");
            folder.refuses(&arguments, &[out, "weights"]);
        }
    }
}

/// All files of a model in Hugging Face's cache are links to another folder.
#[test]
fn links_to_the_folder_that_the_model_is_a_link_to() {
    let folder = folder(&[("location", "model.onnx_data")]);
    for name in ["blobs", "snapshots", "snapshots/01"] {
        std::fs::create_dir(folder.path(name)).unwrap();
    }
    let to = |from: &str, to: &str| std::fs::rename(folder.path(from), folder.path(to)).unwrap();
    to("model.onnx", "blobs/aa");
    to("weights.bin", "blobs/bb");
    for (target, link) in [("aa", "model.onnx"), ("bb", "model.onnx_data")] {
        let link = folder.path(&format!("snapshots/01/{link}"));
        symlink(format!("../../blobs/{target}"), link).unwrap();
    }
    let said = folder.run("show snapshots/01/model.onnx").exits(0);
    assert!(!said.text().contains("missing"), "{}", said.text());
    folder
        .run("strip snapshots/01/model.onnx out.onnx --external-data copy")
        .exits(0);
    folder
        .run("verify snapshots/01/model.onnx out.onnx")
        .exits(0);
    let said = folder.run("audit snapshots --format concise").exits(0);
    assert!(
        said.text().starts_with("snapshots/01/model.onnx: "),
        "{}",
        said.text()
    );
    // the twin: a model that is not a link itself
    std::fs::remove_file(folder.path("snapshots/01/model.onnx")).unwrap();
    to("blobs/aa", "snapshots/01/model.onnx");
    folder.refuses("strip snapshots/01/model.onnx", &["leads out of"]);
}

#[test]
fn another_folder_asks_for_a_decision() {
    let folder = folder(&[("location", "weights.bin")]);
    std::fs::create_dir(folder.path("sub")).unwrap();
    let names = [
        "model.onnx: ",
        "weights.bin",
        "--external-data copy or link",
    ];
    folder.refuses("strip model.onnx sub/model.onnx", &names);

    folder
        .run("strip model.onnx sub/model.onnx --external-data copy")
        .exits(0);
    assert_eq!(folder.read("sub/weights.bin"), WEIGHTS);
    folder.run("verify model.onnx sub/model.onnx").exits(0);
    let names = ["sub/weights.bin: already exists", "--force"];
    folder.refuses(
        "strip model.onnx sub/other.onnx --external-data copy",
        &names,
    );

    let arguments = "strip model.onnx sub/other.onnx --external-data link --force";
    folder.run(arguments).exits(0);
    let listing = folder.listing();
    let inode = |name: &str| listing[std::path::Path::new(name)].inode;
    assert_eq!(inode("sub/weights.bin"), inode("weights.bin"));
}

#[test]
fn copied_weights_keep_their_times_as_with_cp_preserve() {
    use std::time::{Duration, SystemTime};
    let folder = folder(&[("location", "weights.bin")]);
    std::fs::create_dir(folder.path("sub")).unwrap();
    let then = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000);
    let weights = std::fs::File::open(folder.path("weights.bin")).unwrap();
    weights.set_modified(then).unwrap();
    let strip = "strip model.onnx sub/model.onnx --external-data copy --no-sync";
    folder.run(strip).exits(0);
    let time = |name: &str| folder.path(name).metadata().unwrap().modified().unwrap();
    assert_eq!(time("sub/weights.bin"), then);
    assert!(time("sub/model.onnx") > then, "the twin: the result is new");
}

#[test]
fn no_weights_are_copied_if_others_cannot_be() {
    let folder = Folder::new();
    let weights = |file: &str| Tensor {
        external_data: vec![entry("location", file)],
        data_location: Some(1),
        ..raw(DataType::FLOAT, &[8], &[])
    };
    let nodes = ["d = Dropout(x)", "m = Mul(d, v)", "y = Mul(m, w)"];
    let graph = graph(nodes.map(op).to_vec())
        .input_of("x", DataType::FLOAT, &[8])
        .output_of("y", DataType::FLOAT, &[8])
        .init("v", weights("a.bin"))
        .init("w", weights("b.bin"));
    folder.write("model.onnx", model(13, graph).encode_to_vec());
    folder.write("a.bin", WEIGHTS);
    std::fs::create_dir(folder.path("sub")).unwrap();
    let strip = "strip model.onnx sub/model.onnx --verify none --external-data copy";
    folder.refuses(strip, &["b.bin"]);
    folder.write("b.bin", WEIGHTS);
    folder.run(strip).exits(0); // the twin
    assert_eq!(folder.read("sub/a.bin"), WEIGHTS);
}

#[test]
fn weights_that_another_model_uses_are_not_overwritten() {
    for how in ["copy", "link"] {
        let folder = folder(&[("location", "weights.bin")]);
        std::fs::create_dir(folder.path("sub")).unwrap();
        let strip = format!("strip model.onnx sub/own.onnx --external-data {how} --force");
        // a file of its own, not a link to the original's
        let others = || {
            let _ = std::fs::remove_file(folder.path("sub/weights.bin"));
            folder.write("sub/weights.bin", [0x40; 40]);
        };
        others();
        folder.write("sub/notes.onnx", "not a model");
        // its own result may be replaced, with its weights
        for _ in 0..2 {
            folder.run(&strip).exits(0);
            assert_eq!(folder.read("sub/weights.bin"), WEIGHTS);
        }
        // another model's may not, unless they are the same bytes
        folder.write("sub/other.ONNX", model_with(&[("location", "weights.bin")]));
        folder.run(&strip).exits(0);
        others();
        let names = [
            "sub/weights.bin: ",
            "sub/other.ONNX also uses",
            "another folder",
        ];
        folder.refuses(&strip, &names);
        // whatever that one calls them
        std::fs::rename(folder.path("sub/weights.bin"), folder.path("sub/w.bin")).unwrap();
        symlink("w.bin", folder.path("sub/weights.bin")).unwrap();
        folder.write("sub/other.ONNX", model_with(&[("location", "w.bin")]));
        folder.refuses(&strip, &names);
    }
}

#[test]
fn weights_in_a_folder_of_their_own_are_also_found() {
    let folder = folder(&[("location", "data/weights.bin")]);
    for name in ["data", "sub", "sub/data"] {
        std::fs::create_dir(folder.path(name)).unwrap();
    }
    folder.write("data/weights.bin", WEIGHTS);
    folder.write("sub/data/weights.bin", [0x40; 40]);
    let strip = "strip model.onnx sub/own.onnx --external-data copy --force";
    for (other, location) in [
        ("sub/other.onnx", "data/weights.bin"),
        ("sub/data/other.onnx", "weights.bin"),
    ] {
        folder.write(other, model_with(&[("location", location)]));
        folder.refuses(strip, &[other]);
        std::fs::remove_file(folder.path(other)).unwrap();
    }
    folder.run(strip).exits(0);
    assert_eq!(folder.read("sub/data/weights.bin"), WEIGHTS);
}

/// Standard output has no folder that weights could be in.
#[test]
fn a_model_is_not_written_without_its_weights() {
    let folder = folder(&[("location", "weights.bin")]);
    let names = [
        "weights.bin",
        "standard output cannot include",
        "give a file as OUT",
    ];
    for arguments in [
        "strip model.onnx -",
        "strip model.onnx - --verify none",
        "fold model.onnx -",
        "set model.onnx - --rate 0.3",
    ] {
        folder.refuses(arguments, &names);
    }
    let bytes = folder.read("model.onnx");
    folder
        .run_fed("strip - --verify none", bytes.clone())
        .refused(&names);
    folder.run_fed("strip - out.onnx", bytes).exits(0);
    assert_eq!(folder.read("out.onnx").len(), {
        folder.run("strip model.onnx").exits(0);
        folder.read("model.stripped.onnx").len()
    });
    // one that has its weights inside
    folder.write("good.onnx", sound().encode_to_vec());
    folder.run("strip good.onnx -").exits(0);
}

/// As in the fuzz target `external`, with the lines that matter.
#[test]
fn no_location_leads_out_of_the_folder() {
    use crate::common::outside::{Folder, reading};
    let folder = Folder::new();
    let mut read = 0;
    for location in [
        "weights.bin",
        "./weights.bin",
        "sub/more.bin",
        "in.bin",
        "sub/../weights.bin",
        "../secret",
        "out.bin",
        "sub",
        "",
        ".",
        "/etc/passwd",
        "weights.bin/../../secret",
        "none.bin",
    ] {
        for rest in [
            "",
            "offset=0\nlength=32",
            "offset=68",
            "offset=69",
            "offset=-1",
            "length=31",
            "offset=18446744073709551615\nlength=2",
            "offset=100",
            "length=1000",
        ] {
            let text = format!("location={location}\n{rest}");
            let is_read = reading(&folder, text.as_bytes());
            let fits = ["", "offset=0\nlength=32", "offset=68"].contains(&rest);
            let inside = ["weights.bin", "./weights.bin", "sub/more.bin", "in.bin"];
            assert_eq!(is_read, fits && inside.contains(&location), "{text}");
            read += usize::from(is_read);
        }
    }
    assert_eq!(read, 12, "the twin");
}

#[test]
#[cfg(unix)]
fn copies_have_holes_where_the_model_uses_nothing() {
    use std::os::unix::fs::MetadataExt;
    const MIB: usize = 1 << 20;
    let folder = Folder::new();
    let mut bytes = vec![0x55; 8 * MIB];
    for at in [3 * MIB, 6 * MIB] {
        bytes[at..at + WEIGHTS.len()].copy_from_slice(WEIGHTS);
    }
    folder.write("weights.bin", &bytes);
    for (name, at) in [("one.onnx", 3 * MIB), ("two.onnx", 6 * MIB)] {
        let offset = at.to_string();
        let entries = [
            ("location", "weights.bin"),
            ("offset", &offset),
            ("length", "32"),
        ];
        folder.write(name, model_with(&entries));
    }
    std::fs::create_dir(folder.path("sub")).unwrap();
    let strip = |name: &str| format!("strip {name} sub/{name} --external-data copy");
    folder.run(&strip("one.onnx")).exits(0);
    let copy = folder.read("sub/weights.bin");
    assert_eq!(copy.len(), 3 * MIB + 32);
    assert_eq!(copy[3 * MIB..], bytes[3 * MIB..3 * MIB + 32]);
    let size = folder.path("sub/weights.bin").metadata().unwrap();
    assert!(size.blocks() * 512 < MIB as u64, "{}", size.blocks());
    folder.run("verify one.onnx sub/one.onnx").exits(0);
    // a file that is replaced may be that of other models: all of it
    folder.run(&(strip("two.onnx") + " --force")).exits(0);
    assert!(folder.read("sub/weights.bin") == bytes);
    for name in ["one.onnx", "two.onnx"] {
        folder.run(&format!("verify {name} sub/{name}")).exits(0);
    }
    // of what others use, only the elements count
    let mut other = bytes.clone();
    other[0] += 1;
    folder.write("sub/weights.bin", &other);
    folder.run(&(strip("two.onnx") + " --force")).exits(0);
    other[3 * MIB] += 1;
    folder.write("sub/weights.bin", &other);
    let names = ["sub/weights.bin: ", "sub/one.onnx also uses"];
    folder.refuses(&(strip("two.onnx") + " --force"), &names);
}
