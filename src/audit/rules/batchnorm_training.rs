//! `batchnorm-training`.

use crate::dropout::batch_norm::in_training;
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
    /// as inference, as it does in runtimes. Batch normalization that is written out (tf2onnx, JAX) is found by
    /// its variance: a `ReduceMean` of squares over the first axis, of data whose mean is taken over the same
    /// axes.
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
    /// `dropout-onnx strip --batchnorm` writes its inference form if the file has the running statistics; else
    /// export again in inference mode (`model.eval()`, `training=False`). What is written out has no running
    /// statistics in the file.
    "batchnorm-training", Warning, check
}

fn check(context: &Context<'_>) -> Vec<Found> {
    let what = |node: NodeRef<'_>| match node.is("ReduceMean") {
        true => "normalizes by the current batch, without running statistics: export again",
        false => "is in training mode: it normalizes by the current batch",
    };
    let found = in_training(context.facts);
    found
        .map(|node| context.at_node(node.id, what(node)))
        .collect()
}
