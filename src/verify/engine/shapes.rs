//! Sizes for the dimensions that the inputs of a model leave open.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use tract_onnx::dim_expr::parse_onnx_dim;
use tract_onnx::tract_hir::internal::{Symbol, SymbolScope, SymbolValues, TDim};

use super::port::no_input;
use super::{Dim, Port, Stop, Unrunnable, guard};
use crate::error::{Error, ErrorKind};

/// Larger inputs are not made up.
const MOST_ELEMENTS: usize = 1 << 28;

/// Sizes for dimensions that nothing else determines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Fill {
    /// On the first axis.
    pub first: usize,
    /// On the others.
    pub others: usize,
}

impl Fill {
    /// What is tried, in this order. At least two of everything, so that mistakes between the
    /// elements of a batch show; then sizes that survive five poolings; then one, for models that
    /// are only good for that.
    pub const ALL: [Fill; 6] = [
        Fill {
            first: 2,
            others: 2,
        },
        Fill {
            first: 2,
            others: 32,
        },
        Fill {
            first: 1,
            others: 2,
        },
        Fill {
            first: 1,
            others: 32,
        },
        Fill {
            first: 1,
            others: 1,
        },
        Fill {
            first: 1,
            others: 224,
        },
    ];
}

/// A size for every axis of every input.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Shapes {
    /// By input.
    pub inputs: BTreeMap<String, Vec<usize>>,
    /// By symbolic dimension, as the model writes it.
    pub symbols: BTreeMap<String, usize>,
    /// Sizes that were not given: symbolic dimensions by name, others as `input[axis]`.
    pub chosen: BTreeMap<String, usize>,
}

/// An input and the sizes of its axes; `None` where one is open.
struct Declared<'p> {
    port: &'p Port,
    facts: Option<Vec<Option<TDim>>>,
}

/// Determines every size: from the shapes given for whole inputs, then from the dimensions given by
/// name, then from `fill`.
pub(super) fn choose(
    ports: &[Port],
    dims: &BTreeMap<String, usize>,
    given: &BTreeMap<String, Vec<usize>>,
    fill: Fill,
) -> Result<Shapes, Stop> {
    let scope = SymbolScope::default();
    let inputs = ports.iter().map(|port| {
        let dims = port.dims.as_ref();
        let facts = dims.map(|dims| dims.iter().map(|dim| size(dim, &scope)).collect());
        Declared { port, facts }
    });
    let inputs: Vec<Declared<'_>> = inputs.collect();
    let symbols = symbols(&inputs);
    let mut sizes: BTreeMap<String, usize> = BTreeMap::new();
    for (name, &size) in dims {
        if !symbols.contains_key(name) {
            let known: Vec<&str> = symbols.keys().map(String::as_str).collect();
            let known = match known.is_empty() {
                true => "none".to_string(),
                false => known.join(", "),
            };
            return Err(usage(format!(
                "no input has a dimension {name}; named dimensions: {known}"
            )));
        }
        sizes.insert(name.clone(), size);
    }
    for (name, shape) in given {
        let Some(input) = inputs.iter().find(|input| input.port.name == *name) else {
            return Err(no_input(name, ports.iter()).into());
        };
        bind(input, shape, &mut sizes)?;
    }
    let mut shapes = Shapes::default();
    let mut values = SymbolValues::default();
    for (name, (symbol, first)) in &symbols {
        let size = *sizes.entry(name.clone()).or_insert_with(|| {
            let size = if *first { fill.first } else { fill.others };
            shapes.chosen.insert(name.clone(), size);
            size
        });
        values.set(symbol, i64::try_from(size).unwrap_or(i64::MAX));
    }
    for input in &inputs {
        let shape = match given.get(&input.port.name) {
            Some(shape) => shape.clone(),
            None => open(input, &values, fill, &mut shapes)?,
        };
        let elements = shape.iter().try_fold(1usize, |n, &dim| n.checked_mul(dim));
        if elements.is_none_or(|elements| elements > MOST_ELEMENTS) {
            let name = &input.port.name;
            let why = format!("input {name} of shape {shape:?} is too large to make up");
            return Err(Unrunnable::new(why).into());
        }
        shapes.inputs.insert(input.port.name.clone(), shape);
    }
    shapes.symbols = sizes;
    Ok(shapes)
}

