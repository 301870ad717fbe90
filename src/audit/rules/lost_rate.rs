//! `lost-rate`.

use super::{Context, Found, rule};

rule! {
    /// A `Dropout` without a ratio, which exporters always write
    ///
    /// ## What it finds
    ///
    /// A `Dropout` of opset 12 or later without a ratio input. Below opset 12 the ratio is an
    /// attribute, and its default of 0.5 is commonly used.
    ///
    /// ## Why it matters
    ///
    /// The ratio reads as 0.5, and that is most likely not the original rate: tf2onnx with
    /// TensorFlow 2.10 or earlier loses the rate of every dropout from opset 12 on. Training this
    /// model further (`training_mode` true) would drop half of all elements.
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
    /// For inference, nothing: `dropout-onnx strip` removes the dropout whatever its rate. For
    /// training, look up the rate in the source, or export to opset 11, which keeps it.
    /// `strip --convention classic` needs the rate and refuses without it: set it with
    /// `dropout-onnx set --rate` first.
    "lost-rate", Warning, check
}

fn check(context: &Context<'_>) -> Vec<Found> {
    let lost = context.sound().filter(|site| site.lost_rate(context.model));
    lost.map(|site| {
        context.at_site(
            site,
            "has no ratio, so it reads as 0.5; the exporter probably lost the real rate",
        )
    })
    .collect()
}
