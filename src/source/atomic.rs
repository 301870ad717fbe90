//! Writing so that a killed run leaves the old file whole.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use super::{Rope, Source};
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

/// Writes a rope to a temporary file in the destination folder, and renames it once it is complete and
/// synced to the disk; then the folder is synced.
///
/// An existing file keeps its mode (and, where the system allows, its owner). What is not a
/// regular file (`/dev/null`, a named pipe) is written to, never replaced.
///
/// # Errors
/// The folder is not writable, the disk is full, a source cannot be read or changed since it was opened. The
/// destination is then as it was.
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
    // From the start, so that nobody opens here what they may not read there.
    let mode = existing.as_ref().map(fs::Metadata::permissions);
    let mode = mode.or_else(|| destination.like.clone());
    let temporary = Temporary::new(folder, mode).map_err(cannot)?;
    if let Some(meta) = &existing {
        keep_owner_and_mode(temporary.file(), meta).map_err(cannot)?;
    }
    rope.write_to_file(temporary.file())
        .map_err(|e| e.in_file(&destination.named))?;
    // what is renamed has to be on the disk, or a crash could leave an empty file
    temporary.file().sync_all().map_err(cannot)?;
    Source::from_rope(rope.clone()).check_unchanged()?;
    interrupt::check()?;
    temporary
        .persist(folder, &destination.real)
        .map_err(cannot)?;
    sync_folder(folder).map_err(cannot)
}

/// So that the new name is on the disk, too. A folder that cannot be opened or synced is not.
fn sync_folder(folder: &Path) -> io::Result<()> {
    if cfg!(not(unix)) {
        return Ok(());
    }
    match File::open(folder).map(|folder| folder.sync_all()) {
        Ok(Err(e)) if e.kind() != io::ErrorKind::InvalidInput => Err(e),
        _ => Ok(()),
    }
}

/// A file that the system removes when the process ends, however it ends, until it gets a name.
enum Temporary {
    /// Without a name: where the file system can.
    #[cfg(target_os = "linux")]
    Unnamed(File),
    /// With a name, which is removed on drop: a signal that ends the process leaves it.
    Named(NamedTempFile),
}

impl Temporary {
    fn new(folder: &Path, mode: Option<fs::Permissions>) -> io::Result<Temporary> {
        #[cfg(target_os = "linux")]
        if let Some(file) = unnamed(folder, mode.as_ref()) {
            return Ok(Temporary::Unnamed(file));
        }
        let mut builder = builder();
        #[cfg(unix)]
        {
            let any = || std::os::unix::fs::PermissionsExt::from_mode(0o666);
            builder.permissions(mode.unwrap_or_else(any));
        }
        #[cfg(not(unix))]
        let _ = mode;
        builder.tempfile_in(folder).map(Temporary::Named)
    }

    fn file(&self) -> &File {
        match self {
            #[cfg(target_os = "linux")]
            Temporary::Unnamed(file) => file,
            Temporary::Named(file) => file.as_file(),
        }
    }

    fn persist(self, folder: &Path, to: &Path) -> io::Result<()> {
        let path = match self {
            #[cfg(target_os = "linux")]
            Temporary::Unnamed(file) => {
                // a link cannot replace a file: it gets a name first, for a moment
                let link = |path: &Path| link(&file, path);
                builder().make_in(folder, link)?.into_temp_path()
            }
            Temporary::Named(file) => file.into_temp_path(),
        };
        path.persist(to).map_err(|e| e.error)
    }
}

fn builder() -> tempfile::Builder<'static, 'static> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(".dropout-onnx-").suffix(".tmp");
    builder
}

/// A file without a name in a folder; `None` if the file system has none.
#[cfg(target_os = "linux")]
fn unnamed(folder: &Path, mode: Option<&fs::Permissions>) -> Option<File> {
    use rustix::fs::{Mode, OFlags};
    use std::os::unix::fs::PermissionsExt;
    if !Path::new("/proc/self/fd").is_dir() {
        return None; // it could not get its name
    }
    let mode = mode.map_or(0o666, |mode| mode.mode() & 0o7777);
    let flags = OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC;
    let file = rustix::fs::open(folder, flags, Mode::from_raw_mode(mode));
    file.ok().map(File::from)
}

/// Gives a file a name.
#[cfg(target_os = "linux")]
fn link(file: &File, path: &Path) -> io::Result<()> {
    use rustix::fs::{AtFlags, CWD};
    use std::os::fd::AsRawFd;
    let itself = format!("/proc/self/fd/{}", file.as_raw_fd());
    rustix::fs::linkat(CWD, itself, CWD, path, AtFlags::SYMLINK_FOLLOW).map_err(Into::into)
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
