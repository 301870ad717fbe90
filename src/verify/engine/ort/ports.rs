//! The inputs of a model as it declares them.

use tract_onnx::tract_hir::internal::{SymbolScope, TDim};

use crate::onnx::{Dimension, Graph, Model, ValueInfo, ValueType};
use crate::verify::engine::Unrunnable;
use crate::verify::engine::port::Declared;
use crate::verify::engine::prepare::{DimNames, plain_name};
use crate::verify::engine::value::element_type;

/// The inputs that have to be fed.
pub(super) struct Ports {
    pub(super) inputs: Vec<Declared>,
    /// The names of their symbolic dimensions.
    pub(super) names: DimNames,
    /// What the dimensions are made of lives as long as this.
    _symbols: SymbolScope,
}

/// Reads them.
pub(super) fn declared(model: &Model) -> Result<Ports, Unrunnable> {
    let symbols = SymbolScope::default();
    let mut names = DimNames::new();
    let graph = model.graph(model.main());
    let fed = graph.inputs.iter().filter(|input| !has_value(graph, input));
    let mut inputs = Vec::new();
    for input in fed {
        let ValueType::Tensor { element, shape } = input.value_type() else {
            let why = format!("input {} is not declared as a tensor", input.name);
            return Err(Unrunnable::new(why));
        };
        let datum = element.name().and_then(element_type).ok_or_else(|| {
            let element = element.name().unwrap_or("unknown");
            Unrunnable::new(format!(
                "input {} has elements of type {element}",
                input.name
            ))
        })?;
        let dims = shape.map(|dims| {
            let dims = dims.into_iter().map(|dim| match dim {
                Dimension::Size(size) => Some(TDim::Val(size)),
                Dimension::Symbol(name) => {
                    let name = plain_name(&name.to_string(), &mut names)?;
                    symbols.parse_tdim(name).ok()
                }
                Dimension::Unknown => None,
            });
            dims.collect()
        });
        inputs.push(Declared::of(input.name.to_string(), datum, dims, &names));
    }
    Ok(Ports {
        inputs,
        names,
        _symbols: symbols,
    })
}

fn has_value(graph: &Graph, input: &ValueInfo) -> bool {
    graph
        .initializers()
        .any(|(_, tensor)| tensor.name == input.name)
}
