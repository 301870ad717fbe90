//! Models with functions, which tract does not have: they are inlined.

use std::collections::BTreeSet;

use super::{Stop, Unrunnable};
use crate::error::{Error, ErrorKind};
use crate::hash::HashMap;
use crate::onnx::{Function, Model, NodeId};
use crate::semantics::analysis::Analysis;
use crate::semantics::inline::{Inlined, inline};
use crate::semantics::view::View;
use crate::source::Source;

/// Operators whose reading by tract depends on the opset of the model.
const BY_OPSET: [&str; 13] = [
    "Clip",
    "DFT",
    "GridSample",
    "GroupNormalization",
    "Hardmax",
    "LogSoftmax",
    "Pad",
    "Resize",
    "Slice",
    "Softmax",
    "Split",
    "Squeeze",
    "Unsqueeze",
];

/// A model without functions.
pub(super) struct Flat {
    pub(super) model: Model,
    /// The opset of each `Dropout` whose function is written for a different one than the model.
    pub(super) versions: HashMap<NodeId, i64>,
    /// That of the model; if it has none, the newest of its functions.
    pub(super) opset: i64,
    /// What a reader should know: tract reads the whole model by one opset.
    pub(super) notes: Vec<String>,
}

/// A model with its functions inlined.
///
/// # Errors
/// It cannot be read, or its functions cannot be inlined.
pub(super) fn flat(source: &Source) -> Result<Flat, Stop> {
    let model = Model::read(source.clone()).map_err(no_model)?;
    let opset = model.opset(model.main(), "");
    if model.functions().is_empty() {
        return Ok(Flat {
            model,
            versions: HashMap::default(),
            opset: opset.unwrap_or(1),
            notes: Vec::new(),
        });
    }
    let analysis = Analysis::of(&model);
    let inlined = inline(analysis.view())?;
    let functions = model.functions().iter();
    let opsets = functions.filter_map(|function| model.opset(function.body, ""));
    let functions = model.functions().iter();
    Ok(Flat {
        versions: versions(&model, &inlined),
        opset: opset.or(opsets.max()).unwrap_or(1),
        notes: functions.filter_map(|f| note(analysis.view(), f)).collect(),
        model: inlined.model,
    })
}

/// An engine cannot run a model that cannot be read.
fn no_model(error: Error) -> Stop {
    match error.kind() {
        ErrorKind::Io | ErrorKind::Interrupted => error.into(),
        _ => Unrunnable::new(error.why()).into(),
    }
}

/// The opset of each `Dropout` whose function is written for a different one than the model.
fn versions(model: &Model, inlined: &Inlined) -> HashMap<NodeId, i64> {
    let opset = model.opset(model.main(), "");
    let dropouts = inlined.model.nodes().filter(|(_, node)| node.is("Dropout"));
    let versions = dropouts.filter_map(|(id, _)| {
        let version = model.opset(inlined.origin(id)?.node.graph, "");
        Some((id, version?)).filter(|_| version != opset)
    });
    versions.collect()
}

/// A caveat about a function that is written for a different opset than the model.
fn note(view: View<'_>, function: &Function) -> Option<String> {
    let model = view.model;
    let (own, outer) = (
        model.opset(function.body, "")?,
        model.opset(model.main(), "")?,
    );
    if own == outer {
        return None;
    }
    let nodes = view
        .nodes()
        .filter(|node| model.root(node.graph()) == function.body);
    let affected = nodes.map(|node| node.op());
    let affected = affected.filter(|op| BY_OPSET.contains(op) || op.starts_with("Reduce"));
    let affected: BTreeSet<&str> = affected.collect();
    let operators = affected.into_iter().collect::<Vec<_>>().join(", ");
    let name = format!("{}::{}", function.domain, function.name);
    (!operators.is_empty()).then(|| {
        format!(
            "function {name} is written for opset {own}, but tract reads its {operators} as opset \
             {outer}"
        )
    })
}
