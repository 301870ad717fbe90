//! Constants of one number: initializers, Constant nodes, and what operators make of such.

use crate::onnx::{
    Attribute, AttributeValue, DataType, Name, Producer, SparseInitializer, Tensor, Uniform, same,
};
use crate::semantics::control_flow::{Loop, Outcome, branch_outputs};
use crate::semantics::operator::{Elements, Role, Shape as Rule, is_quantization};
use crate::semantics::scalar::{self, Steps};
use crate::semantics::view::{NodeRef, ValueRef};

use super::known::{Known, Number, Origin};
use super::value::Source;
use super::{Asking, ContextId, Facts};

impl<'m> Facts<'m> {
    /// What an attribute of a function is in a context: none if the call leaves it out.
    pub fn passed_attribute(
        self,
        cx: ContextId,
        name: &Name,
    ) -> Result<Option<&'m Attribute>, Known> {
        let contexts = self.memo.contexts.borrow();
        let passed = contexts.attribute(self.view, cx, name);
        passed.map_err(|function| match function {
            Some(function) if self.calls().is_reached(function) => Known::Computed,
            _ => Known::Input,
        })
    }
}

impl<'m> Asking<'m> {
    pub(super) fn number_value(&mut self, value: ValueRef<'m>) -> Known {
        let graph = self.facts.view.model.graph(value.graph);
        match value.producer {
            Producer::Initializer(index) => self.tensor(value, graph.initializer(index)),
            Producer::Input(_) => match (self.source(value), value.initializer) {
                (Source::Value(at), _) => self.number_of(at),
                (Source::Absent, _) => Known::Absent,
                (Source::Input, Some(default)) => {
                    let known = self.tensor(value, graph.initializer(default));
                    // before IR version 4 every initializer had to be an input as well
                    match known {
                        _ if self.facts.view.model.ir_version < 4 => known,
                        Known::Number(number) => Known::Number(Number {
                            origin: Origin::Default,
                            ..number
                        }),
                        _ => Known::Input,
                    }
                }
                (Source::Input, None) => Known::Input,
                (Source::Other, _) => Known::Computed,
            },
            Producer::Node { .. } => match value.producer() {
                Some((node, output)) => self.output_number(value, node, output),
                None => Known::Computed,
            },
            Producer::SparseInitializer(index) => {
                self.sparse(value, &graph.sparse_initializers()[index as usize])
            }
            Producer::Gone => Known::Computed,
        }
    }

