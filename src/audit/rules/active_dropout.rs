//! `active-dropout`.

use crate::dropout::Mode;

use super::{Context, Found, rule, verb};

rule! {
    /// Dropout that is active on every run
    ///
    /// ## What it finds
    ///
    /// A `Dropout` operator with `training_mode` true (below opset 7: without `is_test`), or a
    /// random mask made of other operators, that nothing switches off.
    ///
    /// ## Why it matters
    ///
    /// Outputs differ on every run, and are worse than those of the inference model. The usual
    /// cause is an export in training mode. Tests may not notice: ONNX Runtime removes `Dropout`
    /// operators in training mode at its default optimization level, though not random masks.
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
    /// Run `dropout-onnx strip model.onnx`, or export again in inference mode (`model.eval()`,
    /// `training=False`). If the randomness is intended (Monte Carlo dropout), use `--allow
    /// active-dropout`.
    "active-dropout", Error, check
}

fn check(context: &Context<'_>) -> Vec<Found> {
    let active = context.sound().filter(|site| site.mode == Mode::Active);
    active
        .map(|site| {
            let what = format!("still {} on every run", verb(site.kind));
            context.at_site(site, what)
        })
        .collect()
}
