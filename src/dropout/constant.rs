//! The value of a small input or attribute: a constant from any scope, or decided at run time.
//!
//! Followed through initializers, Constant nodes, Identity, Cast and Not, outer scopes, and, inside
//! functions, through the inputs and attributes of every call.

use std::cell::Cell;
use std::fmt;

use super::limit::Limits;
use crate::error::Result;
use crate::onnx::{
    Attribute, AttributeValue, DataType, GraphId, GraphKind, Model, NodeId, Producer, Tensor, Use,
    ValueId, Values, floats, numbers,
};
use crate::semantics::calls::{Calls, passed_attribute};

/// What was found out.
#[derive(Clone, Debug)]
pub(super) struct Finding {
    /// Where it comes from first.
    pub origin: Origin,
    /// The constants it can be; more than one in a function that is called in several ways. Of an
    /// overridable input, its default.
    pub scalars: Vec<Scalar>,
    /// True if it may also be something that only a run decides.
    pub runtime: bool,
    /// True if it is absent, or some call of the function leaves it out.
    pub absent: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    Absent,
    Constant,
    Input,
    Computed,
}

/// A constant.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Scalar {
    /// One number, exact in 64 bits, and its type (booleans are 0 and 1).
    Number(f64, DataType),
    /// Something else, in words.
    Other(String),
}

impl fmt::Display for Scalar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Scalar::Number(value, data_type) => write!(f, "the {data_type} {value}"),
            Scalar::Other(what) => f.write_str(what),
        }
    }
}

impl Finding {
    pub fn absent() -> Finding {
        Finding {
            origin: Origin::Absent,
            scalars: Vec::new(),
            runtime: false,
            absent: true,
        }
    }

    fn constant(scalar: Scalar) -> Finding {
        Finding {
            origin: Origin::Constant,
            scalars: vec![scalar],
            runtime: false,
            absent: false,
        }
    }

    fn runtime(origin: Origin) -> Finding {
        Finding {
            origin,
            scalars: Vec::new(),
            runtime: true,
            absent: false,
        }
    }
}

pub(super) struct Resolver<'m> {
    model: &'m Model,
    values: &'m Values,
    limits: Option<&'m Limits>,
    calls: Calls,
    /// Values that may still be followed for the question at hand: functions that call functions
    /// have exponentially many ways through them.
    budget: Cell<u32>,
}

/// How many calls and nodes are followed before it is called computed.
const DEPTH: usize = 32;

/// How many values are followed for one question.
const BUDGET: u32 = 10_000;

impl<'m> Resolver<'m> {
    pub fn new(model: &'m Model, values: &'m Values) -> Self {
        Resolver {
            model,
            values,
            limits: None,
            calls: Calls::new(model),
            budget: Cell::new(0),
        }
    }

    /// Records where the search for a constant stopped.
    pub fn noting(self, limits: &'m Limits) -> Self {
        Resolver {
            limits: Some(limits),
            ..self
        }
    }

    /// Nodes that call a function.
    pub fn calls(&self, function: usize) -> Vec<NodeId> {
        self.calls.of(function).to_vec()
    }

    /// How many nodes call a function.
    pub fn all_calls(&self, function: usize) -> usize {
        self.calls.of(function).len()
    }

    /// What a value is.
    pub fn of_value(&self, value: ValueId) -> Result<Finding> {
        self.budget.set(BUDGET);
        self.value(value, DEPTH)
    }

    /// What an input of a node is.
    pub fn input(&self, node: NodeId, input: usize) -> Result<Finding> {
        self.budget.set(BUDGET);
        match self.values.input(node, input) {
            Some(value) => self.value(value, DEPTH),
            None => Ok(Finding::absent()),
        }
    }

    /// What an attribute of a node is.
    pub fn attribute(&self, node: NodeId, name: &str) -> Result<Finding> {
        self.budget.set(BUDGET);
        let no_number = |what: &str| Finding::constant(Scalar::Other(what.to_string()));
        match self.model.node(node).attribute(name) {
            Some(attribute) => match &attribute.value {
                // one element is a number in a `Constant`, not here
                AttributeValue::Tensor(_) | AttributeValue::Sparse(_) => Ok(no_number("a tensor")),
                AttributeValue::Floats(_) | AttributeValue::Ints(_) => Ok(no_number("a list")),
                _ => self.attribute_value(node, attribute, DEPTH),
            },
            None => Ok(Finding::absent()),
        }
    }