/// The size of an axis: of one name, or an expression of names and numbers; `None` if it means nothing.
fn size(dim: &Dim, scope: &SymbolScope) -> Option<TDim> {
    let name = match dim {
        Dim::Fixed(size) => return Some(TDim::Val(i64::try_from(*size).ok()?)),
        Dim::Symbolic(name) => name.as_str(),
        Dim::Unknown => return None,
    };
    let is_plain = |b: u8| b.is_ascii_alphanumeric() || b"_.".contains(&b);
    let is_name = name.starts_with(|c: char| !c.is_ascii_digit()) && name.bytes().all(is_plain);
    let is_expression = name.contains(['+', '-', '*', '/', '('])
        && name
            .bytes()
            .all(|b| is_plain(b) || b"+-*/(), ".contains(&b));
    match name {
        "" | "?" => None,
        _ if !is_name && (is_expression || name.bytes().all(|b| b.is_ascii_digit())) => {
            guard(|| parse_onnx_dim(scope, name)).ok()?.ok()
        }
        _ => Some(scope.sym(name).into()),
    }
}

/// The symbols in shapes of inputs by name, and whether each is the first axis of one.
fn symbols(inputs: &[Declared<'_>]) -> BTreeMap<String, (Symbol, bool)> {
    let mut symbols: BTreeMap<String, (Symbol, bool)> = BTreeMap::new();
    for input in inputs {
        for (axis, dim) in input.facts.iter().flatten().enumerate() {
            let plain = matches!(dim, Some(TDim::Sym(_)));
            for symbol in dim.iter().flat_map(TDim::symbols) {
                let entry = symbols.entry(symbol.to_string());
                entry.or_insert((symbol, false)).1 |= axis == 0 && plain;
            }
        }
    }
    symbols
}

/// Checks a shape against the declared one and takes the sizes of named dimensions from it.
fn bind(
    input: &Declared<'_>,
    shape: &[usize],
    sizes: &mut BTreeMap<String, usize>,
) -> Result<(), Stop> {
    let Some(facts) = &input.facts else {
        return Ok(());
    };
    let name = &input.port.name;
    if facts.len() != shape.len() {
        let (has, got) = (facts.len(), shape.len());
        return Err(usage(format!(
            "input {name} has {has} axes, but shape {shape:?} has {got}"
        )));
    }
    for (axis, (dim, &size)) in facts.iter().zip(shape).enumerate() {
        let Some(dim) = dim else { continue };
        if let TDim::Sym(symbol) = dim {
            let symbol = symbol.to_string();
            let before = *sizes.entry(symbol.clone()).or_insert(size);
            if before != size {
                let why = format!("dimension {symbol} would be {before} and {size} (input {name})");
                return Err(usage(why));
            }
        } else if let Some(fixed) = dim.as_i64()
            && usize::try_from(fixed) != Ok(size)
        {
            let why = format!("axis {axis} of input {name} has size {fixed}, not {size}");
            return Err(usage(why));
        }
    }
    Ok(())
}

/// The shape of an input for which none was given.
fn open(
    input: &Declared<'_>,
    values: &SymbolValues,
    fill: Fill,
    shapes: &mut Shapes,
) -> Result<Vec<usize>, Stop> {
    let Some(facts) = &input.facts else {
        let name = &input.port.name;
        let why =
            format!("input {name} is declared without a shape; give one with --input {name}:1,2,3");
        return Err(Unrunnable::new(why).into());
    };
    let sizes = facts.iter().enumerate().map(|(axis, dim)| {
        let known = dim.as_ref().and_then(|dim| dim.eval(values).as_i64());
        known
            .and_then(|size| usize::try_from(size).ok())
            .unwrap_or_else(|| {
                let size = if axis == 0 { fill.first } else { fill.others };
                shapes
                    .chosen
                    .insert(format!("{}[{axis}]", input.port.name), size);
                size
            })
    });
    Ok(sizes.collect())
}

fn usage(why: String) -> Stop {
    Stop::Error(Error::new(ErrorKind::Usage, why))
}
