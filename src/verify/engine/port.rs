//! The inputs of a model.

use serde::{Deserialize, Serialize};
use tract_onnx::prelude::DatumType;

use super::value::element_type;
use super::{Unrunnable, element_name};
use crate::error::{Error, ErrorKind};
use crate::hash::HashSet;
use crate::onnx::{Dimension, Model, Name, ValueInfo, ValueType};

/// An input that has to be fed: a graph input without an initializer.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Port {
    /// Its name.
    pub name: String,
    /// Its element type, by its ONNX name in lower case.
    pub element: String,
    /// Its sizes; `None` if the number of axes is not declared.
    pub dims: Option<Vec<Dim>>,
}

/// The size of one axis.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Dim {
    /// Fixed.
    Fixed(usize),
    /// A name, which has the same size wherever it is used, or an expression of names.
    Symbolic(String),
    /// Not declared.
    Unknown,
}

impl Port {
    /// Its element type, as tensors have it.
    pub(in crate::verify) fn datum(&self) -> Option<DatumType> {
        element_type(&self.element)
    }
}

/// The inputs of a model that have to be fed.
///
/// # Errors
/// One is not a tensor, or of a type that no engine has here.
pub(super) fn ports(model: &Model) -> Result<Vec<Port>, Unrunnable> {
    let graph = model.graph(model.main());
    let defaults: HashSet<&Name> = graph.initializers().map(|(_, t)| &t.name).collect();
    let fed = graph.inputs.iter();
    let fed = fed.filter(|input| !defaults.contains(&input.name));
    fed.map(port).collect()
}

fn port(input: &ValueInfo) -> Result<Port, Unrunnable> {
    let name = input.name.to_string();
    let ValueType::Tensor { element, shape } = input.value_type() else {
        let why = format!("input {name} is not declared as a tensor");
        return Err(Unrunnable::new(why));
    };
    let datum = element.name().and_then(element_type);
    let datum = datum
        .ok_or_else(|| Unrunnable::new(format!("input {name} has elements of type {element}")))?;
    let size = |dim: Dimension| match dim {
        Dimension::Size(size) => usize::try_from(size).map_or(Dim::Unknown, Dim::Fixed),
        Dimension::Symbol(name) => Dim::Symbolic(name.to_string()),
        _ => Dim::Unknown,
    };
    Ok(Port {
        name,
        element: element_name(datum).to_string(),
        dims: shape.map(|dims| dims.into_iter().map(size).collect()),
    })
}

/// An input was named that the model does not have.
pub(in crate::verify) fn no_input<'p>(name: &str, ports: impl Iterator<Item = &'p Port>) -> Error {
    let known: Vec<&str> = ports.map(|port| port.name.as_str()).collect();
    let known = match known.is_empty() {
        true => "none".to_string(),
        false => known.join(", "),
    };
    let why = format!("the model has no input {name}; its inputs: {known}");
    Error::new(ErrorKind::Usage, why)
}
