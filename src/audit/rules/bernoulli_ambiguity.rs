//! `bernoulli-ambiguity`.

use super::{Context, Found, rule};

rule! {
    /// A `Bernoulli` operator, which runtimes implement differently
    ///
    /// ## What it finds
    ///
    /// A `Bernoulli` operator, unless it belongs to a dropout with a rate of 0.5, where both
    /// implementations agree.
    ///
    /// ## Why it matters
    ///
    /// ONNX defines the input as the probability of a 1. ONNX Runtime draws a 0 with that
    /// probability. The mask of a dropout with a rate of 0.1 therefore drops 90 % of the elements
    /// in one of them. jax2onnx passes the complement, which suits ONNX Runtime; PyTorch follows
    /// ONNX.
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
    /// If it belongs to a dropout, remove it with `dropout-onnx strip`. Otherwise compare a
    /// uniform draw with the probability, which is the same in all runtimes:
    /// `Less(RandomUniformLike(x), p)`.
    "bernoulli-ambiguity", Warning, check
}

fn check(context: &Context<'_>) -> Vec<Found> {
    let ambiguous = context.facts.draws().filter(|node| {
        let site = context.site_of.get(&node.id);
        node.is("Bernoulli") && site.is_none_or(|site| site.rate != Some(0.5))
    });
    ambiguous
        .map(|node| {
            context.at_node(
                node.id,
                "ONNX Runtime draws the opposite of what ONNX defines",
            )
        })
        .collect()
}
