//! `leftover-dropout`.

use crate::dropout::{Form, Mode};

use super::{Context, Found, rule};

rule! {
    /// Dropout that has no effect
    ///
    /// ## What it finds
    ///
    /// A `Dropout` operator that is the identity: of opsets 7 to 11, without `training_mode`, or
    /// with a ratio of 0. Also dropout in any form that never runs: in a branch of an `If` whose
    /// condition is constant, in a `Loop` without iterations, or in a function that is never called. Also
    /// dropout whose result nothing reads, or only for its shape.
    ///
    /// ## Why it matters
    ///
    /// It changes no output, but a runtime has to support it: tract before 0.23.8 cannot load a
    /// `Dropout` of opset 12 or later with a ratio.
    ///
    /// ## Example
    ///
    /// ```text
    /// y = Dropout(x){ratio=0.5}              # opset 7: inference only
    /// ```
    ///
    /// ## What to do
    ///
    /// Run `dropout-onnx strip model.onnx`; the outputs stay bit-identical.
    "leftover-dropout", Note, check
}

fn check(context: &Context<'_>) -> Vec<Found> {
    let inert = context.sound().filter(|site| site.mode == Mode::Inert);
    inert
        .filter_map(|site| {
            let what = match (site.unreachable, site.form) {
                (true, _) => {
                    "changes no output: its branch is never taken, its function never called, or its result \
                     not read"
                }
                (false, Form::Operator) => "has no effect, and some runtimes do not support it",
                (false, _) => return None,
            };
            Some(context.at_site(site, what))
        })
        .collect()
}
