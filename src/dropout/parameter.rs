//! A parameter of a node: what an input or an attribute is in a context.

use crate::error::Result;
use crate::onnx::{AttributeValue, DataType};
use crate::semantics::calls::ContextId;
use crate::semantics::facts::{Facts, Known, Number, Origin, Shape};
use crate::semantics::view::NodeRef;

/// What a parameter is in a context.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Parameter {
    /// One element.
    Known(Known),
    /// A constant that is not one number, in words.
    Other(String),
}

impl Parameter {
    pub const ABSENT: Parameter = Parameter::Known(Known::Absent);

    /// An input of a node.
    ///
    /// # Errors
    /// The elements of a constant cannot be read.
    pub fn input(
        facts: Facts<'_>,
        cx: ContextId,
        node: NodeRef<'_>,
        input: usize,
    ) -> Result<Parameter> {
        let Some(value) = node.input(input) else {
            return Ok(Parameter::ABSENT);
        };
        let known = facts.number_in(cx, value.id)?;
        let shape = facts.shape_in(cx, value.id);
        let one = shape
            .all_sizes()
            .is_none_or(|sizes| sizes.iter().all(|&size| size == 1));
        let other = |element| Parameter::Other(described(element, &shape));
        Ok(match known {
            Known::Constant => other(value.element_type()),
            Known::Number(number) if !one => other(Some(number.element)),
            known => Parameter::Known(known),
        })
    }

    /// An attribute of a node.
    pub fn attribute(facts: Facts<'_>, cx: ContextId, node: NodeRef<'_>, name: &str) -> Parameter {
        match node.get().attribute(name).map(|attribute| &attribute.value) {
            None => Parameter::ABSENT,
            Some(AttributeValue::Reference(name, _)) => match facts.passed_attribute(cx, name) {
                Ok(Some(passed)) => of_attribute(&passed.value),
                Ok(None) => Parameter::ABSENT,
                Err(known) => Parameter::Known(known),
            },
            Some(value) => of_attribute(value),
        }
    }

    pub fn is_absent(&self) -> bool {
        *self == Parameter::ABSENT
    }

    /// True if a run may decide what it is.
    pub fn is_open(&self) -> bool {
        match self {
            Parameter::Known(Known::Input | Known::Computed) => true,
            Parameter::Known(Known::Number(number)) => number.origin != Origin::Constant,
            _ => false,
        }
    }

    /// A constant in words; `None` where a run decides.
    pub fn text(&self) -> Option<String> {
        match self {
            Parameter::Known(Known::Number(Number { value, element, .. })) => {
                Some(format!("the {element} {value}"))
            }
            Parameter::Known(_) => None,
            Parameter::Other(what) => Some(what.clone()),
        }
    }
}

fn described(element: Option<DataType>, shape: &Shape) -> String {
    let element = element.map_or("tensor".to_string(), |element| element.to_string());
    match shape.all_sizes() {
        Some(sizes) if sizes.iter().any(|&size| size != 1) => {
            format!("a {element} of shape {sizes:?}")
        }
        _ => format!("a {element}"),
    }
}

fn of_attribute(value: &AttributeValue) -> Parameter {
    let number = |value: f64, element| {
        Parameter::Known(Known::Number(Number {
            value,
            element,
            origin: Origin::Constant,
        }))
    };
    let other = |what: &str| Parameter::Other(what.to_string());
    match value {
        AttributeValue::Float(f) => number(f64::from(*f), DataType::FLOAT),
        AttributeValue::Int(i) => number(*i as f64, DataType::INT64),
        // one element is a number in a `Constant`, not here
        AttributeValue::Tensor(_) | AttributeValue::Sparse(_) => other("a tensor"),
        AttributeValue::Floats(_) | AttributeValue::Ints(_) => other("a list"),
        AttributeValue::String(_) | AttributeValue::Strings(_) => other("a string"),
        _ => Parameter::Known(Known::Computed),
    }
}
