//! The steps of writing a file that can fail. In tests, each of them fails in turn.

use std::fs::File;
use std::io::{self, Write};

/// A call to the system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// A new file without a name: where there is none, one with a name does.
    Unnamed,
    Create,
    Attributes,
    /// Without it, bytes are read and written.
    Copy,
    Write,
    Sync,
    Name,
    Rename,
    SyncFolder,
}

/// A file that is written to.
#[derive(Debug)]
pub(in crate::source) struct Writer<'f>(pub &'f File);

impl Write for Writer<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        at(Step::Write)?;
        self.0.write(&bytes[..accepted(bytes.len())])
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// Whether the system may copy ranges of files.
#[cfg(target_os = "linux")]
pub(in crate::source) fn may_copy() -> io::Result<()> {
    at(Step::Copy)
}

#[cfg(not(test))]
pub(super) fn at(_: Step) -> io::Result<()> {
    Ok(())
}

#[cfg(not(test))]
fn accepted(length: usize) -> usize {
    length
}

#[cfg(test)]
pub(super) use injected::{Faults, accepted, at, with};

#[cfg(test)]
mod injected {
    use std::cell::RefCell;
    use std::io;

    use super::Step;

    /// The steps that fail.
    #[derive(Debug, Default)]
    pub struct Faults {
        /// Steps that always fail.
        pub without: Vec<Step>,
        /// The step with this number fails with this error of the system.
        pub error: Option<(usize, i32)>,
        /// The step with this number panics.
        pub panic: Option<usize>,
        /// Writes accept half of their bytes.
        pub short: bool,
        /// The steps until now.
        pub steps: Vec<Step>,
    }

    thread_local! {
        static FAULTS: RefCell<Faults> = RefCell::default();
    }

    /// Does work with faults: what it returns, and its steps.
    pub fn with<T>(faults: Faults, work: impl FnOnce() -> T) -> (T, Vec<Step>) {
        FAULTS.set(faults);
        let done = work();
        (done, FAULTS.take().steps)
    }

    pub fn at(step: Step) -> io::Result<()> {
        FAULTS.with_borrow_mut(|faults| {
            let number = faults.steps.len();
            faults.steps.push(step);
            if faults.without.contains(&step) {
                return Err(io::ErrorKind::Unsupported.into());
            }
            assert!(faults.panic != Some(number), "a panic at {step:?}");
            match faults.error {
                Some((at, error)) if at == number => Err(io::Error::from_raw_os_error(error)),
                _ => Ok(()),
            }
        })
    }

    pub fn accepted(length: usize) -> usize {
        FAULTS.with_borrow(|faults| {
            if faults.short {
                length.div_ceil(2)
            } else {
                length
            }
        })
    }
}
