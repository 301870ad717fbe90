//! `mask-used`.

use crate::dropout::{Form, MaskUse};

use super::{Context, Found, rule};

rule! {
    /// A `Dropout` whose mask is used
    ///
    /// ## What it finds
    ///
    /// A `Dropout` operator whose second output, the mask, is the input of other nodes or an
    /// output of its graph.
    ///
    /// ## Why it matters
    ///
    /// Runtimes compute the mask differently. If nothing is dropped, the mask is all true in the
    /// ONNX reference, and all false in ONNX Runtime at opset 10. ONNX Runtime also keeps a
    /// `Dropout` in training mode if its mask is used, although it removes it elsewhere, so
    /// outputs become random.
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
    /// Export without the mask. `dropout-onnx strip` replaces it with a mask that is all true.
    "mask-used", Warning, check
}

fn check(context: &Context<'_>) -> Vec<Found> {
    let operators = context.sound().filter(|site| site.form == Form::Operator);
    operators
        .filter_map(|site| {
            let what = match site.mask {
                MaskUse::Used => "its mask is used, and runtimes compute it differently",
                MaskUse::Output => "its mask is an output, and runtimes compute it differently",
                MaskUse::None | MaskUse::Unused => return None,
            };
            Some(context.at_site(site, what))
        })
        .collect()
}
