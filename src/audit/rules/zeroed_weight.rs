//! `zeroed-weight`.

use crate::dropout::zeroed_weights;

use super::{Context, Found, rule};

rule! {
    /// A weight with exact zeros at random places
    ///
    /// ## What it finds
    ///
    /// A weight of a layer of which a part are exact zeros, spread at random, while other elements come
    /// arbitrarily close to zero. Weights are only read with `--read-weights`, and of each the first MiB.
    ///
    /// ## Why it matters
    ///
    /// Exporters evaluate dropout on a weight (DropConnect, weight drop) while they fold constants. No
    /// dropout is left in the file, but a part of the weight is lost forever.
    ///
    /// Pruning by magnitude leaves no elements close to zero, and structured pruning leaves a pattern:
    /// neither is reported. Weights that were pruned at random look the same.
    ///
    /// ## Example
    ///
    /// ```text
    /// getitem = [0, 0.31, 0, -0.002, 0.84, 0, …]     # an initializer
    /// y = MatMul(x, getitem)
    /// ```
    ///
    /// ## What to do
    ///
    /// Export again in inference mode. If the weight was pruned at random on purpose, use `--allow
    /// zeroed-weight`.
    "zeroed-weight", Warning, check
}

fn check(context: &Context<'_>) -> Vec<Found> {
    if !context.reads_weights {
        return Vec::new();
    }
    let zeroed = zeroed_weights(context.view).into_iter();
    zeroed
        .map(|weight| {
            let percent = (weight.zeros * 100.0).round();
            let what = format!(
                "{percent} % of its weight `{}` are exact zeros at random places; dropout was probably \
                 folded into it",
                weight.name
            );
            context.at_node(weight.user, what)
        })
        .collect()
}
