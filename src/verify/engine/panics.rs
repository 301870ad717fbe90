//! tract panics on some models. Here a panic becomes a value.

use std::any::Any;
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook};
use std::sync::Once;

thread_local! {
    /// How many guards this thread is inside.
    static INSIDE: Cell<u32> = const { Cell::new(0) };
}

static HOOK: Once = Once::new();

/// Runs `work`; a panic in it is returned as its message, and nothing is printed for it.
///
/// The panic hook belongs to the whole process. So it is wrapped once, and the wrapper passes every
/// panic on to the hook it found, except those of a thread that is inside a guard. tract is built
/// without its thread pool, so its panics happen on the thread that called it.
pub(in crate::verify) fn guard<T>(work: impl FnOnce() -> T) -> Result<T, String> {
    HOOK.call_once(|| {
        let previous = take_hook();
        set_hook(Box::new(move |info| {
            if INSIDE.try_with(Cell::get).unwrap_or(0) == 0 {
                previous(info);
            }
        }));
    });
    let _inside = Inside::enter();
    catch_unwind(AssertUnwindSafe(work)).map_err(|payload| message(payload.as_ref()))
}

struct Inside;

impl Inside {
    fn enter() -> Self {
        INSIDE.with(|depth| depth.set(depth.get() + 1));
        Inside
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        INSIDE.with(|depth| depth.set(depth.get().saturating_sub(1)));
    }
}

fn message(payload: &(dyn Any + Send)) -> String {
    let text = payload
        .downcast_ref::<&str>()
        .map(|text| (*text).to_string())
        .or_else(|| payload.downcast_ref::<String>().cloned());
    text.unwrap_or_else(|| "a panic without a message".to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_becomes_its_message() {
        assert_eq!(guard(|| 3), Ok(3));
        assert_eq!(
            guard(|| -> u8 { panic!("index {}", 9) }),
            Err("index 9".into())
        );
        assert_eq!(guard(|| -> u8 { panic!("plain") }), Err("plain".into()));
    }

    #[test]
    fn a_panic_outside_reaches_the_hook_that_was_there() {
        let _ = guard(|| ());
        assert_eq!(INSIDE.with(Cell::get), 0);
        let _ = guard(|| -> u8 { panic!("inside") });
        assert_eq!(INSIDE.with(Cell::get), 0);
    }
}
