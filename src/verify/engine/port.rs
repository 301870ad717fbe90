//! The inputs of a model.

use serde::{Deserialize, Serialize};
use tract_onnx::prelude::DatumType;
use tract_onnx::tract_hir::internal::{GenericFactoid, InferenceFact, Symbol, TDim};

use super::prepare::DimNames;
use super::value::element_type;
use super::{Unrunnable, element_name};
use crate::error::{Error, ErrorKind};

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

/// An input as tract declares it.
pub(super) struct Declared {
    pub(super) port: Port,
    pub(super) datum: DatumType,
    pub(super) facts: Option<Vec<Option<TDim>>>,
}

/// The size of one axis.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Dim {
    /// Fixed.
    Fixed(usize),
    /// The same size wherever the name is used.
    Named(String),
    /// An expression of names, as tract prints it.
    Expression(String),
    /// Not declared.
    Unknown,
}

impl Port {
    /// Its element type, as tensors have it.
    pub(in crate::verify) fn datum(&self) -> Option<DatumType> {
        element_type(&self.element)
    }
}

impl Declared {
    pub(super) fn new(
        name: &str,
        fact: &InferenceFact,
        names: &DimNames,
    ) -> Result<Declared, Unrunnable> {
        let GenericFactoid::Only(datum) = fact.datum_type else {
            return Err(Unrunnable::new(format!("input {name} has no element type")));
        };
        let facts = if fact.shape.is_open() {
            None
        } else {
            let dims = fact.shape.dims().map(|dim| match dim {
                GenericFactoid::Only(dim) => Some(dim.clone()),
                GenericFactoid::Any => None,
            });
            Some(dims.collect::<Vec<_>>())
        };
        Ok(Declared::of(name.to_string(), datum, facts, names))
    }

    pub(super) fn of(
        name: String,
        datum: DatumType,
        facts: Option<Vec<Option<TDim>>>,
        names: &DimNames,
    ) -> Declared {
        let shown = |dim: &Option<TDim>| match dim {
            None => Dim::Unknown,
            Some(TDim::Sym(symbol)) => Dim::Named(written(symbol, names)),
            Some(dim) => match dim.as_i64().and_then(|size| usize::try_from(size).ok()) {
                Some(size) => Dim::Fixed(size),
                None => Dim::Expression(dim.to_string()),
            },
        };
        let dims = facts.as_ref();
        let port = Port {
            name,
            element: element_name(datum).to_string(),
            dims: dims.map(|facts| facts.iter().map(shown).collect()),
        };
        Declared { port, datum, facts }
    }
}

/// The name of a symbol as the model writes it.
pub(super) fn written(symbol: &Symbol, names: &DimNames) -> String {
    let name = symbol.to_string();
    names.get(&name).cloned().unwrap_or(name)
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
