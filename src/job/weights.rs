//! Files of weights that are copied with a result.

use std::ops::Range;
use std::path::PathBuf;

use crate::error::{Error, Result};
use crate::source::{Destination, Rope, Source};

/// The gap between two ranges that becomes a hole, at least.
const GAP: u64 = 1 << 20;

/// A file of weights.
#[derive(Debug)]
pub(super) struct Weights {
    pub from: PathBuf,
    pub to: PathBuf,
    /// The ranges that the model uses, in order.
    pub used: Vec<Range<u64>>,
}

impl Weights {
    /// The destination, in a folder that exists, and its bytes: what the model uses is at the same places, and the
    /// rest is a hole. A file that is replaced may be that of other models, and becomes a copy of all.
    ///
    /// # Errors
    /// The file cannot be read, or the folder cannot be made.
    pub fn copy(&self, sync: bool) -> Result<(Destination, Rope)> {
        if let Some(folder) = self.to.parent() {
            let made = std::fs::create_dir_all(folder);
            made.map_err(|e| Error::io("cannot write", e).in_file(&self.to))?;
        }
        let destination = Destination::new(&self.to)?.as_copy_of(&self.from);
        let source = Source::open(&self.from)?;
        let mut rope = Rope::new();
        let used = self.used.iter().filter(|_| !destination.exists());
        for range in used {
            let end = range.end.min(source.len());
            let gap = range.start.saturating_sub(rope.len());
            if gap >= GAP {
                rope.push_range(&Source::zeros(gap), 0..gap);
            }
            if end > rope.len() {
                rope.push_range(&source, rope.len()..end);
            }
        }
        if source.len() - rope.len() < GAP || destination.exists() {
            rope.push_range(&source, rope.len()..source.len());
        }
        Ok((destination.synced(sync), rope))
    }
}
