//! `mask-used`.

use crate::dropout::{Form, MaskUse};

use super::{Context, Found, rule};

rule! {
    /// A `Dropout` whose mask is used
    ///
    /// ## What it finds
    ///
    /// A `Dropout` operator whose second output, the mask, goes into other nodes or is an output of its
    /// graph.
    ///
    /// ## Why it matters
    ///
    /// Runtimes do not agree on that mask. When nothing is dropped ONNX' reference says all true; ONNX
    /// Runtime says all false at opset 10. In training mode ONNX Runtime keeps a `Dropout` with a used
    /// mask that it would else remove, so that outputs become random which were not.
    ///
    /// ## Example
    ///
    /// ```text
    /// y, mask = Dropout(x)
    /// z = Where(mask, y, x)
    /// ```
    ///
    /// ## What to do
    ///
    /// Export without the mask. `dropout-onnx strip` puts one that is all true in its place.
    "mask-used", Warning, check
}

fn check(context: &Context<'_>) -> Vec<Found> {
    let operators = context.sound().filter(|site| site.form == Form::Operator);
    operators
        .filter_map(|site| {
            let what = match site.mask {
                MaskUse::Used => "its mask is used, and runtimes do not agree on it",
                MaskUse::Output => "its mask is an output, and runtimes do not agree on it",
                MaskUse::None | MaskUse::Unused => return None,
            };
            Some(context.at_site(site, what))
        })
        .collect()
}
