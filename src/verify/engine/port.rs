//! The inputs of a model.

use serde::{Deserialize, Serialize};
use tract_onnx::dim_expr::parse_onnx_dim;
use tract_onnx::prelude::DatumType;
use tract_onnx::tract_hir::internal::{SymbolScope, TDim};

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

/// The inputs that have to be fed.
pub(super) struct Inputs {
    pub(super) all: Vec<Declared>,
    /// What the dimensions are made of lives as long as this.
    _symbols: SymbolScope,
}

/// An input and the sizes of its axes.
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

impl Inputs {
    /// Those of a model.
    ///
    /// # Errors
    /// An input is not a tensor, or of a type that no engine has here.
    pub(super) fn of(model: &Model) -> Result<Inputs, Unrunnable> {
        let symbols = SymbolScope::default();
        let graph = model.graph(model.main());
        let defaults: HashSet<&Name> = graph.initializers().map(|(_, t)| &t.name).collect();
        let fed = graph.inputs.iter();
        let fed = fed.filter(|input| !defaults.contains(&input.name));
        let all = fed.map(|input| Declared::of(input, &symbols));
        Ok(Inputs {
            all: all.collect::<Result<_, _>>()?,
            _symbols: symbols,
        })
    }

    /// The same without symbolic sizes.
    pub(super) fn ports(&self) -> Vec<Port> {
        self.all.iter().map(|input| input.port.clone()).collect()
    }
}

impl Declared {
    fn of(input: &ValueInfo, symbols: &SymbolScope) -> Result<Declared, Unrunnable> {
        let name = input.name.to_string();
        let ValueType::Tensor { element, shape } = input.value_type() else {
            let why = format!("input {name} is not declared as a tensor");
            return Err(Unrunnable::new(why));
        };
        let datum = element.name().and_then(element_type);
        let datum = datum.ok_or_else(|| {
            Unrunnable::new(format!("input {name} has elements of type {element}"))
        })?;
        let sized = |dim: &Dimension| match dim {
            Dimension::Size(size) if *size >= 0 => Some(TDim::Val(*size)),
            Dimension::Symbol(name) => symbolic(&name.to_text(), symbols),
            _ => None,
        };
        let facts: Option<Vec<Option<TDim>>> = shape.map(|dims| dims.iter().map(sized).collect());
        let shown = |dim: &Option<TDim>| match dim {
            None => Dim::Unknown,
            Some(TDim::Sym(symbol)) => Dim::Named(symbol.to_string()),
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
        Ok(Declared { port, datum, facts })
    }
}

/// A size by its name, or an expression of names and numbers; `None` if it means nothing.
fn symbolic(name: &str, symbols: &SymbolScope) -> Option<TDim> {
    let is_plain = |b: u8| b.is_ascii_alphanumeric() || b"_.".contains(&b);
    let is_name = name.starts_with(|c: char| !c.is_ascii_digit()) && name.bytes().all(is_plain);
    let is_expression = name.contains(['+', '-', '*', '/', '('])
        && name
            .bytes()
            .all(|b| is_plain(b) || b"+-*/(), ".contains(&b));
    match name {
        "" | "?" => None,
        _ if !is_name && (is_expression || name.bytes().all(|b| b.is_ascii_digit())) => {
            parse_onnx_dim(symbols, name).ok()
        }
        _ => Some(symbols.sym(name).into()),
    }
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