    fn value(&self, id: ValueId, depth: usize) -> Result<Finding> {
        let value = &self.values[id];
        let graph = self.model.graph(value.graph);
        let left = self.budget.get();
        self.budget.set(left.saturating_sub(1));
        match value.producer {
            _ if depth == 0 || left == 0 => {
                self.cut_off(id);
                Ok(Finding::runtime(Origin::Computed))
            }
            Producer::Initializer(index) => self.initializer(value.graph, index),
            Producer::Input(index) => match (&graph.kind, value.initializer) {
                (GraphKind::Function(function), _) => self.formal(*function, index, depth),
                (_, Some(default)) => {
                    let mut finding = self.initializer(value.graph, default)?;
                    // before IR version 4 every initializer had to be an input as well
                    if self.model.ir_version >= 4 {
                        finding.origin = Origin::Input;
                        finding.runtime = true;
                    }
                    Ok(finding)
                }
                (GraphKind::Main, None) => Ok(Finding::runtime(Origin::Input)),
                (_, None) => Ok(Finding::runtime(Origin::Computed)),
            },
            Producer::Node { node, .. } => self.node(node, depth),
            Producer::SparseInitializer(_) | Producer::Gone => {
                Ok(Finding::runtime(Origin::Computed))
            }
        }
    }

    /// Records that the search for a constant stopped at a value.
    fn cut_off(&self, value: ValueId) {
        let node = match self.values[value].producer {
            Producer::Node { node, .. } => Some(node),
            _ => self.values.uses(value).find_map(|at| match at {
                Use::Input { node, .. } => Some(node),
                _ => None,
            }),
        };
        if let (Some(limits), Some(node)) = (self.limits, node) {
            let what = "a constant is followed through at most 32 nodes and calls, 10,000 in all";
            limits.reached(node, what);
        }
    }

    fn initializer(&self, graph: GraphId, index: u32) -> Result<Finding> {
        let tensor = self.model.graph(graph).initializer(index);
        Ok(Finding::constant(self.tensor(tensor)?))
    }

    fn node(&self, id: NodeId, depth: usize) -> Result<Finding> {
        let node = self.model.node(id);
        if node.is("Constant") {
            return match node.attributes.first() {
                Some(attribute) => self.attribute_value(id, attribute, depth),
                None => Ok(Finding::runtime(Origin::Computed)),
            };
        }
        let of_input = || match self.values.input(id, 0) {
            Some(value) => self.value(value, depth - 1),
            None => Ok(Finding::runtime(Origin::Computed)),
        };
        let mut finding = if node.is("Identity") {
            return of_input();
        } else if node.is("Not") {
            let mut finding = of_input()?;
            for scalar in &mut finding.scalars {
                if let Scalar::Number(value, DataType::BOOL) = scalar {
                    *value = 1.0 - *value;
                }
            }
            finding
        } else if node.is("Cast") {
            let mut finding = of_input()?;
            let to = match node.attribute("to").map(|a| &a.value) {
                Some(AttributeValue::Int(to)) => DataType(*to as i32),
                _ => return Ok(Finding::runtime(Origin::Computed)),
            };
            for scalar in &mut finding.scalars {
                if let Scalar::Number(value, data_type) = scalar {
                    *value = cast(*value, to);
                    *data_type = to;
                }
            }
            finding
        } else {
            Finding::runtime(Origin::Computed)
        };
        if finding.runtime {
            finding.origin = Origin::Computed;
        }
        Ok(finding)
    }

    /// An input of a function: what its calls pass.
    fn formal(&self, function: usize, index: u32, depth: usize) -> Result<Finding> {
        self.of_calls(function, |call| {
            match self.values.input(call, index as usize) {
                Some(value) => self.value(value, depth - 1),
                None => Ok(Finding::absent()),
            }
        })
    }

    fn of_calls(
        &self,
        function: usize,
        what: impl Fn(NodeId) -> Result<Finding>,
    ) -> Result<Finding> {
        let mut all = Finding::runtime(Origin::Input);
        let calls = self.calls(function);
        all.runtime = calls.is_empty();
        let mut absent = !all.runtime;
        for call in calls {
            let finding = what(call)?;
            absent &= finding.origin == Origin::Absent;
            all.runtime |= finding.runtime;
            all.absent |= finding.absent;
            for scalar in finding.scalars {
                if !all.scalars.contains(&scalar) {
                    all.scalars.push(scalar);
                }
            }
        }
        if absent {
            return Ok(Finding::absent());
        }
        if !all.runtime {
            all.origin = Origin::Constant;
        }
        Ok(all)
    }