    fn output_number(&mut self, value: ValueRef<'m>, node: NodeRef<'m>, output: usize) -> Known {
        if let Some(function) = node.callee() {
            let result = self.called(node, function, output);
            return result.map_or(Known::Computed, |result| self.number_of(result));
        }
        if let Some([then, or]) = branch_outputs(node, output) {
            let condition = self.input_number(node, 0).is_true();
            let mut of = |branch: Option<ValueRef<'m>>| match branch {
                Some(branch) => self.number_of(self.here(branch)),
                None => Known::Computed,
            };
            return match condition {
                Some(true) => of(then),
                Some(false) => of(or),
                None => either(of(then), of(or)),
            };
        }
        if let Some(of) = Loop::of(node) {
            return match of.outcome(output) {
                Outcome::State(state) if state.is_kept() => match state.input {
                    Some(input) => self.number_of(self.here(input)),
                    None => Known::Computed,
                },
                _ => Known::Computed,
            };
        }
        if node.is("Constant") {
            return self.attribute_number(value, node);
        }
        if node.is("ConstantOfShape") {
            return match self.given(node).value("value") {
                Some(AttributeValue::Tensor(tensor)) => self.tensor(value, tensor),
                _ if !self.given(node).is_known() => Known::Computed,
                _ => Known::constant(0.0, DataType::FLOAT),
            };
        }
        self.operator_number(value, node)
    }

    fn input_number(&mut self, node: NodeRef<'m>, input: usize) -> Known {
        match node.input(input) {
            Some(value) => self.number_of(self.here(value)),
            None => Known::Absent,
        }
    }

    /// What an operator makes of numbers.
    fn operator_number(&mut self, value: ValueRef<'m>, node: NodeRef<'m>) -> Known {
        let Some(operator) = node.operator() else {
            return Known::Computed;
        };
        let op = node.op();
        if operator.role == Role::Dropout {
            return Known::Computed;
        }
        if operator.elements == Elements::Copy && operator.role != Role::Cast {
            return self.input_number(node, 0);
        }
        if operator.copies() || matches!(operator.shape, Rule::Slice | Rule::Split | Rule::Gather) {
            let known = match operator.role {
                Role::Cast => cast(self.input_number(node, 0), value.element_type()),
                _ => self.input_number(node, 0),
            };
            return match known {
                Known::Number(_) => computed(known),
                _ => self.list_number(value),
            };
        }
        if let known @ Known::Number(_) = self.list_number(value) {
            return known;
        }
        if is_quantization(operator.name) {
            return self.quantized_number(value, node);
        }
        if op == "Where" {
            let [condition, x, y] = [0, 1, 2].map(|input| self.input_number(node, input));
            return computed(match condition.is_true() {
                Some(true) => x,
                Some(false) => y,
                None => either(x, y),
            });
        }
        match operator.elements {
            Elements::Map => self.mapped(node),
            _ => Known::Computed,
        }
    }

    /// What QuantizeLinear or DequantizeLinear makes of a number.
    fn quantized_number(&mut self, value: ValueRef<'m>, node: NodeRef<'m>) -> Known {
        let given = [0, 1, 2].map(|input| self.input_number(node, input));
        let number = |input: usize| match given[input] {
            Known::Number(number) => Some(number.value),
            Known::Absent if input == 2 => Some(0.0),
            _ => None,
        };
        let open =
            |known: &Known| matches!(known, Known::Number(n) if n.origin != Origin::Constant);
        let origin = match given.iter().any(open) {
            true => Origin::Computed,
            false => Origin::Constant,
        };
        let made = || {
            let steps = Steps::of(node.quantized_type()?, number(1)?, number(2)?)?;
            let element = value.element_type()?;
            let made = match node.applies("QuantizeLinear") {
                true => steps.quantized(number(0)?),
                false => steps.number(number(0)?),
            };
            let value = scalar::cast(made, element);
            Some(Number {
                value,
                element,
                origin,
            })
        };
        made().map_or(Known::Computed, Known::Number)
    }

    /// What an operator that computes element by element makes of numbers.
    fn mapped(&mut self, node: NodeRef<'m>) -> Known {
        let op = node.op();
        let inputs = node.get().inputs.len();
        let all: Vec<Known> = (0..inputs)
            .map(|input| self.input_number(node, input))
            .collect();
        if let Some(known) = decided(op, &all) {
            return known;
        }
        let mut numbers = Vec::with_capacity(all.len());
        let mut origin = Origin::Constant;
        for known in &all {
            let Known::Number(number) = known else {
                return Known::Computed;
            };
            if number.origin != Origin::Constant {
                origin = Origin::Computed;
            }
            numbers.push(number.value);
        }
        let Some(&Known::Number(first)) = all.first() else {
            return Known::Computed;
        };
        let element = match scalar::makes_booleans(op) {
            true => DataType::BOOL,
            false => first.element,
        };
        match scalar::apply(op, &numbers, scalar::is_integer(first.element)) {
            Some(result) => Known::Number(Number {
                value: scalar::cast(result, element),
                element,
                origin,
            }),
            None => Known::Computed,
        }
    }

    /// The number that a list of integers of one size consists of.
    fn list_number(&mut self, value: ValueRef<'m>) -> Known {
        let at = self.here(value);
        let element = value.element_type();
        let Some(element) = element.filter(|&e| scalar::is_integer(e) || e == DataType::BOOL)
        else {
            return Known::Computed;
        };
        match self
            .list_of(at)
            .and_then(|list| list.all_sizes())
            .as_deref()
        {
            Some([first, rest @ ..]) if rest.iter().all(|size| size == first) => {
                Known::constant(*first as f64, element)
            }
            Some(_) => Known::Constant,
            None => Known::Computed,
        }
    }

    /// The number that a Constant holds.
    fn attribute_number(&mut self, value: ValueRef<'m>, node: NodeRef<'m>) -> Known {
        let Some(attribute) = node.get().attributes.first() else {
            return Known::Computed;
        };
        match &attribute.value {
            AttributeValue::Tensor(tensor) => self.tensor(value, tensor),
            AttributeValue::Reference(name, _) => {
                match self.facts.passed_attribute(self.cx, name) {
                    Ok(Some(passed)) => self.passed_number(value, passed),
                    Ok(None) => Known::Absent,
                    Err(known) => known,
                }
            }
            _ => self.passed_number(value, attribute),
        }
    }

    /// The number that an attribute is, or a list of one.
    fn passed_number(&mut self, value: ValueRef<'m>, attribute: &Attribute) -> Known {
        match &attribute.value {
            AttributeValue::Float(f) => Known::constant(f64::from(*f), DataType::FLOAT),
            AttributeValue::Int(i) => Known::constant(*i as f64, DataType::INT64),
            AttributeValue::Floats(all) => same(all).map_or(Known::Constant, |f| {
                Known::constant(f64::from(f), DataType::FLOAT)
            }),
            AttributeValue::Ints(all) => same(all).map_or(Known::Constant, |i| {
                Known::constant(i as f64, DataType::INT64)
            }),
            AttributeValue::Tensor(tensor) => self.tensor(value, tensor),
            AttributeValue::Sparse(sparse) => self.sparse(value, sparse),
            AttributeValue::String(_) | AttributeValue::Strings(_) => Known::Constant,
            _ => Known::Computed,
        }
    }

    /// As [`Asking::tensor`]: an element that a sparse tensor does not store is zero.
    fn sparse(&mut self, value: ValueRef<'m>, sparse: &SparseInitializer) -> Known {
        let stored = sparse.values.elements();
        let mut dims = sparse.dims.iter();
        let whole = dims.try_fold(1i64, |all, &dim| all.checked_mul(dim));
        match (stored, whole) {
            (Some(0), _) => Known::constant(0.0, sparse.values.data_type),
            (Some(stored), Some(whole)) if i64::try_from(stored) == Ok(whole) => {
                self.tensor(value, &sparse.values)
            }
            _ => Known::Constant,
        }
    }

    /// The number that every element of a tensor is. External data of more than one stays unread.
    fn tensor(&mut self, value: ValueRef<'m>, tensor: &Tensor) -> Known {
        match self.facts.view.model.uniform(tensor) {
            Ok(Uniform::Number(number)) => return Known::constant(number, tensor.data_type),
            Ok(Uniform::Various) => {}
            Ok(Uniform::Unread) => {
                self.facts.memo.unread.borrow_mut().insert(value.id);
            }
            Err(error) => {
                self.facts.memo.failed.borrow_mut().get_or_insert(error);
            }
        }
        Known::Constant
    }
}

