//! `random-outside-dropout`.

use super::{Context, Found, rule};

rule! {
    /// A random operator that is not part of a dropout
    ///
    /// ## What it finds
    ///
    /// `RandomUniform`, `RandomNormal`, their `Like` forms, `Bernoulli`, `Multinomial`, and the
    /// operators of `unloadable-random`, if their result is not part of a dropout.
    ///
    /// ## Why it matters
    ///
    /// Outputs stay random after all dropout is removed. That may be the purpose of the model
    /// (sampling in a VAE, diffusion) or another leftover of training (random flips, RReLU).
    ///
    /// ## Example
    ///
    /// ```text
    /// z = Add(mean, Mul(Exp(half_log_variance), RandomNormalLike(mean)))     # a VAE
    /// ```
    ///
    /// ## What to do
    ///
    /// Nothing, if it is intended. `dropout-onnx strip` does not change it.
    "random-outside-dropout", Note, check
}

fn check(context: &Context<'_>) -> Vec<Found> {
    let draws = context.operators().filter(|(_, node)| node.draws());
    draws
        .filter(|(id, _)| !context.site_of.contains_key(id))
        .map(|(id, _)| context.at_node(id, "draws random numbers and is not part of a dropout"))
        .collect()
}
