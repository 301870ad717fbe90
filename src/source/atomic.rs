//! Writing so that a killed run leaves the old file whole.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use super::Rope;
use crate::error::{Error, Result};
use crate::interrupt;

/// A place to write to, with its symlinks followed.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Destination {
    /// As the caller named it.
    named: PathBuf,
    /// What it leads to.
    real: PathBuf,
    /// The mode of a new file, before the umask; that of any new file if not given.
    like: Option<fs::Permissions>,
}

impl Destination {
    /// Follows the symlinks of `path`, so that a link is kept and its target replaced.
    ///
    /// # Errors
    /// The folder does not exist, or the links lead nowhere.
    pub fn new(path: impl AsRef<Path>) -> Result<Destination> {
        let named = path.as_ref().to_path_buf();
        let real = follow(&named).map_err(|e| Error::io("cannot write", e).in_file(&named))?;
        let like = None;
        Ok(Destination { named, real, like })
    }

    /// A new file gets the mode of `other` (less the umask), as `cp` gives it: a private model does
    /// not become a public one.
    #[must_use]
    pub fn with_mode_of(mut self, other: &Path) -> Destination {
        self.like = fs::metadata(other).map(|meta| meta.permissions()).ok();
        self
    }

    /// As the caller named it.
    pub fn named(&self) -> &Path {
        &self.named
    }

    /// The file itself, no link.
    pub fn real(&self) -> &Path {
        &self.real
    }

    /// True if there is something at this place.
    pub fn exists(&self) -> bool {
        self.real.exists()
    }
}

/// `path` with every symlink of its last component followed, whether or not its end exists.
fn follow(path: &Path) -> io::Result<PathBuf> {
    let mut path = path.to_path_buf();
    for _ in 0..40 {
        match fs::read_link(&path) {
            Ok(target) => {
                path = match path.parent() {
                    Some(folder) => folder.join(target),
                    None => target,
                };
            }
            Err(_) => return Ok(path),
        }
    }
    Err(io::Error::other("too many levels of symbolic links"))
}

/// Writes a rope to a temporary file in the destination folder, and renames it once it is complete and
/// synced to the disk.
///
/// An existing file keeps its mode (and, where the system allows, its owner). What is not a
/// regular file (`/dev/null`, a named pipe) is written to, never replaced.
///
/// # Errors
/// The folder is not writable, the disk is full, a source cannot be read. The destination is then
/// as it was.
pub fn write_atomic(destination: &Destination, rope: &Rope) -> Result<()> {
    let cannot = |e| Error::io("cannot write", e).in_file(&destination.named);
    let existing = match fs::metadata(&destination.real) {
        Ok(meta) => Some(meta),
        Err(e) if e.kind() == io::ErrorKind::NotFound => None,
        Err(e) => return Err(cannot(e)),
    };
    if existing.as_ref().is_some_and(|meta| !meta.is_file()) {
        let mut file = OpenOptions::new()
            .write(true)
            .open(&destination.real)
            .map_err(cannot)?;
        return rope
            .write_to(&mut file)
            .map_err(|e| e.in_file(&destination.named));
    }
    let folder = match destination.real.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let mut builder = tempfile::Builder::new();
    builder.prefix(".dropout-onnx-").suffix(".tmp");
    #[cfg(unix)]
    {
        // From the start, so that nobody opens here what they may not read there.
        let mode = existing.as_ref().map(fs::Metadata::permissions);
        let mode = mode.or_else(|| destination.like.clone());
        let any = || std::os::unix::fs::PermissionsExt::from_mode(0o666);
        builder.permissions(mode.unwrap_or_else(any));
    }
    let temporary = builder.tempfile_in(folder).map_err(cannot)?;
    if let Some(meta) = &existing {
        keep_owner_and_mode(temporary.as_file(), meta).map_err(cannot)?;
    }
    rope.write_to_file(temporary.as_file())
        .map_err(|e| e.in_file(&destination.named))?;
    // what is renamed has to be on the disk, or a crash could leave an empty file
    temporary.as_file().sync_all().map_err(cannot)?;
    interrupt::check()?;
    temporary
        .persist(&destination.real)
        .map_err(|e| cannot(e.error))?;
    Ok(())
}

#[cfg(unix)]
fn keep_owner_and_mode(file: &File, existing: &fs::Metadata) -> io::Result<()> {
    use std::os::unix::fs::{MetadataExt, fchown};
    let ours = file.metadata()?;
    if (ours.uid(), ours.gid()) != (existing.uid(), existing.gid()) {
        // Only root may give files away; anybody else keeps the file as their own.
        let _ = fchown(file, Some(existing.uid()), Some(existing.gid()));
    }
    file.set_permissions(existing.permissions())
}

#[cfg(not(unix))]
fn keep_owner_and_mode(file: &File, existing: &fs::Metadata) -> io::Result<()> {
    file.set_permissions(existing.permissions())
}
