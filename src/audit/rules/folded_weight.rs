//! `folded-weight`.

use crate::dropout::folded_weights;

use super::{Context, Found, rule};

rule! {
    /// A weight that may be the result of a dropout
    ///
    /// ## What it finds
    ///
    /// A weight named `getitem` or `getitem_1`. PyTorch's exporter names weights after parameters; this is
    /// the name that it gives a result of `native_dropout`, and of a few other functions.
    ///
    /// ## Why it matters
    ///
    /// The exporter evaluates dropout on a weight (DropConnect, weight drop) while it folds constants. A
    /// part of such a weight are zeros forever, and no dropout is left in the file.
    ///
    /// ## Example
    ///
    /// ```text
    /// y = Gemm(x, getitem, bias)
    /// ```
    ///
    /// ## What to do
    ///
    /// Run `audit --read-weights`: it reports `zeroed-weight` if the weight has zeros at random places.
    "folded-weight", Note, check
}

fn check(context: &Context<'_>) -> Vec<Found> {
    if context.reads_weights {
        return Vec::new(); // `zeroed-weight` knows more
    }
    let folded = folded_weights(context.view).into_iter();
    folded
        .map(|(user, name)| {
            let what = format!(
                "its weight `{name}` has the name of a result, which may be that of a dropout; check it \
                 with --read-weights"
            );
            context.at_node(user, what)
        })
        .collect()
}
