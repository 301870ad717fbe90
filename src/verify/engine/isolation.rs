//! The limits of a process that runs models.

use std::path::PathBuf;
use std::time::Duration;

use bytesize::ByteSize;

use crate::error::{Error, ErrorKind};

/// A process that runs models.
#[derive(Clone, Debug)]
pub struct Isolation {
    /// The `dropout-onnx` command, of this version: it is started with the one argument
    /// [`super::ENGINE_ARGUMENT`].
    pub program: PathBuf,
    /// Time limit for loading a model, and for each run of it.
    pub timeout: Duration,
    /// Memory limit in bytes: a limit of the process's data on Linux; elsewhere its resident memory is
    /// looked at from time to time.
    pub memory: u64,
}

impl Isolation {
    /// Time limit in seconds where none is given.
    pub const TIMEOUT: u64 = 300;

    /// With a time limit of [`Isolation::TIMEOUT`] seconds and a memory limit of three quarters of the
    /// machine's memory, or of what the process's control group may use.
    pub fn new(program: impl Into<PathBuf>) -> Isolation {
        Isolation {
            program: program.into(),
            timeout: Duration::from_secs(Isolation::TIMEOUT),
            memory: machine_memory() / 4 * 3,
        }
    }

    /// A memory limit in words: `8GiB`, `500MB`, or a number of bytes.
    ///
    /// # Errors
    /// It is not a size.
    pub fn parse_memory(text: &str) -> Result<u64, Error> {
        let size: Result<ByteSize, _> = text.parse();
        let size = size.map(|size| size.as_u64()).ok().filter(|&size| size > 0);
        size.ok_or_else(|| {
            let why = format!("`{text}` is not a size: write for instance 8GiB or 500MB");
            Error::new(ErrorKind::Usage, why)
        })
    }
}

/// Bytes of memory that this machine has, or that this process's control group may use.
fn machine_memory() -> u64 {
    let mut system = sysinfo::System::new();
    system.refresh_memory();
    let group = system.cgroup_limits().map(|limits| limits.total_memory);
    let group = group.filter(|&total| total > 0).unwrap_or(u64::MAX);
    system.total_memory().min(group)
}
