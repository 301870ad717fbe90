//! Batch normalization in training mode, in any form.

use crate::semantics::batch_norm::{by_batch, written_out};
use crate::semantics::facts::{Facts, Runs};
use crate::semantics::view::NodeRef;

use super::Origins;

/// The nodes that run and normalize by the statistics of the current batch, those of ONNX Runtime in models
/// that it trains included.
pub(crate) fn in_training(facts: Facts<'_>) -> impl Iterator<Item = NodeRef<'_>> {
    let norms = by_batch(facts).chain(without_statistics(facts));
    norms.filter(move |node| facts.runs(node.graph()) != Runs::Never)
}

/// Those of them that no option switches: what is written out has no running statistics in the file.
pub(crate) fn without_statistics(facts: Facts<'_>) -> impl Iterator<Item = NodeRef<'_>> {
    let view = facts.view();
    let internal = view.nodes().filter(move |&node| {
        let known = node.domain == "com.microsoft" && node.op_type == "BatchNormInternal";
        known && node.callee().is_none() && node.int("training_mode", 0) != 0
    });
    let origins = Origins::new(facts);
    let written = written_out(facts).filter(move |(_, data)| origins.is_data(data.id));
    let norms = internal.chain(written.map(|(variance, _)| variance));
    norms.filter(move |node| facts.runs(node.graph()) != Runs::Never)
}