/// What a number is cast to.
fn cast(known: Known, to: Option<DataType>) -> Known {
    match (known, to) {
        (Known::Number(number), Some(to)) => Known::Number(Number {
            value: scalar::cast(number.value, to),
            element: to,
            ..number
        }),
        (Known::Absent, _) => Known::Computed,
        (Known::Number(_), None) | (Known::Input, _) => Known::Computed,
        (other, _) => other,
    }
}

/// What a node makes of a default is computed.
fn computed(known: Known) -> Known {
    match known {
        Known::Number(number) if number.origin == Origin::Default => Known::Number(Number {
            origin: Origin::Computed,
            ..number
        }),
        Known::Input | Known::Absent => Known::Computed,
        other => other,
    }
}

/// One of two things, if it does not matter which.
fn either(one: Known, two: Known) -> Known {
    match (one, two) {
        (one, two) if one == two => one,
        (Known::Constant | Known::Number(_), Known::Constant | Known::Number(_)) => Known::Computed,
        _ => Known::Computed,
    }
}

/// What one input decides alone: false in an And, true in an Or.
fn decided(op: &str, inputs: &[Known]) -> Option<Known> {
    let deciding = match op {
        "And" => false,
        "Or" => true,
        _ => return None,
    };
    let decides = |known: &&Known| known.is_true() == Some(deciding);
    inputs.iter().find(decides).copied()
}
