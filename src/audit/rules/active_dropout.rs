//! `active-dropout`.

use crate::dropout::Mode;

use super::{Context, Found, rule, verb};

rule! {
    /// Dropout that acts whenever the model runs
    ///
    /// ## What it finds
    ///
    /// A `Dropout` operator with `training_mode` true (below opset 7: without `is_test`), or a random
    /// mask made of other operators, that nothing switches off.
    ///
    /// ## Why it matters
    ///
    /// The outputs differ from run to run, and are worse than the model's: dropout is for training.
    /// Most often a model was exported in training mode. Runtimes do not agree either: ONNX Runtime
    /// removes a `Dropout` in training mode at its default optimisation level, but no random mask.
    ///
    /// ## Example
    ///
    /// ```text
    /// torch.onnx.export(model.train(), x, "model.onnx", training=TrainingMode.PRESERVE)
    /// y = Dropout(x, ratio=0.5, training_mode=true)
    /// ```
    ///
    /// ## What to do
    ///
    /// `dropout-onnx strip model.onnx`, or export again in inference mode (`model.eval()`,
    /// `training=False`). Where the randomness is wanted (Monte Carlo dropout), `--allow active-dropout`.
    "active-dropout", Error, check
}

fn check(context: &Context<'_>) -> Vec<Found> {
    let active = context.sound().filter(|site| site.mode == Mode::Active);
    active
        .map(|site| {
            let what = format!("still {} when the model runs", verb(site.kind));
            context.at_site(site, what)
        })
        .collect()
}
