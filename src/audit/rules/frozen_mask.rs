//! `frozen-mask`.

use crate::dropout::Mode;

use super::{Context, Found, rule};

rule! {
    /// A mask that was drawn once and is now a constant
    ///
    /// ## What it finds
    ///
    /// A constant of zeros and one other number that activations are multiplied by, where the share of
    /// zeros is that of a dropout.
    ///
    /// ## Why it matters
    ///
    /// The exporter drew the mask while it folded constants. The model is deterministic and looks
    /// healthy, but the same elements are dropped for ever, and what they carry is lost.
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
    /// Export again in inference mode, or without constant folding and then `dropout-onnx strip`. Where
    /// the zeros are meant (pruning, a padding mask), `--allow frozen-mask`.
    "frozen-mask", Warning, check
}

fn check(context: &Context<'_>) -> Vec<Found> {
    let frozen = context.sound().filter(|site| site.mode == Mode::Frozen);
    frozen
        .map(|site| context.at_site(site, "drops the same elements in every run"))
        .collect()
}
