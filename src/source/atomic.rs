//! Writing so that a killed run leaves the old file whole.
//!
//! | of an existing file that is replaced | of a new file | of a copy |
//! |---|---|---|
//! | mode, owner, extended attributes | the mode of the model it is made from, less the umask | mode, owner, times, extended attributes |

mod destination;
mod fault;
mod keep;
mod temporary;
#[cfg(test)]
mod tests;

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::Path;

use super::{Rope, Source};
use crate::error::Result;
use crate::interrupt;
pub use destination::Destination;
use fault::Step;
pub(super) use fault::Writer;
#[cfg(target_os = "linux")]
pub(super) use fault::may_copy;
use temporary::Temporary;

/// Writes a rope to a temporary file in the destination folder, and renames it once it is complete and
/// synced to the disk; then the folder is synced.
///
/// What is not a regular file (`/dev/null`, a named pipe) is written to, never replaced.
///
/// # Errors
/// The folder is not writable, the disk is full, a source cannot be read or changed since it was opened. The
/// destination is then as it was.
pub fn write_atomic(destination: &Destination, rope: &Rope) -> Result<()> {
    stage(destination, rope)?.commit()
}

/// A file that is complete, and has not replaced its destination yet. If it is dropped, it never will.
#[derive(Debug)]
pub(crate) struct Staged<'a> {
    destination: &'a Destination,
    what: What<'a>,
}

#[derive(Debug)]
enum What<'a> {
    Temporary(Temporary),
    /// For a pipe or a device.
    Rope(&'a Rope),
}

/// Writes a rope next to its destination.
///
/// # Errors
/// As [`write_atomic`].
pub(crate) fn stage<'a>(destination: &'a Destination, rope: &'a Rope) -> Result<Staged<'a>> {
    let cannot = |e| destination.cannot(e);
    let existing = match fs::metadata(destination.real()) {
        Ok(meta) => Some(meta),
        Err(e) if e.kind() == io::ErrorKind::NotFound => None,
        Err(e) => return Err(cannot(e)),
    };
    if existing.as_ref().is_some_and(|meta| !meta.is_file()) {
        let what = What::Rope(rope);
        return Ok(Staged { destination, what });
    }
    let copied = destination.copy_of.as_deref().map(fs::metadata);
    let copied = copied.transpose().map_err(cannot)?;
    let like = copied.as_ref().or(existing.as_ref());
    // From the start, so that nobody opens here what they may not read there.
    let mode = like.map(fs::Metadata::permissions);
    let mode = mode.or_else(|| destination.mode.clone());
    let temporary = Temporary::new(destination.folder(), mode).map_err(cannot)?;
    if let Some(meta) = like {
        let path = destination.copy_of.as_deref();
        keep::attributes(temporary.file(), path.unwrap_or(destination.real()), meta)
            .map_err(cannot)?;
    }
    let file = temporary.file();
    let written = rope.write_to_file(file);
    written.map_err(|e| e.in_file(destination.named()))?;
    if let Some(meta) = &copied {
        keep::times(file, meta).map_err(cannot)?;
    }
    if destination.sync {
        // what is renamed has to be on the disk, or a crash could leave an empty file
        fault::at(Step::Sync)
            .and_then(|()| file.sync_all())
            .map_err(cannot)?;
    }
    Source::from_rope(rope.clone()).check_unchanged()?;
    interrupt::check()?;
    let what = What::Temporary(temporary);
    Ok(Staged { destination, what })
}

/// Makes another name (a hard link) of a file next to its destination.
///
/// # Errors
/// The file system has no links, or the folder is not writable.
#[cfg(feature = "tract")]
pub(crate) fn stage_link<'a>(destination: &'a Destination, to: &Path) -> Result<Staged<'a>> {
    let link = Temporary::link(destination.folder(), to);
    let what = What::Temporary(link.map_err(|e| destination.cannot(e))?);
    Ok(Staged { destination, what })
}

impl Staged<'_> {
    /// Replaces the destination.
    ///
    /// # Errors
    /// It cannot be replaced, or its folder cannot be synced.
    pub fn commit(self) -> Result<()> {
        let destination = self.destination;
        let cannot = |e| destination.cannot(e);
        match self.what {
            What::Rope(rope) => {
                let file = OpenOptions::new().write(true).open(destination.real());
                let written = rope.write_to(&mut file.map_err(cannot)?);
                written.map_err(|e| e.in_file(destination.named()))
            }
            What::Temporary(temporary) => {
                let folder = destination.folder();
                let replaced = temporary.persist(folder, destination.real());
                replaced.map_err(cannot)?;
                match destination.sync {
                    true => sync_folder(folder).map_err(cannot),
                    false => Ok(()),
                }
            }
        }
    }
}

/// So that the new name is on the disk, too. A folder that cannot be opened or synced is not.
fn sync_folder(folder: &Path) -> io::Result<()> {
    if cfg!(not(unix)) {
        return Ok(());
    }
    fault::at(Step::SyncFolder)?;
    match File::open(folder).map(|folder| folder.sync_all()) {
        Ok(Err(e)) if e.kind() != io::ErrorKind::InvalidInput => Err(e),
        _ => Ok(()),
    }
}
