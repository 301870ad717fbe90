//! `leftover-dropout`.

use crate::dropout::{Form, Mode};

use super::{Context, Found, rule};

rule! {
    /// A `Dropout` operator that has no effect
    ///
    /// ## What it finds
    ///
    /// A `Dropout` operator that is the identity: of opsets 7 to 11, without `training_mode`, or
    /// with a ratio of 0.
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
    let operators = context.sound().filter(|site| site.form == Form::Operator);
    let leftover = operators.filter(|site| site.mode == Mode::Inert);
    leftover
        .map(|site| context.at_site(site, "has no effect, and some runtimes do not support it"))
        .collect()
}
