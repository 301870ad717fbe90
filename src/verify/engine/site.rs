//! A node of the copy that is run, and the facts about it that a repair asks for.

use std::borrow::Cow;
use std::cell::OnceCell;

use crate::onnx::{AttributeValue, DataType, Name, Node, NodeId};
use crate::semantics::facts::Facts;
use crate::semantics::view::ValueRef;

/// A node that may need a repair. Facts about it are found when they are asked for.
#[derive(Clone, Debug)]
pub(super) struct Site<'m> {
    pub(super) node: Cow<'m, Node>,
    /// The opset by which an engine reads the model.
    pub(super) opset: i64,
    id: NodeId,
    inputs: Vec<Known>,
    outputs: Vec<Known>,
    /// Until the model is edited.
    facts: Option<Facts<'m>>,
}

/// Facts about an input or output, as far as they were asked for.
#[derive(Clone, Debug, Default)]
struct Known {
    element: OnceCell<Option<DataType>>,
    sizes: OnceCell<Option<Vec<Option<i64>>>>,
    integers: OnceCell<Option<Vec<i64>>>,
    is_constant: OnceCell<bool>,
    is_used: OnceCell<bool>,
}

impl<'m> Site<'m> {
    pub(super) fn new(facts: Facts<'m>, id: NodeId, opset: i64) -> Site<'m> {
        let node = facts.view().node(id).get();
        Site {
            node: Cow::Borrowed(node),
            opset,
            id,
            inputs: vec![Known::default(); node.inputs.len()],
            outputs: vec![Known::default(); node.outputs.len()],
            facts: Some(facts),
        }
    }

    /// With all facts, for a model that will be edited.
    pub(super) fn settled(self) -> Site<'static> {
        for input in 0..self.inputs.len() {
            let _ = (self.element(input), self.sizes(input), self.integers(input));
            self.is_constant(input);
        }
        for output in 0..self.outputs.len() {
            let _ = (self.output_element(output), self.wants(output));
        }
        Site {
            node: Cow::Owned(self.node.into_owned()),
            facts: None,
            opset: self.opset,
            id: self.id,
            inputs: self.inputs,
            outputs: self.outputs,
        }
    }

    pub(super) fn float(&self, name: &str, default: f32) -> f32 {
        self.node.float(name, default)
    }

    pub(super) fn int(&self, name: &str, default: i64) -> i64 {
        self.node.int(name, default)
    }

    pub(super) fn ints(&self, name: &str) -> Option<&[i64]> {
        self.node.ints(name)
    }

    pub(super) fn floats(&self, name: &str) -> &[f32] {
        match self.node.attribute(name).map(|a| &a.value) {
            Some(AttributeValue::Floats(values)) => values,
            _ => &[],
        }
    }

    /// A string; empty if absent.
    pub(super) fn text(&self, name: &str) -> &str {
        let text = self.node.string(name).unwrap_or_default();
        std::str::from_utf8(text).unwrap_or_default()
    }

    /// An input of the node; the empty name if it is absent.
    pub(super) fn input(&self, index: usize) -> Name {
        self.node.inputs.get(index).cloned().unwrap_or_default()
    }

    /// True if an input is present.
    pub(super) fn has(&self, index: usize) -> bool {
        self.node.input(index).is_some()
    }

    fn of_input(&self, index: usize) -> Option<(Facts<'m>, ValueRef<'m>)> {
        let facts = self.facts?;
        Some((facts, facts.view().node(self.id).input(index)?))
    }

    fn of_output(&self, index: usize) -> Option<ValueRef<'m>> {
        self.facts?.view().node(self.id).output(index)
    }

    /// True if an output is present and read.
    pub(super) fn wants(&self, index: usize) -> bool {
        let found = || self.of_output(index).is_some_and(ValueRef::is_used);
        let known = self.outputs.get(index);
        known.is_some_and(|known| *known.is_used.get_or_init(found))
    }

    /// The element type of an input.
    pub(super) fn element(&self, index: usize) -> Option<DataType> {
        let found = || self.of_input(index)?.1.element_type();
        *self.inputs.get(index)?.element.get_or_init(found)
    }

    /// The element type of an output.
    pub(super) fn output_element(&self, index: usize) -> Option<DataType> {
        let found = || self.of_output(index)?.element_type();
        *self.outputs.get(index)?.element.get_or_init(found)
    }

    /// The sizes of the axes of an input, `None` where one is open.
    pub(super) fn sizes(&self, index: usize) -> Option<&[Option<i64>]> {
        let found = || {
            let (facts, value) = self.of_input(index)?;
            facts.sizes(value.id)
        };
        self.inputs.get(index)?.sizes.get_or_init(found).as_deref()
    }

    /// The number of axes of an input.
    pub(super) fn rank(&self, index: usize) -> Option<usize> {
        Some(self.sizes(index)?.len())
    }

    /// The elements of an input that is a small tensor of integers.
    pub(super) fn integers(&self, index: usize) -> Option<&[i64]> {
        let found = || self.facts?.integers(self.id, index, "");
        let known = &self.inputs.get(index)?.integers;
        known.get_or_init(found).as_deref()
    }

    /// The integers that an attribute or an input holds.
    pub(super) fn list(&self, attribute: &str, index: usize) -> Option<&[i64]> {
        self.ints(attribute).or_else(|| self.integers(index))
    }

    /// True if an input is a weight or the output of a `Constant`.
    pub(super) fn is_constant(&self, index: usize) -> bool {
        let found = || {
            let input = self.of_input(index);
            input.is_some_and(|(_, value)| value.is_in_file())
        };
        let known = self.inputs.get(index);
        known.is_some_and(|known| *known.is_constant.get_or_init(found))
    }
}
