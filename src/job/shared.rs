//! Files of weights in the folder of a result: which models in it use them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::error::Result;
use crate::onnx::Model;
use crate::source::Source;

use super::same_file::same_file;

/// The files that models in some folders use for their weights, each with one of the models.
#[derive(Debug, Default)]
pub(super) struct Shared {
    used: BTreeMap<PathBuf, PathBuf>,
}

impl Shared {
    /// By all models in these folders but `own`. Reads their graphs, no weights; what is not a model
    /// uses nothing.
    pub fn of<'a>(folders: impl IntoIterator<Item = &'a Path>, own: &Path) -> Shared {
        let mut shared = Shared::default();
        for folder in folders {
            for path in models(folder) {
                if !same_file(&path, own) {
                    shared.add(folder, &path);
                }
            }
        }
        shared
    }

    fn add(&mut self, folder: &Path, path: &Path) {
        let files = Model::open(path).and_then(|model| model.external_files());
        for file in files.unwrap_or_default() {
            if let Ok(real) = folder.join(file).canonicalize() {
                self.used.entry(real).or_insert_with(|| path.to_path_buf());
            }
        }
    }

    /// A model that uses this file.
    pub fn user(&self, file: &Path) -> Option<&Path> {
        let real = file.canonicalize().ok()?;
        self.used.get(&real).map(PathBuf::as_path)
    }
}

/// The models in a folder, by name.
fn models(folder: &Path) -> Vec<PathBuf> {
    let entries = folder.read_dir().into_iter().flatten().flatten();
    let is_model = |path: &PathBuf| {
        let extension = path.extension().and_then(|extension| extension.to_str());
        extension.is_some_and(|extension| extension.eq_ignore_ascii_case("onnx")) && path.is_file()
    };
    let mut models: Vec<PathBuf> = entries.map(|entry| entry.path()).filter(is_model).collect();
    models.sort();
    models
}

/// True of two files with the same bytes.
///
/// # Errors
/// One of them cannot be read.
pub(super) fn is_same(a: &Path, b: &Path) -> Result<bool> {
    if same_file(a, b) {
        return Ok(true);
    }
    Source::open(a)?.holds_the_same_as(&Source::open(b)?)
}
