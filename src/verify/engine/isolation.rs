//! The limits of a process that runs models.

use std::path::PathBuf;
use std::time::Duration;

use bytesize::ByteSize;

use crate::error::{Error, ErrorKind};

/// A process that runs models.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Isolation {
    /// The `dropout-onnx` command, of this version: it is started with the one argument
    /// [`super::ENGINE_ARGUMENT`].
    pub program: PathBuf,
    /// Time limit for loading a model, and for each run of it; by default, by the size of the model.
    pub timeout: Option<Duration>,
    /// Memory limit in bytes: a limit of the process's data on Linux; elsewhere its resident memory is
    /// looked at from time to time. By default, by the size of the model.
    pub memory: Option<u64>,
}

/// The limits of one model.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    pub(super) timeout: Duration,
    pub(super) memory: u64,
}

impl Isolation {
    /// The default time limit of the smallest model, in seconds: it grows by 4 s for every MiB of a model.
    const TIMEOUT: u64 = 30;

    /// The default time limit of the largest model, in seconds.
    const LONGEST: u64 = 300;

    /// The default memory limit of the smallest model: it grows by four times the size of a model, up to
    /// three quarters of the memory of the machine, or of what the process's control group may use.
    const MEMORY: u64 = 2 << 30;

    /// With the default limits.
    pub fn new(program: impl Into<PathBuf>) -> Isolation {
        Isolation {
            program: program.into(),
            timeout: None,
            memory: None,
        }
    }

    /// The limits of a model of this many bytes, its external data included.
    pub(super) fn limits(&self, bytes: u64) -> Limits {
        let seconds = Isolation::TIMEOUT.saturating_add(bytes >> 18);
        let timeout = Duration::from_secs(seconds.min(Isolation::LONGEST));
        let memory = || Isolation::MEMORY.saturating_add(bytes.saturating_mul(4));
        Limits {
            timeout: self.timeout.unwrap_or(timeout),
            memory: (self.memory).unwrap_or_else(|| memory().min(machine_memory() / 4 * 3)),
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

/// Limits the data of this process: what it allocates beyond that fails.
#[cfg(target_os = "linux")]
pub(super) fn limit_memory(bytes: u64) -> Result<(), Error> {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let before = getrlimit(Resource::Data);
    let limit = Rlimit {
        current: Some(before.current.unwrap_or(u64::MAX).min(bytes)),
        maximum: before.maximum,
    };
    setrlimit(Resource::Data, limit)
        .map_err(|e| Error::io("cannot limit the engine's memory", e.into()))
}

/// Elsewhere the process that asks looks at how much this one holds.
#[cfg(not(target_os = "linux"))]
pub(super) fn limit_memory(_: u64) -> Result<(), Error> {
    Ok(())
}

/// An allocation of an engine in this process failed, in words.
pub(super) fn allocation_failed(engine: &str) -> String {
    #[cfg(target_os = "linux")]
    if let Some(limit) = rustix::process::getrlimit(rustix::process::Resource::Data).current {
        return out_of_memory(engine, limit);
    }
    format!("{engine} ran out of memory")
}

/// An engine asked for more memory than it may have, in words.
pub(super) fn out_of_memory(engine: &str, limit: u64) -> String {
    let limit = ByteSize(limit).display().iec();
    format!("{engine} needs more than {limit} of memory (--memory-limit)")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn default_limits_grow_with_the_model_up_to_the_machine() {
        let isolation = Isolation::new("dropout-onnx");
        let [small, large, huge] = [1 << 10, 20 << 20, u64::MAX].map(|b| isolation.limits(b));
        let most = machine_memory() / 4 * 3;
        assert_eq!(small.timeout, Duration::from_secs(30));
        assert_eq!(large.timeout, Duration::from_secs(110));
        assert_eq!(small.memory, ((2 << 30) + (4 << 10)).min(most));
        assert!(small.memory <= large.memory && large.memory <= most);
        assert_eq!(
            (huge.timeout, huge.memory),
            (Duration::from_secs(300), most)
        );
    }

    #[test]
    fn given_limits_do_not_grow() {
        let mut isolation = Isolation::new("dropout-onnx");
        (isolation.timeout, isolation.memory) = (Some(Duration::from_secs(1)), Some(5));
        let limits = isolation.limits(u64::MAX);
        assert_eq!((limits.timeout, limits.memory), (Duration::from_secs(1), 5));
    }
}
