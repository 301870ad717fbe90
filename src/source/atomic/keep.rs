//! What a file keeps of the one that it replaces or is a copy of.

use std::fs::{File, FileTimes, Metadata};
use std::io;
use std::path::Path;

use super::fault::{self, Step};

/// Gives a file the owner, the extended attributes and the mode of another. Only the mode has to be as it was: not
/// everybody may give files away, and not every file system has attributes.
pub(super) fn attributes(file: &File, path: &Path, like: &Metadata) -> io::Result<()> {
    fault::at(Step::Attributes)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::{MetadataExt, fchown};
        let ours = file.metadata()?;
        if (ours.uid(), ours.gid()) != (like.uid(), like.gid()) {
            let _ = fchown(file, Some(like.uid()), Some(like.gid()));
        }
        extended(file, path);
    }
    #[cfg(not(unix))]
    let _ = path;
    file.set_permissions(like.permissions())
}

/// Attributes that are about the bytes of a file: hashes, signatures, and what they allow.
#[cfg(unix)]
const OF_CONTENT: [&str; 3] = ["security.capability", "security.evm", "security.ima"];

/// Access control lists and security labels are extended attributes, too.
#[cfg(unix)]
fn extended(file: &File, path: &Path) {
    use xattr::FileExt;
    for name in xattr::list_deref(path).into_iter().flatten() {
        if OF_CONTENT.iter().all(|&other| name != other)
            && let Ok(Some(value)) = xattr::get_deref(path, &name)
        {
            let _ = file.set_xattr(&name, &value);
        }
    }
}

/// Gives a file the times of another.
pub(super) fn times(file: &File, like: &Metadata) -> io::Result<()> {
    let mut times = FileTimes::new();
    if let Ok(modified) = like.modified() {
        times = times.set_modified(modified);
    }
    if let Ok(accessed) = like.accessed() {
        times = times.set_accessed(accessed);
    }
    file.set_times(times)
}
