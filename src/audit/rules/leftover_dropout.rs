//! `leftover-dropout`.

use crate::dropout::{Form, Mode};

use super::{Context, Found, rule};

rule! {
    /// A `Dropout` operator that does nothing
    ///
    /// ## What it finds
    ///
    /// A `Dropout` operator that passes its input through: of opsets 7 to 11, without `training_mode`,
    /// or with a ratio of 0.
    ///
    /// ## Why it matters
    ///
    /// It changes no output, but a runtime has to know it: tract before 0.23.8 loads no `Dropout` of
    /// opset 12 or later that has a ratio.
    ///
    /// ## Example
    ///
    /// ```text
    /// y = Dropout(x){ratio=0.5}              # opset 7: inference only
    /// ```
    ///
    /// ## What to do
    ///
    /// `dropout-onnx strip model.onnx`: the outputs stay the same to the bit.
    "leftover-dropout", Note, check
}

fn check(context: &Context<'_>) -> Vec<Found> {
    let operators = context.sound().filter(|site| site.form == Form::Operator);
    let leftover = operators.filter(|site| site.mode == Mode::Inert);
    leftover
        .map(|site| context.at_site(site, "does nothing, and some runtimes do not know it"))
        .collect()
}
