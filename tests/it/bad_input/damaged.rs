//! Files that are no models.

use dropout_onnx::audit::ModelAudit;
use dropout_onnx::onnx::Model;
use dropout_onnx::rewrite::strip::{Options, strip};
use dropout_onnx::source::Source;
use dropout_onnx::verify::structure;
use prost::Message;

use super::{nested_graphs, sound};
use crate::common::build::{f32_scalar, graph, model, op, x_to_y};
use crate::common::cli::{Folder, fixture};
use crate::common::proto;

const STEM: &str = "torch_mask_output_op13";

/// Every subcommand refuses `bad.onnx`, naming it and `why`.
#[track_caller]
fn every_command_refuses(folder: &Folder, why: &str) {
    folder.copy(STEM, "good.onnx");
    for arguments in [
        "strip bad.onnx",
        "strip bad.onnx out.onnx",
        "strip bad.onnx -",
        "strip --in-place bad.onnx",
        "strip --dry-run bad.onnx",
        "strip --verify none bad.onnx",
        "audit bad.onnx",
        "audit --exit-zero bad.onnx",
        "show bad.onnx",
        "verify bad.onnx good.onnx",
        "verify good.onnx bad.onnx",
    ] {
        folder.refuses(arguments, &["error: bad.onnx: ", why]);
    }
}

#[track_caller]
fn refused(bytes: &[u8], why: &str) {
    let folder = Folder::new();
    folder.write("bad.onnx", bytes);
    every_command_refuses(&folder, why);
    let said = folder.run_fed("strip -", bytes);
    said.refused(&["error: standard input: ", why]);
}

#[test]
fn a_missing_file() {
    every_command_refuses(&Folder::new(), "cannot open: No such file or directory");
}

#[test]
fn a_directory() {
    let folder = Folder::new();
    std::fs::create_dir(folder.path("bad.onnx")).unwrap();
    folder.copy(STEM, "good.onnx");
    folder.refuses(
        "strip bad.onnx",
        &["error: bad.onnx: is a folder; add --output-dir"],
    );
    for (arguments, what) in [
        ("show bad.onnx", "is a folder; add --check DIR"),
        ("verify bad.onnx good.onnx", "is a folder; BEFORE and AFTER"),
        ("diff bad.onnx good.onnx", "is a folder, not a file"),
    ] {
        folder.refuses(arguments, &[&format!("error: bad.onnx: {what}")]);
    }
    let empty = "error: bad.onnx: no file in this folder matches *.onnx";
    folder.refuses("audit bad.onnx", &[empty]);
}

#[test]
fn a_link_to_nothing_and_a_link_to_itself() {
    let folder = Folder::new();
    std::os::unix::fs::symlink("nothing", folder.path("bad.onnx")).unwrap();
    every_command_refuses(&folder, "No such file or directory");
    let folder = Folder::new();
    std::os::unix::fs::symlink("bad.onnx", folder.path("bad.onnx")).unwrap();
    every_command_refuses(&folder, "ymbolic links");
}

#[test]
fn an_empty_file() {
    refused(b"", "the file is empty");
}

#[test]
fn text() {
    for text in [
        "hello\n",
        "<htm>\n<body>404 Not Found</body>\n</htm>\n",
        "version https://git-xfs.github.com/spec/v1\noid sha256:00\nsize 1\n",
        "#!/usr/bin/env python3\nimport onnx\n",
        "  \n",
    ] {
        refused(text.as_bytes(), "a text file, not an ONNX model");
    }
}

/// The first block of an archive with a file `m.onnx`.
fn tar() -> Vec<u8> {
    let mut block = vec![0; 512];
    block[..6].copy_from_slice(b"m.onnx");
    block[257..263].copy_from_slice(b"ustar\0");
    block
}

