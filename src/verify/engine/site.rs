//! A node of the copy that is run, and the facts about it that a repair asks for.

use crate::onnx::{Attribute, AttributeValue, DataType, Name, Node, NodeId};
use crate::semantics::facts::Facts;
use crate::semantics::view::{ValueRef, View};

/// A node that may need a repair.
#[derive(Clone, Debug)]
pub(super) struct Site {
    pub(super) node: Node,
    /// The opset by which an engine reads the model.
    pub(super) opset: i64,
    pub(super) inputs: Vec<Known>,
    outputs: Vec<Known>,
}

/// Facts about an input or output.
#[derive(Clone, Debug, Default)]
pub(super) struct Known {
    pub(super) element: Option<DataType>,
    /// The size of each axis, or `None` where it is open.
    pub(super) sizes: Option<Vec<Option<i64>>>,
    /// The elements of a small tensor of integers.
    pub(super) integers: Option<Vec<i64>>,
    /// True of a weight or the output of a `Constant`.
    pub(super) is_constant: bool,
    /// True if something reads it.
    is_used: bool,
}

impl Known {
    fn of(value: ValueRef<'_>) -> Known {
        let from = value.node().map(|node| node.op());
        Known {
            element: value.element_type(),
            is_constant: value.is_weight() || from == Some("Constant"),
            is_used: value.is_used(),
            ..Known::default()
        }
    }
}

impl Site {
    /// Without shapes and elements.
    pub(super) fn of(view: View<'_>, id: NodeId, opset: i64) -> Site {
        let node = view.node(id);
        let known = |value: Option<ValueRef<'_>>| value.map(Known::of).unwrap_or_default();
        Site {
            opset,
            inputs: node.inputs().map(known).collect(),
            outputs: node.outputs().map(known).collect(),
            node: node.get().clone(),
        }
    }

    /// With them.
    pub(super) fn with_facts(facts: Facts<'_>, id: NodeId, opset: i64) -> Site {
        let view = facts.view();
        let mut site = Site::of(view, id, opset);
        for (index, value) in view.node(id).given() {
            let shape = facts.shape(value.id);
            let dims = shape.dims();
            site.inputs[index].sizes = dims.map(|dims| dims.iter().map(|d| d.size()).collect());
            site.inputs[index].integers = facts.integers(id, index, "");
        }
        site
    }

    fn value(&self, name: &str) -> Option<&AttributeValue> {
        self.node.attribute(name).map(|attribute| &attribute.value)
    }

    pub(super) fn float(&self, name: &str, default: f32) -> f32 {
        match self.value(name) {
            Some(AttributeValue::Float(value)) => *value,
            _ => default,
        }
    }

    pub(super) fn int(&self, name: &str, default: i64) -> i64 {
        match self.value(name) {
            Some(AttributeValue::Int(value)) => *value,
            _ => default,
        }
    }

    pub(super) fn ints(&self, name: &str) -> Option<&[i64]> {
        match self.value(name) {
            Some(AttributeValue::Ints(values)) => Some(values),
            _ => None,
        }
    }

    pub(super) fn floats(&self, name: &str) -> &[f32] {
        match self.value(name) {
            Some(AttributeValue::Floats(values)) => values,
            _ => &[],
        }
    }

    /// A string; empty if absent.
    pub(super) fn text(&self, name: &str) -> &str {
        match self.value(name) {
            Some(AttributeValue::String(text)) => std::str::from_utf8(text).unwrap_or_default(),
            _ => "",
        }
    }

    /// The node's own attributes of these names.
    pub(super) fn attributes(&self, names: &[&str]) -> Vec<Attribute> {
        let own = names.iter().filter_map(|name| self.node.attribute(name));
        own.cloned().collect()
    }

    /// An input of the node; the empty name if it is absent.
    pub(super) fn input(&self, index: usize) -> Name {
        self.node.inputs.get(index).cloned().unwrap_or_default()
    }

    /// True if an input is present.
    pub(super) fn has(&self, index: usize) -> bool {
        self.node.input(index).is_some()
    }

    /// True if an output is present and read.
    pub(super) fn wants(&self, index: usize) -> bool {
        self.outputs.get(index).is_some_and(|known| known.is_used)
    }

    /// The element type of an input.
    pub(super) fn element(&self, index: usize) -> Option<DataType> {
        self.inputs.get(index)?.element
    }

    /// The element type of an output.
    pub(super) fn output_element(&self, index: usize) -> Option<DataType> {
        self.outputs.get(index)?.element
    }

    /// The sizes of the axes of an input.
    pub(super) fn sizes(&self, index: usize) -> Option<&[Option<i64>]> {
        self.inputs.get(index)?.sizes.as_deref()
    }

    /// The number of axes of an input.
    pub(super) fn rank(&self, index: usize) -> Option<usize> {
        Some(self.sizes(index)?.len())
    }

    /// The integers that an attribute or an input holds.
    pub(super) fn list(&self, attribute: &str, index: usize) -> Option<&[i64]> {
        let given = || self.inputs.get(index)?.integers.as_deref();
        self.ints(attribute).or_else(given)
    }
}
