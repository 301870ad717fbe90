//! Models with functions, which tract does not have: they are inlined.

use super::{Stop, Unrunnable};
use crate::error::{Error, ErrorKind};
use crate::hash::HashMap;
use crate::onnx::{Model, NodeId};
use crate::semantics::analysis::Analysis;
use crate::semantics::inline::{Inlined, inline};
use crate::semantics::operator::schema::since;
use crate::source::Source;

/// Operators that engines read by the opset of the model; and `Reduce*`.
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
        });
    }
    let analysis = Analysis::of(&model);
    let inlined = inline(analysis.view())?;
    let functions = model.functions().iter();
    let opsets = functions.filter_map(|function| model.opset(function.body, ""));
    let opset = opset.or(opsets.max()).unwrap_or(1);
    if let Some(why) = misread(&model, &inlined, opset) {
        return Err(Unrunnable::new(why).into());
    }
    Ok(Flat {
        versions: versions(&model, &inlined),
        opset,
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

/// Why a model cannot be read by one opset: a function has another version of an operator, and the engines do not
/// distinguish these by the form of the node.
fn misread(model: &Model, inlined: &Inlined, opset: i64) -> Option<String> {
    inlined.model.nodes().find_map(|(id, node)| {
        let op = node.op_type.as_str()?;
        let graph = inlined.origin(id)?.node.graph;
        let own = model.opset(graph, "")?;
        let by_opset = BY_OPSET.contains(&op) || op.starts_with("Reduce");
        if !by_opset || !node.in_default_domain() || since(op, own) == since(op, opset) {
            return None;
        }
        let function = model.scope(model.root(graph));
        Some(format!(
            "{function} has {op} of opset {own}, which would be read as that of opset {opset}"
        ))
    })
}
