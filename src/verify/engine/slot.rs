//! Values that belong to a run of this thread.

use std::cell::RefCell;
use std::thread::LocalKey;

/// Does some work with a value in a slot of this thread, and takes the value out again. A slot that was
/// filled before gets its value back, even if the work panics.
pub(super) fn with_slot<T: 'static, R>(
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
