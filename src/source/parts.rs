//! A source as another process can read it.

use std::ops::Range;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

use super::rope::{self, Rope};
use super::{Body, Source};
use crate::error::{Error, ErrorKind, Result};
use crate::hash::HashMap;

/// A piece of a source: bytes, or a range of a file that the other process opens itself.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Part {
    Bytes(ByteBuf),
    File {
        path: PathBuf,
        /// Length of the whole file, so that a file which has changed is noticed.
        len: u64,
        range: Range<u64>,
    },
}

impl Source {
    /// The pieces in order. Ranges of files are named, not read.
    ///
    /// # Errors
    /// Bytes that have no file cannot be computed or read.
    pub(crate) fn parts(&self) -> Result<Vec<Part>> {
        let mut parts = Vec::new();
        self.add_parts(0..self.len(), &mut parts)?;
        Ok(parts)
    }

    fn add_parts(&self, range: Range<u64>, parts: &mut Vec<Part>) -> Result<()> {
        match (&self.0.body, self.path()) {
            (Body::Rope(rope), _) => rope.parts_of(&range).try_for_each(|part| match part {
                rope::Part::Memory(bytes) => {
                    parts.push(Part::Bytes(bytes.to_vec().into()));
                    Ok(())
                }
                rope::Part::Range(source, range) => source.add_parts(range, parts),
            }),
            (Body::File(_), Some(path)) if path.to_str().is_some() => {
                parts.push(Part::File {
                    path: path.to_path_buf(),
                    len: self.len(),
                    range,
                });
                Ok(())
            }
            _ => {
                let bytes = self.bytes(range)?;
                parts.push(Part::Bytes(ByteBuf::from(bytes.to_vec())));
                Ok(())
            }
        }
    }

    /// The source that [`Source::parts`] describes.
    ///
    /// # Errors
    /// A file is missing, unreadable, or has changed its length.
    pub(crate) fn from_parts(parts: Vec<Part>) -> Result<Source> {
        let mut rope = Rope::new();
        let mut open: HashMap<PathBuf, Source> = HashMap::default();
        for part in parts {
            match part {
                Part::Bytes(bytes) => rope.push(bytes.into_vec()),
                Part::File { path, len, range } => {
                    if !open.contains_key(&path) {
                        open.insert(path.clone(), Source::open(&path)?);
                    }
                    let source = &open[&path];
                    if source.len() != len {
                        let why = "the file changed while it was being used";
                        return Err(Error::new(ErrorKind::Io, why).in_file(&path));
                    }
                    rope.push_range(source, range);
                }
            }
        }
        Ok(Source::from_rope(rope))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rope_of_files_and_memory_is_rebuilt_from_its_parts() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("digits");
        std::fs::write(&path, "0123456789").unwrap();
        let file = Source::open(&path).unwrap();
        let mut inner = Rope::new();
        inner.push_range(&file, 0..4);
        inner.push(&b"--"[..]);
        let inner = Source::from_rope(inner);
        let mut rope = Rope::new();
        rope.push_range(&inner, 2..6);
        rope.push_range(&Source::from_bytes(&b"abcdef"[..]), 1..3);
        rope.push_range(&file, 8..10);
        let source = Source::from_rope(rope);
        let parts = source.parts().unwrap();
        let named = parts
            .iter()
            .filter(|part| matches!(part, Part::File { .. }));
        assert_eq!(named.count(), 2, "{parts:?}");
        let again = Source::from_parts(parts).unwrap();
        assert_eq!(again.bytes(0..again.len()).unwrap(), &b"23--bc89"[..]);
    }

    #[test]
    fn a_file_that_changed_its_length_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("digits");
        std::fs::write(&path, "0123").unwrap();
        let parts = Source::open(&path).unwrap().parts().unwrap();
        std::fs::write(&path, "01234").unwrap();
        let error = Source::from_parts(parts).unwrap_err();
        assert!(error.to_string().contains("changed"), "{error}");
    }
}
