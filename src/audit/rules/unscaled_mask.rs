//! `unscaled-mask`.

use crate::dropout::{Form, Kind, Scaling};

use super::{Context, Found, acts, rule};

rule! {
    /// A mask that does not scale what it keeps by 1/(1-p)
    ///
    /// ## What it finds
    ///
    /// A random or frozen mask that leaves what it keeps as it is (classic dropout, Srivastava 2014), or
    /// scales it by another number than 1/(1-p).
    ///
    /// ## Why it matters
    ///
    /// Such a mask changes the mean of its data: by 1-p, if it does not scale. Whoever only takes it out
    /// makes activations larger than the next layer was trained on.
    ///
    /// ## Example
    ///
    /// ```text
    /// y = Mul(x, Cast(GreaterOrEqual(RandomUniformLike(x), 0.3)))     # the mean is 0.7·x
    /// ```
    ///
    /// ## What to do
    ///
    /// Inference has to multiply by what the finding names: by `y = Mul(x, 0.7)` in place of the mask,
    /// or in the next layer's weights.
    "unscaled-mask", Warning, check
}

fn check(context: &Context<'_>) -> Vec<Found> {
    let unscaled = context.sound().filter(|site| {
        site.scaling != Scaling::Inverted
            && site.kind == Kind::Dropout
            && site.form != Form::Scale
            && acts(site)
    });
    unscaled
        .map(|site| {
            let how = match site.scaling {
                Scaling::Classic => "does not scale what it keeps",
                _ => "does not scale what it keeps by 1/(1-p)",
            };
            let scale = site.inference_scale;
            context.at_site(
                site,
                format!("{how}: inference multiplies by {scale} instead"),
            )
        })
        .collect()
}
