//! Files that have not replaced others yet. A process holds a lock on each of its own, so that those of killed
//! processes are known: they have none.

use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock, PoisonError};

use tempfile::NamedTempFile;

use super::fault::{self, Step};

/// A file that the system removes when the process ends, however it ends, until it gets a name.
#[derive(Debug)]
pub(super) enum Temporary {
    /// Without a name: where the file system can.
    #[cfg(target_os = "linux")]
    Unnamed(File),
    /// With a name, which is removed on drop: a signal that ends the process leaves it.
    Named(NamedTempFile),
}

impl Temporary {
    pub fn new(folder: &Path, mode: Option<fs::Permissions>) -> io::Result<Temporary> {
        sweep_once(folder);
        #[cfg(target_os = "linux")]
        if let Some(file) = unnamed(folder, mode.as_ref()) {
            // it has no name yet: the lock is there before another process can see the file
            let _ = file.try_lock();
            return Ok(Temporary::Unnamed(file));
        }
        fault::at(Step::Create)?;
        let mut options = OpenOptions::new();
        options.read(true).write(true).create_new(true);
        #[cfg(unix)]
        if let Some(mode) = mode {
            use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
            options.mode(mode.mode());
        }
        #[cfg(not(unix))]
        let _ = mode;
        let create = |path: &Path| {
            let file = options.open(path)?;
            claim(&file, path).map(|()| file)
        };
        named(folder, create).map(Temporary::Named)
    }

    /// Another name for a file.
    #[cfg(feature = "tract")]
    pub fn link(folder: &Path, to: &Path) -> io::Result<Temporary> {
        sweep_once(folder);
        fault::at(Step::Create)?;
        let file = File::open(to)?;
        // several processes may link it at once
        let _ = file.try_lock_shared();
        let link = named(folder, |path| {
            fs::hard_link(to, path)?;
            file.try_clone()
        });
        link.map(Temporary::Named)
    }

    pub fn file(&self) -> &File {
        match self {
            #[cfg(target_os = "linux")]
            Temporary::Unnamed(file) => file,
            Temporary::Named(file) => file.as_file(),
        }
    }

    /// Replaces a file. The lock is held until that is done.
    pub fn persist(self, folder: &Path, to: &Path) -> io::Result<()> {
        match self {
            #[cfg(target_os = "linux")]
            Temporary::Unnamed(file) => {
                // a link cannot replace a file: it gets a name first, for a moment
                fault::at(Step::Name)?;
                let path = named(folder, |path| link(&file, path))?.into_temp_path();
                fault::at(Step::Rename)?;
                path.persist(to).map_err(|e| e.error)
            }
            Temporary::Named(file) => {
                fault::at(Step::Rename)?;
                file.persist(to).map(drop).map_err(|e| e.error)
            }
        }
    }
}

/// A file with the name of a temporary one.
fn named<F>(
    folder: &Path,
    make: impl FnMut(&Path) -> io::Result<F>,
) -> io::Result<NamedTempFile<F>> {
    let mut builder = tempfile::Builder::new();
    builder
        .prefix(prefix())
        .suffix(SUFFIX)
        .make_in(folder, make)
}

const SUFFIX: &str = ".tmp";

/// How the names of all temporary files of this machine begin. A lock may not be seen from another one.
pub(super) fn prefix() -> &'static str {
    static PREFIX: OnceLock<String> = OnceLock::new();
    PREFIX.get_or_init(|| {
        let host = blake3::hash(host().unwrap_or_default().as_bytes());
        format!(".dropout-onnx-{}-", &host.to_hex()[..8])
    })
}

#[cfg(feature = "tract")]
fn host() -> Option<String> {
    sysinfo::System::host_name()
}

#[cfg(not(feature = "tract"))]
fn host() -> Option<String> {
    None
}

/// Locks a new file. Another process may have taken it for one of a dead process before.
fn claim(file: &File, path: &Path) -> io::Result<()> {
    let swept = matches!(file.try_lock(), Err(TryLockError::WouldBlock)) || !path.exists();
    match swept {
        true => Err(io::ErrorKind::AlreadyExists.into()), // so that another name is tried
        false => Ok(()),
    }
}

/// Sweeps a folder the first time that this process writes to it.
fn sweep_once(folder: &Path) {
    static SWEPT: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());
    let mut swept = SWEPT.lock().unwrap_or_else(PoisonError::into_inner);
    let folder = folder
        .canonicalize()
        .unwrap_or_else(|_| folder.to_path_buf());
    if host().is_some() && swept.insert(folder.clone()) {
        sweep(&folder);
    }
}

/// Removes the temporary files of processes of this machine that were killed.
pub(super) fn sweep(folder: &Path) {
    for entry in folder.read_dir().into_iter().flatten().flatten() {
        let name = entry.file_name();
        let is_temporary = |name: &str| name.starts_with(prefix()) && name.ends_with(SUFFIX);
        if name.to_str().is_some_and(is_temporary)
            && entry.file_type().is_ok_and(|kind| kind.is_file())
        {
            let path = entry.path();
            // some file systems lock only what is open for writing
            let file = OpenOptions::new().read(true).write(true).open(&path);
            if let Ok(file) = file.or_else(|_| File::open(&path))
                && file.try_lock().is_ok()
            {
                let _ = fs::remove_file(&path);
            }
        }
    }
}

/// A file without a name in a folder; `None` if the file system has none.
#[cfg(target_os = "linux")]
fn unnamed(folder: &Path, mode: Option<&fs::Permissions>) -> Option<File> {
    use rustix::fs::{Mode, OFlags};
    use std::os::unix::fs::PermissionsExt;
    fault::at(Step::Unnamed).ok()?;
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
