//! `bernoulli-ambiguity`.

use super::{Context, Found, rule};

rule! {
    /// A `Bernoulli`, which runtimes read in two ways
    ///
    /// ## What it finds
    ///
    /// A `Bernoulli` operator, but for one that belongs to a dropout of rate 0.5, where both readings
    /// are the same.
    ///
    /// ## Why it matters
    ///
    /// ONNX says that its input is the probability of a 1. ONNX Runtime draws a 0 with that
    /// probability. A mask for a dropout of 0.1 so drops nine elements in ten in one of them. jax2onnx
    /// passes the complement to suit ONNX Runtime, PyTorch passes what ONNX says.
    ///
    /// ## Example
    ///
    /// ```text
    /// mask = Bernoulli(0.9)
    /// y = Div(Mul(x, mask), 0.9)
    /// ```
    ///
    /// ## What to do
    ///
    /// Remove it where it is dropout (`dropout-onnx strip`). Elsewhere compare a uniform draw with the
    /// probability, which all runtimes do alike: `Less(RandomUniformLike(x), p)`.
    "bernoulli-ambiguity", Warning, check
}

fn check(context: &Context<'_>) -> Vec<Found> {
    let ambiguous = context.operators().filter(|(id, node)| {
        let site = context.site_of.get(id);
        node.op_type == "Bernoulli" && site.is_none_or(|site| site.rate != Some(0.5))
    });
    ambiguous
        .map(|(id, _)| context.at_node(id, "ONNX Runtime and ONNX' reference draw opposite values"))
        .collect()
}
