//! `lost-rate`.

use super::{Context, Found, rule};

rule! {
    /// A `Dropout` that names no ratio where exporters always write one
    ///
    /// ## What it finds
    ///
    /// A `Dropout` of opset 12 or later without a ratio input. Below opset 12 the ratio is an attribute,
    /// and one that is left out says 0.5 as ONNX means it to.
    ///
    /// ## Why it matters
    ///
    /// It reads as 0.5, and that is most likely not the rate: tf2onnx with TensorFlow up to 2.10 loses
    /// the rate of every dropout from opset 12 on. Training on from this model (`training_mode` true)
    /// would drop half of everything.
    ///
    /// ## Example
    ///
    /// ```text
    /// keras.layers.Dropout(0.25)             # the source
    /// y = Dropout(x)                         # the export
    /// ```
    ///
    /// ## What to do
    ///
    /// Nothing for inference: `dropout-onnx strip` removes it whatever its rate. To train on, look the
    /// rate up in the source, or export to opset 11, which keeps it. `strip --convention classic` needs
    /// the rate and refuses without it: set it with `dropout-onnx set --rate` first.
    "lost-rate", Warning, check
}

fn check(context: &Context<'_>) -> Vec<Found> {
    let lost = context.sound().filter(|site| site.lost_rate(context.model));
    lost.map(|site| {
        context.at_site(
            site,
            "names no ratio: it reads as 0.5, and may have been another",
        )
    })
    .collect()
}
