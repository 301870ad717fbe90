//! `runtime-dropout`.

use crate::dropout::Mode;

use super::{Context, Found, rule};

rule! {
    /// Dropout that an input of the model can switch on
    ///
    /// ## What it finds
    ///
    /// A dropout whose `training_mode`, ratio or mask depends on an input of the model, or stands in a
    /// branch of an `If` that only a run decides on.
    ///
    /// ## Why it matters
    ///
    /// The model is only as deterministic as its callers: one that passes the wrong flag gets random
    /// outputs. ONNX Runtime removes such a `Dropout` at its default optimisation level, so that the
    /// flag is ignored there and heeded elsewhere.
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
    /// `dropout-onnx strip model.onnx` for a model that is only used for inference. Where the switch is
    /// wanted, `--allow runtime-dropout`.
    "runtime-dropout", Warning, check
}

fn check(context: &Context<'_>) -> Vec<Found> {
    let runtime = context.sound().filter(|site| site.mode == Mode::Runtime);
    runtime
        .map(|site| context.at_site(site, "an input of the model switches it on"))
        .collect()
}
