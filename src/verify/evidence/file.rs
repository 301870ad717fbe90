//! A model of a document: its files and their hashes.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::onnx::Model;
use crate::source::Source;

/// A model, with the hashes of all its bytes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    /// Its path: relative to the folder of the document if it is below it; null if it had no file.
    path: Option<String>,
    /// The model itself.
    #[serde(flatten)]
    model: Bytes,
    /// The files of its external data, by their location in the model.
    external: std::collections::BTreeMap<String, Bytes>,
}

/// The size and the hash of a file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Bytes {
    /// Its size in bytes.
    bytes: u64,
    /// Its BLAKE3 hash.
    blake3: String,
}

impl Bytes {
    fn of(source: &Source) -> Result<Bytes> {
        let mut hasher = blake3::Hasher::new();
        source.reader(0..source.len()).hash_into(&mut hasher)?;
        Ok(Bytes {
            bytes: source.len(),
            blake3: hasher.finalize().to_hex().to_string(),
        })
    }
}

impl File {
    /// Hashes a model and the files of its weights.
    pub fn of(path: &Path, model: &Model, folder: &Path) -> Result<File> {
        let from = model.folder().unwrap_or(Path::new(""));
        let external = model.external_files()?.into_iter();
        let external = external.map(|location| {
            let source = Source::open(from.join(&location))?;
            Ok((slashes(&location), Bytes::of(&source)?))
        });
        Ok(File {
            path: (path != Path::new("-")).then(|| below(path, folder)),
            model: Bytes::of(model.source())?,
            external: external.collect::<Result<_>>()?,
        })
    }

    /// How another model differs from this one; `None` if it is the same.
    pub fn difference(&self, other: &File) -> Option<String> {
        if self.model != other.model {
            let (is, was) = (&other.model.blake3, &self.model.blake3);
            return Some(format!("its BLAKE3 hash is {is}, in the evidence {was}"));
        }
        let same = |(name, bytes)| other.external.get(name) == Some(bytes);
        let differs = self.external.iter().find(|entry| !same(*entry));
        differs.map(|(name, _)| format!("its external data in {name} differs"))
    }

    /// Its file, if a document in this folder names one.
    pub fn path(&self, folder: &Path) -> Option<PathBuf> {
        let path = Path::new(self.path.as_ref()?);
        let below = folder.join(path);
        Some(if below.exists() { below } else { path.into() })
    }
}

/// A path from a folder, if it is below it.
fn below(path: &Path, folder: &Path) -> String {
    let real = |path: &Path| path.canonicalize().ok();
    let here = |folder: &Path| match folder.as_os_str().is_empty() {
        true => PathBuf::from("."),
        false => folder.to_path_buf(),
    };
    let around = path.parent().map(here).and_then(|parent| real(&parent));
    let file = around.zip(path.file_name()).map(|(a, name)| a.join(name));
    let found = file.zip(real(&here(folder)));
    let found =
        found.and_then(|(file, folder)| Some(file.strip_prefix(folder).ok()?.to_path_buf()));
    found.map_or_else(|| path.to_string_lossy().into(), |path| slashes(&path))
}

fn slashes(path: &Path) -> String {
    let parts = path.iter().map(|part| part.to_string_lossy());
    parts.collect::<Vec<_>>().join("/")
}