    fn attribute_value(&self, at: NodeId, attribute: &Attribute, depth: usize) -> Result<Finding> {
        let number = |value, data_type| Ok(Finding::constant(Scalar::Number(value, data_type)));
        let other = |what: &str| Ok(Finding::constant(Scalar::Other(what.to_string())));
        match &attribute.value {
            AttributeValue::Float(f) => number(f64::from(*f), DataType::FLOAT),
            AttributeValue::Int(i) => number(*i as f64, DataType::INT64),
            AttributeValue::Floats(f) => match f[..] {
                [f] => number(f64::from(f), DataType::FLOAT),
                _ => other("a list of floats"),
            },
            AttributeValue::Ints(i) => match i[..] {
                [i] => number(i as f64, DataType::INT64),
                _ => other("a list of integers"),
            },
            AttributeValue::Tensor(tensor) => Ok(Finding::constant(self.tensor(tensor)?)),
            AttributeValue::Sparse(sparse) => {
                // an element that a sparse tensor does not store is zero
                let mut scalar = self.tensor(&sparse.values)?;
                if sparse.values.elements() == Some(0) {
                    scalar = Scalar::Number(0.0, sparse.values.data_type);
                }
                match sparse.dims.iter().all(|&dim| dim == 1) {
                    true => Ok(Finding::constant(scalar)),
                    false => other("a sparse tensor"),
                }
            }
            AttributeValue::Reference(name, _) if depth > 0 => {
                let root = self.model.root(at.graph);
                let GraphKind::Function(function) = self.model.graph(root).kind else {
                    return Ok(Finding::runtime(Origin::Computed));
                };
                let called = &self.model.functions()[function];
                self.of_calls(function, |call| {
                    match passed_attribute(self.model, call, called, name) {
                        Some(attribute) => self.attribute_value(call, attribute, depth - 1),
                        None => Ok(Finding::absent()),
                    }
                })
            }
            AttributeValue::String(_) | AttributeValue::Strings(_) => other("a string"),
            _ => Ok(Finding::runtime(Origin::Computed)),
        }
    }

    fn tensor(&self, tensor: &Tensor) -> Result<Scalar> {
        if tensor.elements() != Some(1) {
            let dims = &tensor.dims;
            return Ok(Scalar::Other(format!(
                "a {} of shape {dims:?}",
                tensor.data_type
            )));
        }
        let Some(bytes) = self.model.small_elements(tensor, 16)? else {
            return Ok(Scalar::Other(format!("a long {}", tensor.data_type)));
        };
        let value = match numbers(tensor.data_type, &bytes).as_deref() {
            Some(&[value]) => Some(value),
            _ => None,
        };
        Ok(match value {
            Some(value) => Scalar::Number(value, tensor.data_type),
            None => Scalar::Other(format!("a {} scalar", tensor.data_type)),
        })
    }
}

/// What Cast makes of a number, as far as a ratio or a flag may need it.
fn cast(value: f64, to: DataType) -> f64 {
    match to {
        DataType::BOOL => f64::from(u8::from(value != 0.0)),
        DataType::INT32 | DataType::INT64 | DataType::UINT8 => value.trunc(),
        other => round(value, other),
    }
}

/// The nearest number of a float type.
fn round(value: f64, data_type: DataType) -> f64 {
    match data_type {
        DataType::FLOAT => f64::from(value as f32),
        DataType::FLOAT16 => half::f16::from_f64(value).to_f64(),
        DataType::BFLOAT16 => half::bf16::from_f64(value).to_f64(),
        DataType::DOUBLE => value,
        _ => {
            // 8-bit floats: all 256 of them
            let all = (0..=u8::MAX).filter_map(|byte| floats(data_type, &[byte])?.pop());
            let finite = all.filter(|candidate| candidate.is_finite());
            let nearest = finite.min_by(|a, b| (a - value).abs().total_cmp(&(b - value).abs()));
            nearest.unwrap_or(value)
        }
    }
}

/// The shortest decimal that its element type rounds to this number.
pub(crate) fn shortest(value: f64, data_type: DataType) -> f64 {
    for digits in 0..17 {
        if let Ok(decimal) = format!("{value:.digits$e}").parse::<f64>()
            && round(decimal, data_type) == value
        {
            return decimal;
        }
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_printed_as_they_were_written() {
        for rate in [0.1, 0.2, 0.25, 0.3, 0.45, 0.5, 0.1234567] {
            assert_eq!(shortest(f64::from(rate as f32), DataType::FLOAT), rate);
        }
        let half = half::f16::from_f64(0.3).to_f64();
        assert_ne!(half, 0.3);
        assert_eq!(shortest(half, DataType::FLOAT16), 0.3);
        assert_eq!(
            shortest(half::bf16::from_f64(0.2).to_f64(), DataType::BFLOAT16),
            0.2
        );
        assert_eq!(shortest(0.1, DataType::DOUBLE), 0.1);
        assert_eq!(shortest(0.3125, DataType::FLOAT8E4M3FN), 0.3);
        assert!(shortest(f64::NAN, DataType::FLOAT).is_nan());
        assert_eq!(shortest(f64::INFINITY, DataType::FLOAT), f64::INFINITY);
    }
}
