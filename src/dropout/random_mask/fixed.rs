//! Values that no run changes: what constants and shapes come to.

use crate::hash::HashSet;
use crate::onnx::{Model, NodeId, Producer, Use, ValueId, Values};

use super::Finder;
use super::apply::is_layout;

/// What nodes make of constants and of shapes. Draws are no constants.
pub(super) fn fixed(model: &Model, values: &Values, order: &[NodeId]) -> HashSet<ValueId> {
    let mut fixed = HashSet::default();
    for &id in order {
        let node = model.node(id);
        let graphs = || node.attributes.iter().any(|a| !a.graphs().is_empty());
        if !node.in_default_domain() || node.draws() || graphs() {
            continue;
        }
        let shape = ["Shape", "Size", "EyeLike"].iter().any(|op| node.is(op));
        let mut inputs = (0..node.inputs.len()).filter_map(|input| values.input(id, input));
        if shape || inputs.all(|value| is_constant(values, value) || fixed.contains(&value)) {
            let outputs = 0..node.outputs.len();
            fixed.extend(outputs.filter_map(|output| values.output(model, id, output)));
        }
    }
    fixed
}

/// True of an initializer, also of one that a run may override.
fn is_constant(values: &Values, value: ValueId) -> bool {
    let known = &values[value];
    let initializer = matches!(
        known.producer,
        Producer::Initializer(_) | Producer::SparseInitializer(_)
    );
    initializer || known.initializer.is_some()
}

/// Operators whose inputs may be weights.
const LINEAR: &[&str] = &[
    "MatMul",
    "Gemm",
    "Conv",
    "ConvTranspose",
    "LSTM",
    "GRU",
    "RNN",
    "Einsum",
    "Gather",
];

impl Finder<'_> {
    pub(super) fn is_fixed(&self, value: ValueId) -> bool {
        is_constant(self.values, value) || self.fixed.contains(&value)
    }

    /// True of what operators use as weights, and nothing else does: a constant that is dropped there
    /// is a weight (DropConnect). Elsewhere it is part of a mask, as the region where DropBlock draws.
    pub(super) fn is_weight(&self, value: ValueId) -> bool {
        let mut seen = HashSet::default();
        let mut open = vec![value];
        while let Some(value) = open.pop() {
            if !seen.insert(value) {
                continue;
            }
            for at in self.uses(value) {
                let Use::Input { node: id, .. } = at else {
                    return false;
                };
                let node = self.model.node(id);
                let op_type = node.op_type.as_str().unwrap_or_default();
                let scales = matches!(op_type, "Mul" | "Div")
                    && (0..2).any(|input| {
                        let other = self.values.input(id, input);
                        other.is_some_and(|other| matches!(self.constant(other), Ok(Some(_))))
                    });
                if self.model.callee(node).is_some() || LINEAR.contains(&op_type) {
                    continue;
                }
                if !scales && !is_layout(op_type) && op_type != "Dropout" {
                    return false;
                }
                open.extend(self.values.output(self.model, id, 0));
            }
        }
        true
    }
}
