//! What the text says of a model with a bit of everything.

use std::io::Write;

use dropout_onnx::onnx::Model;
use dropout_onnx::show::{self, Header, Options};

use super::{anonymous, text};
use crate::common::everything::everything;

fn no_hash() -> Options {
    Options::default().no_hash(true)
}

#[test]
fn text_of_everything() {
    let model = everything().read();
    insta::assert_snapshot!("everything", show::text(&model).unwrap());
    insta::assert_snapshot!("everything_anonymous", text(&model, &anonymous()));
    let document = show::document(&model, &Options::default()).unwrap();
    insta::assert_snapshot!("everything_json", show::json::text(&document).unwrap());
}

#[test]
fn the_first_line_has_version_and_options() {
    let model = everything().read();
    for options in [Options::default(), anonymous(), no_hash()] {
        let header = Header::parse(&text(&model, &options)).unwrap();
        assert_eq!((header.version, header.options), (show::VERSION, options));
    }
}

#[test]
fn without_hashes_large_weights_are_not_read() {
    let folder = tempfile::TempDir::new().unwrap();
    let mut model = everything();
    let w = &mut model.main_mut().initializer[0];
    w.raw_data = None;
    w.data_location = Some(1);
    w.external_data = vec![crate::common::build::entry("location", "w.bin")];
    let path = folder.path().join("model.onnx");
    std::fs::write(&path, prost::Message::encode_to_vec(&model)).unwrap();
    let model = Model::open(&path).unwrap();
    let missing = show::text(&model).unwrap();
    assert!(
        missing.contains("w: float[3, 4] missing in \"w.bin\"\n"),
        "{missing}"
    );
    let unread = text(&model, &no_hash());
    assert!(unread.contains("w: float[3, 4] in \"w.bin\"\n"), "{unread}");
    // the twin: small ones are, and where the file is there it is read for a hash
    assert!(unread.contains("b: float[4] {1.0, 2.0, 3.0, 4.0}\n"));
    std::fs::write(folder.path().join("w.bin"), [0; 48]).unwrap();
    let read = show::text(&model).unwrap();
    assert!(read.contains("w: float[3, 4] #"), "{read}");
    // where elements stand is no part of what is computed
    assert!(!text(&model, &anonymous()).contains("w.bin"));
}

/// 1 GiB of weights that take no room on the disk, hashed through a buffer.
#[cfg(target_os = "linux")]
#[test]
fn weights_are_hashed_piece_by_piece() {
    use crate::common::memory::{LITTLE, within};
    let folder = tempfile::TempDir::new().unwrap();
    let mut model = everything();
    let w = &mut model.main_mut().initializer[0];
    w.dims = vec![1 << 28];
    w.raw_data = None;
    w.data_location = Some(1);
    w.external_data = vec![crate::common::build::entry("location", "w.bin")];
    let path = folder.path().join("model.onnx");
    std::fs::write(&path, prost::Message::encode_to_vec(&model)).unwrap();
    let mut file = std::fs::File::create(folder.path().join("w.bin")).unwrap();
    file.set_len(1 << 30).unwrap();
    file.flush().unwrap();
    let path = path.display().to_string();
    let output = within(LITTLE, &["show", &path]);
    assert!(output.status.success(), "{output:?}");
    // the twin: the limit is one
    let output = within(LITTLE / 100, &["show", &path]);
    assert!(!matches!(output.status.code(), Some(0..=2)), "{output:?}");
}

#[test]
fn the_example_of_the_documentation_is_the_one_that_is_run() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let read = |path| std::fs::read_to_string(root.join(path)).unwrap();
    let example = read("tests/it/snapshot_example.rs");
    let docs = read("docs/show.md");
    assert!(
        docs.contains(example.trim()),
        "docs/show.md has another example"
    );
}
