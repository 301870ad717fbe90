//! `frozen-mask`.

use crate::dropout::Mode;

use super::{Context, Found, rule};

rule! {
    /// A random mask that was frozen into a constant
    ///
    /// ## What it finds
    ///
    /// A constant of zeros and one other value that activations are multiplied by, with a share of
    /// zeros that is typical of dropout.
    ///
    /// ## Why it matters
    ///
    /// The exporter drew the mask while it folded constants. The model is deterministic and looks
    /// healthy, but the same elements are dropped on every run, and the information in them is
    /// lost.
    ///
    /// ## Example
    ///
    /// ```text
    /// mask = [0, 2, 2, 0, 0, 2, …]           # an initializer
    /// y = Mul(x, mask)
    /// ```
    ///
    /// ## What to do
    ///
    /// Export again in inference mode, or without constant folding, followed by `dropout-onnx
    /// strip`. If the zeros are intended (pruning, a padding mask), use `--allow frozen-mask`.
    "frozen-mask", Warning, check
}

fn check(context: &Context<'_>) -> Vec<Found> {
    let frozen = context.sound().filter(|site| site.mode == Mode::Frozen);
    frozen
        .map(|site| context.at_site(site, "drops the same elements on every run"))
        .collect()
}
