//! Where files are written to.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

/// A place to write to, with its symlinks followed.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Destination {
    /// As the caller named it.
    named: PathBuf,
    /// What it leads to.
    real: PathBuf,
    /// The mode of a new file, before the umask; that of any new file if not given.
    pub(super) mode: Option<fs::Permissions>,
    /// A file that this will be a copy of.
    pub(super) copy_of: Option<PathBuf>,
    /// Whether files are on the disk before they replace others.
    pub(super) sync: bool,
}

impl Destination {
    /// Follows the symlinks of `path`, so that a link is kept and its target replaced.
    ///
    /// # Errors
    /// The folder does not exist, or the links lead nowhere.
    pub fn new(path: impl AsRef<Path>) -> Result<Destination> {
        let named = path.as_ref().to_path_buf();
        let real = follow(&named).map_err(|e| Error::io("cannot write", e).in_file(&named))?;
        Ok(Destination {
            named,
            real,
            mode: None,
            copy_of: None,
            sync: true,
        })
    }

    /// A new file gets the mode of `other` (less the umask), as `cp` gives it: a private model does
    /// not become a public one.
    #[must_use]
    pub fn with_mode_of(mut self, other: &Path) -> Destination {
        self.mode = fs::metadata(other).map(|meta| meta.permissions()).ok();
        self
    }

    /// The file will be a copy of `other`, as of `cp --preserve=all`: with its mode, its times, its extended
    /// attributes and, if the system allows it, its owner.
    #[must_use]
    pub fn as_copy_of(mut self, other: &Path) -> Destination {
        self.copy_of = Some(other.to_path_buf());
        self
    }

    /// `false`: do not wait until the file is on the disk. After a crash of the system (not of the process), it
    /// may be empty or in part.
    #[must_use]
    pub fn synced(mut self, sync: bool) -> Destination {
        self.sync = sync;
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

    /// The folder that it is in.
    pub(super) fn folder(&self) -> &Path {
        match self.real.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        }
    }

    /// An error of writing it.
    pub(super) fn cannot(&self, error: io::Error) -> Error {
        Error::io("cannot write", error).in_file(&self.named)
    }

    /// True of a file that its owner may not write: it is not replaced by the way.
    pub fn is_read_only(&self) -> bool {
        self.real
            .metadata()
            .is_ok_and(|meta| meta.is_file() && meta.permissions().readonly())
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
