//! The file.

use std::fs::File;
use std::io::{BufReader, Read, Seek};
use std::path::Path;

use serde_json::Value;
use zip::ZipArchive;

use crate::error::{Error, ErrorKind, Result};

/// The largest configuration that is read, inflated.
const LARGEST: u64 = 64 << 20;
/// The most entries of an archive.
const ENTRIES: usize = 10_000;
/// How an HDF5 file begins.
const HDF5: &[u8] = b"\x89HDF\r\n\x1a\n";

const SAVE: &str = "save the model as .keras with Keras 3: \
                    keras.saving.load_model(FILE).save(\"model.keras\")";

/// The configuration of the model in an archive.
pub(super) fn config(path: &Path) -> Result<Value> {
    if path.is_dir() {
        let saved = path.join("saved_model.pb").exists();
        let what = if saved { "a SavedModel" } else { "a folder" };
        let why = format!("is {what}, which has no layers; {SAVE}");
        return Err(unsupported(&why).in_file(path));
    }
    let cannot = |e| Error::io("cannot open", e).in_file(path);
    let file = BufReader::new(File::open(path).map_err(cannot)?);
    read(file).map_err(|e| e.in_file(path))
}

fn read(mut file: impl Read + Seek) -> Result<Value> {
    let mut start = [0; 8];
    let begins = file.read_exact(&mut start).is_ok();
    if begins && start == HDF5 {
        return Err(unsupported(&format!("is a Keras HDF5 file (.h5); {SAVE}")));
    }
    let not = |e: zip::result::ZipError| unsupported(&format!("is not a .keras archive: {e}"));
    let mut archive = ZipArchive::new(file).map_err(not)?;
    if archive.len() > ENTRIES {
        let count = archive.len();
        let why = format!("has {count} entries; at most {ENTRIES} are read");
        return Err(unsupported(&why));
    }
    let entry = archive.by_name("config.json").map_err(|e| match e {
        zip::result::ZipError::FileNotFound => {
            unsupported("is not a .keras archive: it has no config.json")
        }
        e => not(e),
    })?;
    let mut bytes = Vec::new();
    let read = entry.take(LARGEST + 1).read_to_end(&mut bytes);
    read.map_err(|e| Error::io("cannot decompress config.json", e))?;
    if bytes.len() as u64 > LARGEST {
        let why = format!("its config.json has more than {} MiB", LARGEST >> 20);
        return Err(unsupported(&why));
    }
    serde_json::from_slice(&bytes)
        .map_err(|e| unsupported(&format!("its config.json cannot be read: {e}")))
}

fn unsupported(why: &str) -> Error {
    Error::new(ErrorKind::Unsupported, why)
}

#[cfg(test)]
mod tests {
    use std::io::{Cursor, Write};

    use zip::write::{SimpleFileOptions, ZipWriter};

    use super::*;

    fn zipped(entries: &[(&str, &[u8])]) -> Cursor<Vec<u8>> {
        let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
        for (name, bytes) in entries {
            let options = SimpleFileOptions::default();
            writer.start_file(*name, options).unwrap();
            writer.write_all(bytes).unwrap();
        }
        writer.finish().unwrap()
    }

    fn refused(file: impl Read + Seek) -> String {
        read(file).unwrap_err().to_string()
    }

    #[test]
    fn only_the_configuration_is_read() {
        let broken: &[u8] = b"no weights";
        let file = zipped(&[
            ("model.weights.h5", broken),
            ("config.json", b"{\"a\": [1]}"),
        ]);
        assert_eq!(read(file).unwrap()["a"][0], 1);
    }

    #[test]
    fn what_is_no_archive_is_named() {
        assert!(refused(Cursor::new([HDF5, &[0; 64]].concat())).contains("HDF5 file (.h5); save"));
        assert!(refused(Cursor::new(b"text".to_vec())).contains("is not a .keras archive"));
        assert!(refused(zipped(&[("a", b"")])).contains("no config.json"));
        assert!(refused(zipped(&[("config.json", b"{")])).contains("cannot be read"));
        let folder = tempfile::TempDir::new().unwrap();
        let saved = config(folder.path()).unwrap_err().to_string();
        assert!(saved.contains("is a folder"), "{saved}");
        std::fs::write(folder.path().join("saved_model.pb"), b"").unwrap();
        let saved = config(folder.path()).unwrap_err().to_string();
        assert!(saved.contains("is a SavedModel"), "{saved}");
    }

    #[test]
    fn a_bomb_is_not_inflated() {
        let zeros = vec![b' '; (LARGEST + 2) as usize];
        let file = zipped(&[("config.json", &zeros)]);
        assert!(file.get_ref().len() < 1 << 20, "it is small");
        assert!(refused(file).contains("more than 64 MiB"));
        // the twin: just below the limit it is read, and is no JSON
        let file = zipped(&[("config.json", &zeros[..1 << 20])]);
        assert!(refused(file).contains("cannot be read"));
    }

    #[test]
    fn nesting_is_bounded() {
        let deep = "[".repeat(100_000);
        assert!(refused(zipped(&[("config.json", deep.as_bytes())])).contains("recursion limit"));
    }
}
