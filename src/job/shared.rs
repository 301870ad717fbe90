//! Files of weights in the folder of a result: which models in it use them.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};

use crate::error::Result;
use crate::onnx::Model;
use crate::source::{Rope, Source};

use super::same_file::same_file;

/// The files that models in some folders use for their weights: the models, and which ranges each uses.
#[derive(Debug, Default)]
pub(super) struct Shared {
    used: BTreeMap<PathBuf, Vec<User>>,
}

/// A model, and the ranges of a file that it uses.
#[derive(Debug)]
struct User {
    model: PathBuf,
    ranges: Vec<Range<u64>>,
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
        let files = Model::open(path).and_then(|model| model.external_ranges());
        for (file, ranges) in files.unwrap_or_default() {
            if let Ok(real) = folder.join(file).canonicalize() {
                let users = self.used.entry(real).or_default();
                let model = path.to_path_buf();
                users.push(User { model, ranges });
            }
        }
    }

    /// A model that uses bytes of a file that differ from those of another.
    ///
    /// # Errors
    /// One of both cannot be read.
    pub fn user_of_others(&self, file: &Path, other: &Path) -> Result<Option<&Path>> {
        let users = file
            .canonicalize()
            .ok()
            .and_then(|real| self.used.get(&real));
        let Some(users) = users.filter(|_| !same_file(file, other)) else {
            return Ok(None);
        };
        let (file, other) = (Source::open(file)?, Source::open(other)?);
        for User { model, ranges } in users {
            for range in ranges {
                let part = |source: &Source| {
                    let mut rope = Rope::new();
                    let end = range.end.min(source.len());
                    rope.push_range(source, range.start.min(end)..end);
                    Source::from_rope(rope)
                };
                if !part(&file).holds_the_same_as(&part(&other))? {
                    return Ok(Some(model));
                }
            }
        }
        Ok(None)
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
