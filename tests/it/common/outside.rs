//! External data at any location, offset and length. Tests and fuzz targets ask the same.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Component, Path, PathBuf};

use dropout_onnx::onnx::Model;
use dropout_onnx::show;
use dropout_onnx::source::Source;
use dropout_onnx::wire::{bytes_field, varint_field};
use tempfile::TempDir;

/// What must not be read.
const SECRET: &[u8] = b"not in the model's folder, and so not the model's to read";

/// A folder with files of weights, links and a folder; and next to it a file of someone else.
pub struct Folder(TempDir);

impl Folder {
    pub fn new() -> Folder {
        let top = tempfile::tempdir().expect("a folder");
        let model = top.path().join("model");
        fs::create_dir_all(model.join("sub")).expect("folders");
        for (name, bytes) in [
            ("secret", SECRET),
            ("model/weights.bin", &[0x3f; 100]),
            ("model/sub/more.bin", &[0x40; 100]),
        ] {
            fs::write(top.path().join(name), bytes).expect("a file");
        }
        for (target, link) in [("../secret", "out.bin"), ("sub/more.bin", "in.bin")] {
            symlink(target, model.join(link)).expect("a link");
        }
        Folder(top)
    }

    fn model(&self) -> PathBuf {
        self.0.path().join("model")
    }
}

/// A model with a weight of eight floats, whose external data the lines of a text describe (`key=value`).
pub fn model(text: &[u8]) -> Vec<u8> {
    let mut weight = [varint_field(1, 8), varint_field(2, 1), varint_field(14, 1)].concat();
    weight.extend(bytes_field(8, b"w"));
    for line in text.split(|&byte| byte == b'\n').take(20) {
        let mut parts = line.splitn(2, |&byte| byte == b'=');
        let [key, value] = [(); 2].map(|()| parts.next().unwrap_or_default());
        let entry = [bytes_field(1, key), bytes_field(2, value)].concat();
        weight.extend(bytes_field(13, &entry));
    }
    let node = [("x", 1), ("w", 1), ("y", 2), ("Mul", 4)];
    let node = node.map(|(text, number)| bytes_field(number, text.as_bytes()));
    let graph = [
        bytes_field(1, &node.concat()),
        bytes_field(5, &weight),
        bytes_field(12, &bytes_field(1, b"y")),
    ];
    let opset = varint_field(2, 17);
    [bytes_field(7, &graph.concat()), bytes_field(8, &opset)].concat()
}

/// Reads a model with such external data: files of its folder only. True if there is a weight.
pub fn reading(folder: &Folder, text: &[u8]) -> bool {
    let read = Model::read_in(Source::from_bytes(model(text)), Some(folder.model()));
    let Ok(model) = read else {
        return false; // a text that is not UTF-8
    };
    let inside = |path: &Path| {
        let plain = |part| matches!(part, Component::Normal(_) | Component::CurDir);
        path.components().all(plain)
    };
    let files = model.external_files();
    let files = files.unwrap_or_default();
    assert!(files.iter().all(|file| inside(file)), "{files:?}");
    let _ = show::text(&model);
    let (_, weight) = model
        .graph(model.main())
        .initializers()
        .next()
        .expect("a weight");
    let mut bytes = Vec::new();
    let read = model.elements(weight, &mut |part| bytes.extend_from_slice(part));
    assert_eq!(read.is_ok(), model.check_external().is_ok());
    assert!(
        bytes.iter().all(|byte| [0x3f, 0x40].contains(byte)),
        "{bytes:?}"
    );
    assert!(read.is_err() || bytes.len() >= 32, "{} bytes", bytes.len());
    read.is_ok()
}
