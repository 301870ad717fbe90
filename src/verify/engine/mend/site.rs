//! A node of the copy that is run, and the facts about it that a repair asks for.

use crate::onnx::{AttributeValue, DataType, Node, NodeId, Tensor};
use crate::semantics::facts::Facts;
use crate::semantics::view::{NodeRef, ValueRef};
use crate::verify::engine::Meaning;

/// The bytes of the largest tensor of an attribute that becomes a constant of a body.
const SMALL: u64 = 1 << 10;

/// A node that may need a repair.
#[derive(Clone, Copy)]
pub(super) struct Site<'m> {
    pub(super) node: &'m Node,
    /// The opset by which an engine reads the model.
    pub(super) opset: i64,
    /// What dropout computes.
    pub(super) meaning: Meaning,
    at: NodeRef<'m>,
    facts: Facts<'m>,
}

impl<'m> Site<'m> {
    pub(super) fn new(facts: Facts<'m>, id: NodeId, (opset, meaning): (i64, Meaning)) -> Site<'m> {
        let at = facts.view().node(id);
        Site {
            node: at.get(),
            opset,
            meaning,
            at,
            facts,
        }
    }

    /// What the node is called.
    pub(super) fn label(&self) -> String {
        self.at.label().to_string()
    }

    pub(super) fn float(&self, name: &str, default: f32) -> f32 {
        self.node.float(name, default)
    }

    pub(super) fn int(&self, name: &str, default: i64) -> i64 {
        self.node.int(name, default)
    }

    pub(super) fn ints(&self, name: &str) -> Option<&'m [i64]> {
        self.node.ints(name)
    }

    pub(super) fn floats(&self, name: &str) -> &'m [f32] {
        match self.node.attribute(name).map(|a| &a.value) {
            Some(AttributeValue::Floats(values)) => values,
            _ => &[],
        }
    }

    /// A string; empty if absent.
    pub(super) fn text(&self, name: &str) -> &'m str {
        let text = self.node.string(name).unwrap_or_default();
        std::str::from_utf8(text).unwrap_or_default()
    }

    /// True if an input is present.
    pub(super) fn has(&self, index: usize) -> bool {
        self.node.input(index).is_some()
    }

    /// True if an output is present and read.
    pub(super) fn wants(&self, index: usize) -> bool {
        self.at.output(index).is_some_and(ValueRef::is_used)
    }

    /// The element type of an input.
    pub(super) fn element(&self, index: usize) -> Option<DataType> {
        self.at.input(index)?.element_type()
    }

    /// The element type of an output.
    pub(super) fn output_element(&self, index: usize) -> Option<DataType> {
        self.at.output(index)?.element_type()
    }

    /// The sizes of the axes of an input, `None` where one is open.
    pub(super) fn sizes(&self, index: usize) -> Option<Vec<Option<i64>>> {
        self.facts.sizes(self.at.input(index)?.id)
    }

    /// The number of axes of an input.
    pub(super) fn rank(&self, index: usize) -> Option<usize> {
        Some(self.sizes(index)?.len())
    }

    /// The integers that an attribute holds, or an input that is a small tensor.
    pub(super) fn integers(&self, attribute: &str, index: usize) -> Option<Vec<i64>> {
        self.facts.integers(self.at.id, index, attribute)
    }

    /// The number that an input always is.
    pub(super) fn number(&self, index: usize) -> Option<f64> {
        Some(self.facts.constant(self.at.input(index)?.id)?.value)
    }

    /// True if an input is a weight or the output of a `Constant`.
    pub(super) fn is_constant(&self, index: usize) -> bool {
        self.at.input(index).is_some_and(|value| value.is_in_file())
    }

    /// The elements of a small tensor.
    pub(super) fn elements(&self, tensor: &Tensor) -> Option<Vec<u8>> {
        let model = self.facts.view().model;
        model.small_elements(tensor, SMALL).ok()?
    }
}
