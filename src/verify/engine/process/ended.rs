//! Why a process that ran a model has ended, in words.

use std::process::{Child, ExitStatus};
use std::time::Duration;

use crate::verify::engine::isolation::out_of_memory;

/// It took too long.
pub(super) fn timed_out(engine: &str, limit: Duration) -> String {
    let seconds = limit.as_secs_f64();
    format!("{engine} did not finish within {seconds} s (--timeout)")
}

/// By its status and its standard error.
pub(super) fn why(engine: &str, status: ExitStatus, words: &str, memory: u64) -> String {
    // the words of Rust and of C++, from before they abort
    let failed = ["memory allocation of", "out of memory", "bad_alloc"];
    if failed.iter().any(|failed| words.contains(failed)) {
        return out_of_memory(engine, memory);
    }
    if words.contains("overflowed its stack") {
        return format!("{engine} crashed: stack overflow");
    }
    format!("{engine} crashed ({status})")
}

/// Bytes of memory that a process holds. On Linux the process limits itself, and nothing is asked.
#[cfg(target_os = "linux")]
pub(super) fn resident_memory(_: &Child) -> Option<u64> {
    None
}

/// The memory of a process in bytes; `None` if the system does not report it.
#[cfg(not(target_os = "linux"))]
pub(super) fn resident_memory(child: &Child) -> Option<u64> {
    use sysinfo::{Pid, ProcessRefreshKind, ProcessesToUpdate, System};
    let id = Pid::from_u32(child.id());
    let mut system = System::new();
    let only = ProcessesToUpdate::Some(&[id]);
    system.refresh_processes_specifics(only, false, ProcessRefreshKind::nothing().with_memory());
    system.process(id).map(sysinfo::Process::memory)
}