#[test]
fn other_kinds_of_files() {
    for (head, what) in [
        (
            &b"version https://git-lfs.github.com/spec/v1\noid sha256:00\n"[..],
            "a Git LFS pointer",
        ),
        (b"\x89HDF\r\n\x1a\n\x00\x00\x00\x00", "an HDF5 file"),
        (
            b"PK\x03\x04\x14\x00\x00\x00 config.json{}",
            "a Keras archive",
        ),
        (
            b"PK\x03\x04\x14\x00\x00\x00 archive/data.pkl",
            "a PyTorch file",
        ),
        (b"PK\x03\x04\x14\x00\x00\x00 x.npy", "a NumPy archive"),
        (b"PK\x03\x04\x14\x00\x00\x00\x08\x00", "a zip archive"),
        (b"\x1f\x8b\x08\x00\x18\x81", "compressed with gzip"),
        (
            b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19.",
            "a PyTorch file",
        ),
        (b"\x80\x04\x95\x10\x00\x00", "a Python pickle"),
        (b"\x1c\x00\x00\x00TFL3\x00\x00", "a TensorFlow Lite model"),
        (b"\x18\x00\x00\x00ORTM\x00\x00", "ONNX Runtime's own format"),
        (
            b"\x3d\x00\x00\x00\x00\x00\x00\x00{\"w\": {}}",
            "a safetensors file",
        ),
        (b"GGUF\x03\x00\x00\x00", "a GGUF file"),
        (b"\x93NUMPY\x01\x00v\x00{'descr': '<f4'}", "a NumPy array"),
        (b"\n<!DOCTYPE html>\n<html>", "an HTML page"),
        (b"<HTML><body>404", "an HTML page"),
        (b"<?xml version=\"1.0\"?><net/>", "OpenVINO"),
        (b"<net name=\"m\" version=\"11\">", "an OpenVINO model"),
        (b"ir_version: 8\ngraph {\n}\n", "an ONNX model as text"),
        (b"<\n  ir_version: 8\n>\ng (", "an ONNX model as text"),
        (b"ftrt\x00\x00", "a TensorRT engine"),
        (b"\x89HDF\r\n", "an HDF5 file"), // cut off
        (b"\x80\x03}q\x00.", "a Python pickle"),
        (b"\x80\x05\x95\x0b", "a Python pickle"),
        (b" {\"model\": 1}", "a JSON file"),
        (b"\xef\xbb\xbf {\"model\": 1}", "a JSON file"),
        (b"\xef\xbb\xbf<!doctype html>", "an HTML page"),
        (
            b"/annex/objects/SHA256E-s1--00.onnx\n",
            "a git-annex pointer",
        ),
        (b"BZh91AY&SY\x00\x01", "compressed with bzip2"),
        (b"\xfd7zXZ\x00\x00\x04", "compressed with xz"),
        (b"\x28\xb5\x2f\xfd\x24\x00", "compressed with Zstandard"),
        (b"7z\xbc\xaf\x27\x1c\x00\x04", "a 7-Zip archive"),
        (b"Rar!\x1a\x07\x01\x00", "a RAR archive"),
        (&tar(), "a tar archive"),
        (b"%PDF-1.7\n%\xe2", "a PDF document"),
        (b"\x89PNG\r\n\x1a\n\x00\x00", "a picture"),
        (b"\x7fELF\x02\x01\x01\x00", "a program or library"),
        (b"MZ\x90\x00\x03", "a program or library"),
    ] {
        refused(head, what);
    }
    for head in [
        &b"\x7fEL\x02\x01\x01\x00"[..],
        b"\x80\x05",
        b"\x89PNG\n\x1a\n",
        b"\x3d\x00\x00\x00\x00\x00\x00\x00[1]",
    ] {
        refused(head, "not a readable ONNX model");
    }
}

/// These are protobuf messages too, recognised by their names.
#[test]
fn files_that_are_known_by_their_names() {
    let folder = Folder::new();
    let message = [0x08, 0x01, 0x12, 0x00];
    for (name, what) in [
        ("saved_model.pb", "a TensorFlow SavedModel"),
        ("net.mlmodel", "a Core ML model"),
        ("net.onnx", "the model has no graph"),
    ] {
        folder.write(name, message);
        folder.refuses(&format!("strip {name} out.onnx"), &[name, what]);
    }
}

#[test]
fn folders_that_are_taken_for_models() {
    let folder = Folder::new();
    for (inside, what) in [
        ("saved_model.pb", "the folder of a TensorFlow SavedModel"),
        ("Data/com.apple.CoreML/model.mlmodel", "a Core ML package"),
    ] {
        let path = folder.path("model").join(inside);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, b"").unwrap();
        for command in ["audit model", "strip model", "show model"] {
            folder.refuses(command, &["model: ", what, "not an ONNX model; "]);
        }
        std::fs::remove_dir_all(folder.path("model")).unwrap();
    }
    // the twin: any other folder
    std::fs::create_dir(folder.path("model")).unwrap();
    folder.refuses("audit model", &["no file in this folder matches"]);
    folder.refuses("show model", &["is a folder; add --check DIR"]);
}

#[test]
fn random_bytes() {
    use rand::{Rng, RngExt, SeedableRng};
    let mut random = rand::rngs::StdRng::seed_from_u64(2);
    for _ in 0..2000 {
        let mut bytes = vec![0; random.random_range(1..4000)];
        random.fill_bytes(&mut bytes);
        assert!(Model::read(Source::from_bytes(bytes)).is_err());
    }
    let mut bytes = vec![0; 5000];
    random.fill_bytes(&mut bytes);
    refused(&bytes, "at byte");
}

