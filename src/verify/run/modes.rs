//! The modes of the engines, tried in order.

use crate::verify::engine::{Host, Mode, Stop, Unrunnable};

/// Tries the modes until one works. If none does, the reason of each engine is that of its first mode: the
/// later ones only work around it.
pub(in crate::verify) fn try_modes<T>(
    host: &Host,
    mut attempt: impl FnMut(Mode) -> Result<T, Stop>,
) -> Result<T, Stop> {
    let mut reasons: Vec<(&'static str, Unrunnable)> = Vec::new();
    let mut is_final = false;
    for mode in host.modes() {
        let engine = mode.engine();
        let tried = reasons.last().is_some_and(|(last, _)| *last == engine);
        if tried && is_final {
            continue;
        }
        match attempt(mode) {
            Err(Stop::Unrunnable(unrunnable)) => {
                is_final = unrunnable.is_final();
                if !tried {
                    reasons.push((engine, unrunnable));
                }
            }
            done => return done,
        }
    }
    let reasons = reasons.into_iter().map(|(_, reason)| reason);
    let none = || Unrunnable::new("there is no mode to try");
    Err(reasons.reduce(Unrunnable::nor).unwrap_or_else(none).into())
}
