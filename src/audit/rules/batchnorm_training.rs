//! `batchnorm-training`.

use crate::onnx::{AttributeValue, Node};

use super::{Context, Found, rule};

rule! {
    /// Batch normalisation that was left in training mode
    ///
    /// ## What it finds
    ///
    /// A `BatchNormalization` that normalises by the statistics of the batch at hand. From opset 14 on
    /// that is `training_mode=1`. Below, ONNX tells by the outputs: more than the first one is training
    /// mode, unless `is_test` (below opset 7) says otherwise. `is_test` left out with one output is
    /// taken for inference, as runtimes do.
    ///
    /// ## Why it matters
    ///
    /// Outputs depend on what else is in the batch, and for a batch of one they are wrong. It comes from
    /// the same mistake as active dropout: an export in training mode.
    ///
    /// ## Example
    ///
    /// ```text
    /// y, mean, var = BatchNormalization(x, …){training_mode=1}
    /// ```
    ///
    /// ## What to do
    ///
    /// Export again in inference mode (`model.eval()`). `dropout-onnx strip` leaves batch normalisation
    /// alone.
    "batchnorm-training", Warning, check
}

fn check(context: &Context<'_>) -> Vec<Found> {
    let norms = context
        .operators()
        .filter(|(_, node)| node.op_type == "BatchNormalization");
    norms
        .filter(|(id, node)| context.opset(*id).is_some_and(|opset| trains(node, opset)))
        .map(|(id, _)| {
            context.at_node(
                id,
                "normalises by the batch at hand: it is in training mode",
            )
        })
        .collect()
}

/// Source: ONNX `docs/Changelog.md`, BatchNormalization-1, -6, -7, -9, -14, -15.
fn trains(node: &Node, opset: i64) -> bool {
    let flag = |name| match node.attribute(name).map(|a| &a.value) {
        Some(AttributeValue::Int(flag)) => *flag != 0,
        _ => false,
    };
    let several = (1..node.outputs.len()).any(|output| node.output(output).is_some());
    match opset {
        ..=6 => several && !flag("is_test"),
        7..=13 => several,
        _ => flag("training_mode"),
    }
}