#[test]
fn a_message_without_a_graph() {
    let without = proto::Model {
        graph: None,
        ..sound()
    };
    refused(&without.encode_to_vec(), "the model has no graph");
    // a tensor's file, and a graph that stands alone
    let tensor = f32_scalar(1.0).encode_to_vec();
    refused(&tensor, "");
}

/// What every subcommand does, in this process.
fn all(source: &[u8]) -> dropout_onnx::Result<()> {
    let model = Model::read(Source::from_bytes(source.to_vec()))?;
    ModelAudit::new("it", &model)?;
    dropout_onnx::show::text(&model)?;
    let stripped = strip(&model, &Options::default())?;
    structure::compare(&model, stripped.edited.model())?;
    Ok(())
}

#[test]
fn truncated_at_every_byte() {
    for stem in [STEM, "torch_scripted_if_op13"] {
        let whole = std::fs::read(fixture(stem)).unwrap();
        all(&whole).unwrap();
        for end in 0..whole.len() {
            let said = all(&whole[..end]);
            assert!(
                said.is_err(),
                "{stem}: {end} bytes of {} are a model",
                whole.len()
            );
        }
        let step = whole.len() / 6;
        for end in [
            1,
            2,
            step,
            2 * step,
            3 * step,
            4 * step,
            5 * step,
            whole.len() - 1,
        ] {
            refused(&whole[..end], "");
        }
    }
}

#[test]
fn every_byte_changed() {
    let whole = std::fs::read(fixture(STEM)).unwrap();
    for place in 0..whole.len() {
        for flip in [0x01, 0x80, 0xff] {
            let mut bytes = whole.clone();
            bytes[place] ^= flip;
            let _ = all(&bytes); // an error or not, but no panic
        }
    }
}

#[test]
fn graphs_nested_ten_thousand_deep() {
    refused(&nested_graphs(10_000), "nested");
    all(&nested_graphs(20)).unwrap_err(); // `c` is defined nowhere: read, but not sound
}

#[test]
fn groups_nested_ten_thousand_deep() {
    let (mut open, mut close) = (Vec::new(), Vec::new());
    for _ in 0..10_000 {
        prost::encoding::encode_varint(100 << 3 | 3, &mut open);
        prost::encoding::encode_varint(100 << 3 | 4, &mut close);
    }
    let whole = [sound().encode_to_vec(), open.clone(), close].concat();
    refused(&whole, "nested");
    refused(&[sound().encode_to_vec(), open].concat(), "");
}

#[test]
fn types_nested_ten_thousand_deep_do_no_harm() {
    let mut deep = Vec::new();
    for _ in 0..10_000 {
        for field in [1u8, 4] {
            // Sequence.elem_type, TypeProto.sequence_type
            let mut head = vec![field << 3 | 2];
            prost::encoding::encode_varint(deep.len() as u64, &mut head);
            head.append(&mut deep);
            deep = head;
        }
    }
    let mut info = vec![1 << 3 | 2, 1, b'x', 2 << 3 | 2];
    prost::encoding::encode_varint(deep.len() as u64, &mut info);
    info.append(&mut deep);
    let mut main = vec![11 << 3 | 2];
    prost::encoding::encode_varint(info.len() as u64, &mut main);
    main.append(&mut info);
    let mut whole = proto::Model {
        graph: None,
        ..sound()
    }
    .encode_to_vec();
    whole.push(7 << 3 | 2);
    let rest = graph([op("y = Dropout(x)")]).output("y").encode_to_vec();
    main.extend(rest);
    prost::encoding::encode_varint(main.len() as u64, &mut whole);
    whole.extend(main);
    let folder = Folder::new();
    folder.write("bad.onnx", &whole);
    for arguments in [
        "audit bad.onnx",
        "show bad.onnx",
        "strip bad.onnx -f",
        "verify bad.onnx bad.onnx",
    ] {
        let said = folder.run(arguments);
        assert!(matches!(said.status, 0 | 2), "{arguments}: {said:?}");
        assert!(!said.stderr.contains("panicked"), "{}", said.stderr);
    }
}

#[test]
fn names_that_are_not_utf_8_do_no_harm() {
    let graph = x_to_y([op("dddd = Dropout(x)"), op("y = Relu(dddd)")]);
    let mut whole = model(13, graph).encode_to_vec();
    let places: Vec<_> = (0..whole.len() - 4)
        .filter(|&i| &whole[i..i + 4] == b"dddd")
        .collect();
    assert_eq!(places.len(), 2);
    for place in places {
        whole[place] = 0xff;
    }
    let folder = Folder::new();
    folder.write("model.onnx", &whole);
    folder.run("strip model.onnx").exits(0);
    folder.run("show model.onnx").exits(0);
    folder.run("audit model.onnx").exits(0);
}
