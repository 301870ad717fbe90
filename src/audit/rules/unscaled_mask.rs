//! `unscaled-mask`.

use crate::dropout::{Form, Kind, Scaling};

use super::{Context, Found, acts, rule};

rule! {
    /// A mask that does not scale by 1/(1-p)
    ///
    /// ## What it finds
    ///
    /// A random or frozen mask that does not scale the elements it keeps (classic dropout,
    /// Srivastava 2014), or scales them by a factor other than 1/(1-p).
    ///
    /// ## Why it matters
    ///
    /// Such a mask changes the mean of its data: by a factor of 1-p if it does not scale. If it is
    /// simply deleted, activations are larger than the next layer was trained on.
    ///
    /// ## Example
    ///
    /// ```text
    /// y = Mul(x, Cast(GreaterOrEqual(RandomUniformLike(x), 0.3)))     # the mean is 0.7·x
    /// ```
    ///
    /// ## What to do
    ///
    /// Inference must multiply by the factor that the finding names, either with `y = Mul(x, 0.7)`
    /// in place of the mask, as `dropout-onnx strip` writes it, or in the weights of the next
    /// layer.
    "unscaled-mask", Warning, check
}

fn check(context: &Context<'_>) -> Vec<Found> {
    let unscaled = context.sound().filter(|site| {
        !matches!(site.scaling, Scaling::Inverted | Scaling::Count)
            && site.inference_scale != 1.0
            && site.kind == Kind::Dropout
            && site.form != Form::Scale
            && acts(site)
    });
    unscaled
        .map(|site| {
            let how = match site.scaling {
                Scaling::Classic => "does not scale the elements it keeps",
                _ => "does not scale the elements it keeps by 1/(1-p)",
            };
            let scale = site.inference_scale;
            context.at_site(site, format!("{how}; inference must multiply by {scale}"))
        })
        .collect()
}
