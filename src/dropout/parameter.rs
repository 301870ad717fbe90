//! A parameter of a node: what an input or an attribute is in every context.

use crate::error::Result;
use crate::onnx::{AttributeValue, DataType};
use crate::semantics::calls::ContextId;
use crate::semantics::facts::{Facts, Known, Number, Origin, Shape};
use crate::semantics::view::{NodeRef, ValueRef};

/// What a parameter is, each different setting once. An absent one has no other setting.
#[derive(Clone, Debug)]
pub(super) struct Parameter(pub Vec<Setting>);

/// What a parameter is in a context.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Setting {
    /// One element.
    Known(Known),
    /// A constant that is not one number, in words.
    Other(String),
}

impl Default for Parameter {
    /// An absent one.
    fn default() -> Self {
        Parameter(vec![Setting::Known(Known::Absent)])
    }
}

impl Parameter {
    /// An input of a node.
    ///
    /// # Errors
    /// The elements of a constant cannot be read.
    pub fn input(facts: Facts<'_>, node: NodeRef<'_>, input: usize) -> Result<Parameter> {
        let Some(value) = node.input(input) else {
            return Ok(Parameter::default());
        };
        let contexts = facts.contexts(node.graph()).into_iter();
        let settings: Result<Vec<Setting>> = contexts.map(|cx| setting(facts, cx, value)).collect();
        Ok(Parameter::of(settings?))
    }

    /// An attribute of a node.
    pub fn attribute(facts: Facts<'_>, node: NodeRef<'_>, name: &str) -> Parameter {
        let Some(attribute) = node.get().attribute(name) else {
            return Parameter::default();
        };
        let contexts = facts.contexts(node.graph()).into_iter();
        let settings = contexts.map(|cx| match &attribute.value {
            AttributeValue::Reference(name, _) => match facts.passed_attribute(cx, name) {
                Ok(Some(passed)) => of_attribute(&passed.value),
                Ok(None) => Setting::Known(Known::Absent),
                Err(known) => Setting::Known(known),
            },
            value => of_attribute(value),
        });
        Parameter::of(settings.collect())
    }

    fn of(settings: Vec<Setting>) -> Parameter {
        let mut different = Vec::new();
        for setting in settings {
            if !different.contains(&setting) {
                different.push(setting);
            }
        }
        Parameter(different)
    }

    /// True if no context has one.
    pub fn is_absent(&self) -> bool {
        self.0
            .iter()
            .all(|setting| *setting == Setting::Known(Known::Absent))
    }

    /// True if a run may decide what it is.
    pub fn is_open(&self) -> bool {
        self.0.iter().any(|setting| match setting {
            Setting::Known(Known::Input | Known::Computed) => true,
            Setting::Known(Known::Number(number)) => number.origin != Origin::Constant,
            _ => false,
        })
    }
}

impl Setting {
    /// A constant in words; `None` where a run decides.
    pub fn text(&self) -> Option<String> {
        match self {
            Setting::Known(Known::Number(Number { value, element, .. })) => {
                Some(format!("the {element} {value}"))
            }
            Setting::Known(_) => None,
            Setting::Other(what) => Some(what.clone()),
        }
    }
}

fn setting(facts: Facts<'_>, cx: ContextId, value: ValueRef<'_>) -> Result<Setting> {
    let known = facts.number_in(cx, value.id)?;
    let shape = facts.shape_in(cx, value.id);
    let one = shape
        .all_sizes()
        .is_none_or(|sizes| sizes.iter().all(|&size| size == 1));
    Ok(match known {
        Known::Constant => Setting::Other(described(value.element_type(), &shape)),
        Known::Number(number) if !one => Setting::Other(described(Some(number.element), &shape)),
        known => Setting::Known(known),
    })
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

fn of_attribute(value: &AttributeValue) -> Setting {
    let number = |value: f64, element| {
        Setting::Known(Known::Number(Number {
            value,
            element,
            origin: Origin::Constant,
        }))
    };
    let other = |what: &str| Setting::Other(what.to_string());
    match value {
        AttributeValue::Float(f) => number(f64::from(*f), DataType::FLOAT),
        AttributeValue::Int(i) => number(*i as f64, DataType::INT64),
        // one element is a number in a `Constant`, not here
        AttributeValue::Tensor(_) | AttributeValue::Sparse(_) => other("a tensor"),
        AttributeValue::Floats(_) | AttributeValue::Ints(_) => other("a list"),
        AttributeValue::String(_) | AttributeValue::Strings(_) => other("a string"),
        _ => Setting::Known(Known::Computed),
    }
}
