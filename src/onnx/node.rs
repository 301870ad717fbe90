//! Nodes.

use super::attribute::{Attribute, AttributeValue};
use super::name::{Name, Names};

/// A `NodeProto`: an operator applied to values.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Node {
    /// Its name; often empty.
    pub name: Name,
    /// The operator.
    pub op_type: Name,
    /// The operator's domain; empty for the default domain.
    pub domain: Name,
    /// Which overload, if the operator is a model-local function with several.
    pub overload: Name,
    /// Names of the inputs; empty where an optional one is absent.
    pub inputs: Names,
    /// Names of the outputs; empty where an optional one is not wanted.
    pub outputs: Names,
    /// Attributes in file order.
    pub attributes: Vec<Attribute>,
    pub(crate) state: NodeState,
    /// True if it has `metadata_props` in its file.
    pub(crate) has_metadata: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum NodeState {
    #[default]
    Kept,
    Changed,
    Removed,
}

/// Operators of the default domain that draw random numbers.
pub const RANDOM_OPERATORS: &[&str] = &[
    "Bernoulli",
    "Multinomial",
    "RandomNormal",
    "RandomNormalLike",
    "RandomUniform",
    "RandomUniformLike",
];

/// The domain of operators of training.
const TRAINING: &str = "ai.onnx.preview.training";

impl Node {
    /// A new node of the default domain.
    pub fn new(op_type: &str) -> Node {
        Node {
            op_type: op_type.into(),
            ..Node::default()
        }
    }

    /// True if it is this operator of the default domain (written `""` or `ai.onnx`).
    pub fn is(&self, op_type: &str) -> bool {
        self.op_type == op_type && self.in_default_domain()
    }

    /// True if its operator is in the default domain.
    pub fn in_default_domain(&self) -> bool {
        self.domain.is_empty() || self.domain == "ai.onnx"
    }

    /// The attribute of this name; the last one, where a file repeats it.
    pub fn attribute(&self, name: &str) -> Option<&Attribute> {
        self.attributes.iter().rev().find(|a| a.name == name)
    }

    /// An integer attribute, or its default.
    pub(crate) fn int(&self, name: &str, default: i64) -> i64 {
        match self.attribute(name).map(|a| &a.value) {
            Some(AttributeValue::Int(i)) => *i,
            _ => default,
        }
    }

    /// Integers of an attribute; `None` if there is no such attribute.
    pub(crate) fn ints(&self, name: &str) -> Option<&[i64]> {
        match self.attribute(name).map(|a| &a.value) {
            Some(AttributeValue::Ints(ints)) => Some(ints),
            _ => None,
        }
    }

    /// A float attribute, or its default.
    pub(crate) fn float(&self, name: &str, default: f32) -> f32 {
        match self.attribute(name).map(|a| &a.value) {
            Some(AttributeValue::Float(f)) => *f,
            _ => default,
        }
    }

    /// A string attribute; `None` if there is no such attribute.
    pub(crate) fn string(&self, name: &str) -> Option<&[u8]> {
        match self.attribute(name).map(|a| &a.value) {
            Some(AttributeValue::String(string)) => Some(string),
            _ => None,
        }
    }

    /// The input at this place, unless absent.
    pub fn input(&self, index: usize) -> Option<&Name> {
        self.inputs.get(index).filter(|name| !name.is_empty())
    }

    /// The output at this place, unless absent.
    pub fn output(&self, index: usize) -> Option<&Name> {
        self.outputs.get(index).filter(|name| !name.is_empty())
    }

    /// The values that attributes name: a `Gradient` names what is differentiated, and by what.
    pub fn named_values(&self) -> impl Iterator<Item = Name> {
        let names = match self.op_type == "Gradient" && self.domain == TRAINING {
            true => &["xs", "zs", "y"][..],
            false => &[],
        };
        let values = names.iter().filter_map(|name| self.attribute(name));
        values.flat_map(|attribute| match &attribute.value {
            AttributeValue::String(name) => vec![Name::from(&name[..])],
            AttributeValue::Strings(names) => {
                names.iter().map(|name| Name::from(&name[..])).collect()
            }
            _ => Vec::new(),
        })
    }

    /// True once an edit took it out.
    pub fn is_removed(&self) -> bool {
        self.state == NodeState::Removed
    }
}
