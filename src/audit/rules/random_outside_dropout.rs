//! `random-outside-dropout`.

use super::{Context, Found, rule};

rule! {
    /// A random operator that is no part of a dropout
    ///
    /// ## What it finds
    ///
    /// `RandomUniform`, `RandomNormal`, their `Like` forms, `Bernoulli`, `Multinomial`, and the
    /// operators of `unloadable-random`, where what is made of the draw is no dropout.
    ///
    /// ## Why it matters
    ///
    /// The outputs stay random when all dropout is gone. That may be the point of the model (the
    /// sampling of a VAE, diffusion) or another remnant of training (random flips, RReLU).
    ///
    /// ## Example
    ///
    /// ```text
    /// z = Add(mean, Mul(Exp(half_log_variance), RandomNormalLike(mean)))     # a VAE
    /// ```
    ///
    /// ## What to do
    ///
    /// Nothing, if it is meant. `dropout-onnx strip` leaves it alone.
    "random-outside-dropout", Note, check
}

fn check(context: &Context<'_>) -> Vec<Found> {
    let draws = context.operators().filter(|(_, node)| node.draws());
    draws
        .filter(|(id, _)| !context.site_of.contains_key(id))
        .map(|(id, _)| context.at_node(id, "draws at random, and is no part of a dropout"))
        .collect()
}
