//! `batchnorm-training`.

use crate::onnx::{AttributeValue, Node};

use super::{Context, Found, rule};

rule! {
    /// Batch normalization in training mode
    ///
    /// ## What it finds
    ///
    /// A `BatchNormalization` that normalizes by the statistics of the current batch. From opset
    /// 14 on this is `training_mode=1`. Below opset 14 more than one output means training mode,
    /// unless `is_test` (below opset 7) is set. Below opset 7, one output without `is_test` counts
    /// as inference, as it does in runtimes.
    ///
    /// ## Why it matters
    ///
    /// Each output depends on the rest of the batch, and is wrong for a batch of one. The cause is
    /// the same as for active dropout: an export in training mode.
    ///
    /// ## Example
    ///
    /// ```text
    /// y, mean, var = BatchNormalization(x, …){training_mode=1}
    /// ```
    ///
    /// ## What to do
    ///
    /// Export again in inference mode (`model.eval()`). `dropout-onnx strip` does not change batch
    /// normalization.
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
                "is in training mode: it normalizes by the current batch",
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
