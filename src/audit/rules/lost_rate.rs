//! `lost-rate`.

use crate::dropout::{Form, OperatorVersion, RateOrigin, version};

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
    "lost-rate", Warning, check
}

fn check(context: &Context<'_>) -> Vec<Found> {
    let lost = context.sound().filter(|site| {
        let opset = context.opset(site.nodes[0]);
        site.form == Form::Operator
            && site.rate_origin == RateOrigin::Default
            && opset.is_some_and(|opset| version(opset) == OperatorVersion::Inputs)
    });
    lost.map(|site| {
        context.at_site(
            site,
            "has no ratio, so it reads as 0.5; the exporter probably lost the real rate",
        )
    })
    .collect()
}
