//! Ending work early: another thread asks, and the work ends at its next step with
//! [`ErrorKind::Interrupted`]. Nothing is written then.
//!
//! A step is a chunk of a file, a node that the engine computes, a stage of a model on its way
//! through it. The current request belongs to the thread, so no function passes it on.

use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::error::{Error, ErrorKind, Result};

thread_local! {
    /// What the work of this thread heeds.
    static HEEDED: RefCell<Option<Interrupt>> = const { RefCell::new(None) };
}

/// A request to end work; cheap to clone, shared between threads.
///
/// # Examples
/// ```
/// use dropout_onnx::onnx::Model;
/// use dropout_onnx::{ErrorKind, Interrupt, show};
///
/// # fn main() -> dropout_onnx::Result<()> {
/// let model = Model::open("fixtures/keras_course_infer_op15.onnx")?;
/// let interrupt = Interrupt::default();
/// assert!(interrupt.heeded(|| show::text(&model)).is_ok());
/// interrupt.ask(); // from any thread
/// let stopped = interrupt.heeded(|| show::text(&model)).unwrap_err();
/// assert_eq!(stopped.kind(), ErrorKind::Interrupted);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default)]
pub struct Interrupt(Arc<AtomicBool>);

impl Interrupt {
    /// Asks the work to end.
    pub fn ask(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Does work that heeds the request.
    pub fn heeded<T>(&self, work: impl FnOnce() -> T) -> T {
        let _before = Before(HEEDED.replace(Some(self.clone())));
        work()
    }
}

/// What was heeded before, which is so again once the work is done, or panics.
struct Before(Option<Interrupt>);

impl Drop for Before {
    fn drop(&mut self) {
        HEEDED.set(self.0.take());
    }
}

/// Between two steps.
pub(crate) fn check() -> Result<()> {
    let asked = HEEDED.with_borrow(|heeded| {
        let flag = heeded.as_ref().map(|interrupt| &interrupt.0);
        flag.is_some_and(|flag| flag.load(Ordering::Relaxed))
    });
    match asked {
        true => Err(Error::new(ErrorKind::Interrupted, "interrupted")),
        false => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_work_that_heeds_it_ends() {
        let interrupt = Interrupt::default();
        interrupt.heeded(|| assert!(check().is_ok()));
        interrupt.ask();
        assert!(check().is_ok());
        interrupt.heeded(|| {
            assert!(check().is_err());
            Interrupt::default().heeded(|| assert!(check().is_ok()));
            assert!(check().is_err());
        });
        assert!(check().is_ok());
    }
}
