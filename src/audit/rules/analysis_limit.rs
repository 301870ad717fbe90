//! `analysis-limit`.

use super::{Context, Found, rule};

rule! {
    /// A search for dropout that stopped at a limit
    ///
    /// ## What it finds
    ///
    /// A node whose surroundings were not searched to the end. The search is bounded, so that a model of
    /// a few kilobytes cannot keep an audit busy for minutes. The finding names the limit. It also finds
    /// unknown operators that are named after dropout, and calls of functions that the model does not
    /// define.
    ///
    /// ## Why it matters
    ///
    /// Dropout may be missed there, or its mode misjudged, so the verdict of the model is `unknown`
    /// unless active dropout was found.
    ///
    /// ## Example
    ///
    /// ```text
    /// y = com.acme.FusedDropoutAdd(x, residual)
    /// ```
    ///
    /// ## What to do
    ///
    /// Look at the node. If nothing is dropped there, accept the finding in `dropout-onnx.toml`, with a
    /// reason.
    "analysis-limit", Warning, check
}

fn check(context: &Context<'_>) -> Vec<Found> {
    let limits = context.limits.iter();
    limits
        .map(|limit| {
            let what = format!("the search for dropout stopped here: {}", limit.what);
            context.at_node(limit.node, what)
        })
        .collect()
}
