//! The modes of tract, tried in order.

use crate::verify::engine::{Mode, Stop, Unrunnable};

/// Tries the modes until one works. If none does, the reason is that of the first: the later modes
/// only work around it.
pub(in crate::verify) fn try_modes<T>(
    mut attempt: impl FnMut(Mode) -> Result<T, Stop>,
) -> Result<T, Stop> {
    let mut first: Option<Unrunnable> = None;
    for mode in Mode::ALL {
        match attempt(mode) {
            Err(Stop::Unrunnable(unrunnable)) => {
                let last = unrunnable.is_final();
                first.get_or_insert(unrunnable);
                if last {
                    break;
                }
            }
            done => return done,
        }
    }
    let none = || Unrunnable::new("there is no mode to try");
    Err(first.unwrap_or_else(none).into())
}
