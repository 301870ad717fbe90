//! `random-outside-dropout`.

use super::{Context, Found, rule};

rule! {
    /// A random operator that is not part of a dropout
    ///
    /// ## What it finds
    ///
    /// An operator that draws random numbers, is not part of a dropout, and may change an output:
    /// `RandomUniform`, `RandomNormal`, their `Like` forms, `Bernoulli`, `Multinomial`, and operators of
    /// other frameworks with such names (`StatelessRandomUniformV2`, `TruncatedNormal`). A model with one
    /// has the verdict `random`, unless it is worse.
    ///
    /// ## Why it matters
    ///
    /// Outputs differ between runs, also after all dropout is removed. That may be the purpose of the
    /// model (sampling in a VAE, diffusion), another leftover of training (random flips, RReLU), or
    /// dropout in a form that is not recognised.
    ///
    /// ## Example
    ///
    /// ```text
    /// z = Add(mean, Mul(Exp(half_log_variance), RandomNormalLike(mean)))     # a VAE
    /// ```
    ///
    /// ## What to do
    ///
    /// If the model is meant to be random, allow the rule in `dropout-onnx.toml`, with a reason. If not,
    /// export it again in inference mode (`model.eval()`, `training=False`). `dropout-onnx strip` does not
    /// change it.
    "random-outside-dropout", Warning, check
}

fn check(context: &Context<'_>) -> Vec<Found> {
    let random = context.random.iter();
    random
        .map(|draw| {
            let outputs = match &draw.output {
                Some(output) => format!("output `{output}`"),
                None => "several outputs".to_string(),
            };
            let what = format!("draws random numbers outside dropout, which change {outputs}");
            context.at_node(draw.node, what)
        })
        .collect()
}
