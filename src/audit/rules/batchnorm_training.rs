//! `batchnorm-training`.

use crate::semantics::facts::{Facts, Runs};
use crate::semantics::view::NodeRef;

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
    /// Each output depends on the rest of the batch, and is wrong for a batch of one. The verdict of such a
    /// model is `training`, unless it is worse. The cause is
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
    let view = context.view;
    let norms = view.nodes().filter(|&node| by_batch(context.facts, node));
    let what = "is in training mode: it normalizes by the current batch";
    norms.map(|node| context.at_node(node.id, what)).collect()
}

/// True of a `BatchNormalization` that runs and normalizes by the statistics of the current batch.
///
/// Source: ONNX `docs/Changelog.md`, BatchNormalization-1, -6, -7, -9, -14, -15.
pub(in crate::audit) fn by_batch(facts: Facts<'_>, node: NodeRef<'_>) -> bool {
    // of ONNX Runtime, in models that it trains
    let internal = node.domain == "com.microsoft" && node.op_type == "BatchNormInternal";
    if !internal && node.op() != "BatchNormalization" || node.callee().is_some() {
        return false;
    }
    let Some(opset) = node.view().model.opset(node.graph(), "") else {
        return false;
    };
    let several = node.outputs().skip(1).any(|output| output.is_some());
    let is = |name, number: fn(i64) -> bool| {
        let ints = facts.attribute_ints(node, name);
        ints.is_none_or(|all| all.into_iter().any(|int| number(int.unwrap_or(0))))
    };
    let by_batch = match opset {
        _ if internal => is("training_mode", |int| int != 0),
        ..=6 => several && is("is_test", |int| int == 0),
        7..=13 => several,
        _ => is("training_mode", |int| int != 0),
    };
    by_batch && facts.runs(node.graph()) != Runs::Never
}
