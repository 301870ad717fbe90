//! Repairs of the copy that is run: nodes that an engine lacks or reads wrongly, as nodes that it has. They are
//! the same in both models of a comparison. `docs/engines.md` lists them.

mod arithmetic;
mod draws;
mod dropouts;

use super::patch::Patch;
use crate::error::Result;
use crate::onnx::{Editor, Model, Node, NodeId, Values};
use crate::semantics::view::{NodeRef, View};

/// One repair.
pub(super) struct Repair {
    /// The operator, and its domain unless it is the default one.
    pub(super) operator: &'static str,
    domain: &'static str,
    /// Whether a node of it needs the repair.
    applies: fn(NodeRef<'_>) -> bool,
    mend: fn(Patch<'_, '_>),
}

impl Repair {
    fn is_of(&self, node: &Node) -> bool {
        node.op_type == self.operator
            && match self.domain {
                "" => node.in_default_domain(),
                domain => node.domain == domain,
            }
    }
}

/// What no engine has.
pub(super) const ALL: &[&Repair] = &[
    &draws::UNIFORM,
    &draws::NORMAL,
    &dropouts::BIAS,
    &dropouts::BITMASK,
    &dropouts::BITMASK_BIAS,
    &dropouts::TRAINABLE,
    &dropouts::TRAINABLE_OF_MICROSOFT,
];

/// What tract alone reads wrongly.
pub(super) const TRACT: &[&Repair] = &[&arithmetic::GEMM, &arithmetic::ZEROS, &arithmetic::SIGMOID];

/// Makes some repairs.
///
/// # Errors
/// A repair left a value without a producer, which is a bug in it.
pub(super) fn mend(model: &mut Model, repairs: &[&'static Repair]) -> Result<()> {
    let asks = |node: &Node| repairs.iter().any(|repair| repair.is_of(node));
    if !model.nodes().any(|(_, node)| asks(node)) {
        return Ok(());
    }
    let values = Values::new(model);
    let view = View::new(model, &values);
    let found = view.nodes().filter_map(|node| {
        let mut repairs = repairs.iter().filter(|repair| repair.is_of(node.get()));
        let repair = repairs.find(|repair| (repair.applies)(node))?;
        Some((node.id, *repair))
    });
    let found: Vec<(NodeId, &Repair)> = found.collect();
    if found.is_empty() {
        return Ok(());
    }
    let mut editor = Editor::new(model, values);
    for (id, repair) in found {
        (repair.mend)(Patch::new(&mut editor, id));
    }
    editor.finish()
}
