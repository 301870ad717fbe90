//! Models with functions, which tract does not have: they are inlined.

use std::collections::BTreeSet;

use super::Stop;
use super::operators::dropout;
use crate::onnx::{Attribute, AttributeValue, Editor, Function, Model, NodeId, Values};
use crate::semantics::analysis::Analysis;
use crate::semantics::inline::{Inlined, inline};
use crate::semantics::view::View;
use crate::source::Source;
use crate::wire::{Fields, Window};

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
    pub(super) source: Source,
    /// The newest opset of its functions.
    pub(super) opset: Option<i64>,
    /// What a reader should know: tract reads the whole model by one opset.
    pub(super) notes: Vec<String>,
}

/// Inlines the functions of a model; `None` if it has none.
///
/// # Errors
/// It cannot be read, or its functions cannot be inlined.
pub(super) fn inlined(source: &Source) -> Result<Option<Flat>, Stop> {
    if !has_functions(source) {
        return Ok(None);
    }
    let model = Model::read(source.clone())?;
    let analysis = Analysis::of(&model);
    let mut inlined = inline(analysis.view())?;
    mark_versions(&model, &mut inlined)?;
    let functions = model.functions().iter();
    let opsets = functions.filter_map(|function| model.opset(function.body, ""));
    let functions = model.functions().iter();
    Ok(Some(Flat {
        source: Source::from_rope(inlined.model.to_rope()?),
        opset: opsets.max(),
        notes: functions.filter_map(|f| note(analysis.view(), f)).collect(),
    }))
}

/// True if a model has functions, as far as it can be read.
fn has_functions(source: &Source) -> bool {
    let mut window = Window::new(source);
    let mut fields = Fields::new(0..source.len());
    while let Ok(Some(field)) = window.next(&mut fields) {
        if field.is_bytes(25) {
            return true;
        }
    }
    false
}

/// Marks every `Dropout` whose function is written for a different opset than the model.
fn mark_versions(model: &Model, inlined: &mut Inlined) -> Result<(), Stop> {
    let opset = model.opset(model.main(), "");
    let dropouts = inlined.model.nodes().filter(|(_, node)| node.is("Dropout"));
    let versions = dropouts.filter_map(|(id, _)| {
        let version = model.opset(inlined.origin(id)?.node.graph, "");
        Some((id, version?)).filter(|_| version != opset)
    });
    let versions: Vec<(NodeId, i64)> = versions.collect();
    if versions.is_empty() {
        return Ok(());
    }
    let values = Values::new(&inlined.model);
    let mut editor = Editor::new(&mut inlined.model, values);
    for (id, version) in versions {
        let version = AttributeValue::Int(version);
        editor.set_attribute(id, Attribute::new(dropout::VERSION, version));
    }
    Ok(editor.finish()?)
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
