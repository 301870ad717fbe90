//! Operators that tract is given: dropout and draws that can be repeated, and a node that observes.

pub(super) mod dropout;
pub(super) mod random;
pub(in crate::verify) mod watch;

use std::cell::RefCell;
use std::thread::LocalKey;

/// Does some work with a value in a slot of this thread, and takes the value out again. A slot that was
/// filled before gets its value back, even if the work panics.
fn with_slot<T: 'static, R>(
    slot: &'static LocalKey<RefCell<Option<T>>>,
    value: T,
    work: impl FnOnce() -> R,
) -> (R, Option<T>) {
    struct Restore<T: 'static>(&'static LocalKey<RefCell<Option<T>>>, Option<T>);
    impl<T> Drop for Restore<T> {
        fn drop(&mut self) {
            self.0.set(self.1.take());
        }
    }
    let _restore = Restore(slot, slot.replace(Some(value)));
    let done = work();
    (done, slot.take())
}
