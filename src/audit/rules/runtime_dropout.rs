//! `runtime-dropout`.

use crate::dropout::Mode;

use super::{Context, Found, rule};

rule! {
    /// Dropout that a model input can switch on
    ///
    /// ## What it finds
    ///
    /// A dropout whose `training_mode`, ratio or mask depends on a model input, or that is in a
    /// branch of an `If` whose condition depends on what a run is given. Where a random draw alone decides,
    /// no input switches the dropout off: it is active.
    ///
    /// ## Why it matters
    ///
    /// The model is only as deterministic as its callers: passing the wrong flag gives random
    /// outputs. ONNX Runtime removes such a `Dropout` at its default optimization level, so the
    /// flag has no effect there but does elsewhere.
    ///
    /// ## Example
    ///
    /// ```text
    /// training = Not(deterministic)          # an input of the model
    /// y = Dropout(x, ratio=0.3, training)
    /// ```
    ///
    /// ## What to do
    ///
    /// If the model is only used for inference, run `dropout-onnx strip model.onnx`. If the switch
    /// is intended, use `--allow runtime-dropout`.
    "runtime-dropout", Warning, check
}

fn check(context: &Context<'_>) -> Vec<Found> {
    let runtime = context.sound().filter(|site| site.mode == Mode::Runtime);
    runtime
        .map(|site| context.at_site(site, "a model input switches it on"))
        .collect()
}
