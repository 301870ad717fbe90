//! Constants that are one number, whatever shape it was spread into.

use crate::error::Result;
use crate::hash::HashSet;
use crate::onnx::{
    self, AttributeValue, DataType, GraphKind, Name, NodeId, Producer, Tensor, ValueId, same,
};
use crate::semantics::calls::ContextId;
use crate::semantics::facts::{Known, Origin};
use crate::semantics::operator::{Operator, Role};
use crate::semantics::view::NodeRef;

use super::Finder;
use super::conditions::{Conditions, Uniform};
use super::form::{Application, Form};
use super::law::Law;
use super::maps::Maps;
use super::walk::is_quantization;

/// The known facts about a value.
enum Step {
    /// It is this number everywhere, or no constant of one number.
    Is(Option<Uniform>),
    /// First another has to be known.
    Needs(ValueId),
}

impl Finder<'_> {
    /// The one number that every element of a constant is.
    pub(super) fn number(&self, value: ValueId, conditions: &Conditions) -> Result<Option<f64>> {
        let known = self.constant(value, conditions)?;
        if known.is_some_and(|known| known.default) {
            conditions.default_used.set(true);
        }
        Ok(known.map(|known| known.number))
    }

    /// As [`Finder::number`], with where it comes from. From the last operand to the first, without
    /// recursion.
    pub(super) fn constant(
        &self,
        value: ValueId,
        conditions: &Conditions,
    ) -> Result<Option<Uniform>> {
        let known = &conditions.known;
        let mut open = vec![value];
        let mut seen = HashSet::default();
        while let Some(&next) = open.last() {
            if known.borrow().contains_key(&next) {
                open.pop();
                continue;
            }
            match self.compute(next, conditions)? {
                Step::Needs(operand) if seen.insert(operand) => open.push(operand),
                // a value that depends on itself is none
                Step::Needs(operand) => {
                    known.borrow_mut().insert(operand, None);
                }
                Step::Is(number) => {
                    known.borrow_mut().insert(next, number);
                    open.pop();
                }
            }
        }
        Ok(known.borrow().get(&value).copied().flatten())
    }

    fn compute(&self, value: ValueId, conditions: &Conditions) -> Result<Step> {
        let element = || self.view.value(value).element_type();
        if let Some((_, number)) = conditions.given.filter(|(given, _)| *given == value) {
            return Ok(fixed(Some(number), element()));
        }
        let known = self.view.value(value).get();
        let graph = self.view.model.graph(known.graph);
        match known.producer {
            Producer::Initializer(index) => {
                let tensor = graph.initializer(index);
                let user = self.view.value(value).readers().next();
                let number = self.tensor(user.map(|(node, _)| node.id), tensor)?;
                Ok(fixed(number, Some(tensor.data_type)))
            }
            Producer::Input(index) => {
                if let GraphKind::Function(function) = graph.kind {
                    return Ok(self.argument(function, index as usize, conditions));
                }
                self.as_fact(value)
            }
            Producer::SparseInitializer(_) => self.as_fact(value),
            Producer::Node { node, output: 0 } => {
                match self.computed(self.view.node(node), conditions)? {
                    Step::Is(None) if graph.kind == GraphKind::Main => self.as_fact(value),
                    step => Ok(step),
                }
            }
            _ => Ok(Step::Is(None)),
        }
    }

    /// A number that is the same in all contexts.
    fn as_fact(&self, value: ValueId) -> Result<Step> {
        Ok(Step::Is(
            match self.facts.number_in(ContextId::OUTSIDE, value)? {
                Known::Number(number) => Some(Uniform {
                    number: number.value,
                    element: Some(number.element),
                    default: number.origin != Origin::Constant,
                }),
                _ => None,
            },
        ))
    }

    /// An input of a function: a number that all calls pass.
    fn argument(&self, function: usize, index: usize, conditions: &Conditions) -> Step {
        let mut number: Option<Uniform> = None;
        for call in self.calls(function, conditions) {
            let Some(passed) = self.view.node(call).input(index) else {
                return Step::Is(None);
            };
            let passed = match conditions.known.borrow().get(&passed.id) {
                Some(Some(passed)) => *passed,
                Some(None) => return Step::Is(None),
                None => return Step::Needs(passed.id),
            };
            match &mut number {
                None => number = Some(passed),
                Some(known) if known.number == passed.number => known.default |= passed.default,
                Some(_) => return Step::Is(None),
            }
        }
        Step::Is(number)
    }

    /// What a node makes of constants.
    fn computed(&self, node: NodeRef<'_>, conditions: &Conditions) -> Result<Step> {
        let Some(operator) = node.operator() else {
            return Ok(Step::Is(None));
        };
        if operator.role == Role::Constant {
            return self.written(node, conditions);
        }
        if let ("Sub", Some(one), Some(two)) = (operator.name, node.input(0), node.input(1))
            && one == two
        {
            return Ok(fixed(Some(0.0), one.element_type()));
        }
        let first_only = operator.copies() || operator.selects();
        let mut inputs = Vec::new();
        let (mut default, mut is_unknown) = (false, false);
        for input in node.inputs().take(if first_only { 1 } else { usize::MAX }) {
            let Some(value) = input else {
                return Ok(Step::Is(None));
            };
            let known = match conditions.known.borrow().get(&value.id) {
                Some(Some(known)) => *known,
                Some(None) if operator.name == "Mul" => {
                    is_unknown = true;
                    continue;
                }
                Some(None) => return Ok(Step::Is(None)),
                None => return Ok(Step::Needs(value.id)),
            };
            default |= known.default;
            inputs.push(Form::number(Law::constant(known.number), known.element));
        }
        if is_unknown {
            return self.zeros_like(node, conditions);
        }
        if is_quantization(node) {
            let Some(first) = inputs.first().and_then(|form| form.rest.as_constant()) else {
                return Ok(Step::Is(None));
            };
            let number = self.quantized_number(node, first, conditions)?;
            let element = node.output(0).and_then(|output| output.element_type());
            return Ok(Step::Is(number.map(|number| Uniform {
                number,
                element,
                default,
            })));
        }
        let made = self.number_of(node, operator, &inputs);
        Ok(Step::Is(made.map(|(number, element)| Uniform {
            number,
            element,
            default,
        })))
    }

    /// The number that an operator makes of numbers, and its type.
    fn number_of(
        &self,
        node: NodeRef<'_>,
        operator: &'static Operator,
        inputs: &[Form],
    ) -> Option<(f64, Option<DataType>)> {
        let maps = Maps::default();
        let application = Application {
            operator,
            node: node.id,
            inputs: inputs.iter().map(Some).collect(),
            element: self.element_of(node, inputs),
            maps: &maps,
        };
        let form = application.form().ok().flatten();
        let form = form.filter(Form::is_numeric)?;
        Some((form.rest.as_constant()?, form.element))
    }

    /// A product of data and zero: zeros, unless the zero was only assumed.
    fn zeros_like(&self, node: NodeRef<'_>, conditions: &Conditions) -> Result<Step> {
        let known = |value: ValueId| conditions.known.borrow().get(&value).copied().flatten();
        let mut inputs = node.inputs().flatten();
        let zero = inputs.find(|value| known(value.id).is_some_and(|known| known.number == 0.0));
        let Some(zero) = zero else {
            return Ok(Step::Is(None));
        };
        let is_zero =
            conditions.given.is_none() || self.number(zero.id, &self.conditions)? == Some(0.0);
        Ok(Step::Is(known(zero.id).filter(|_| is_zero)))
    }

    /// The number in the attribute of a Constant or a ConstantOfShape.
    fn written(&self, node: NodeRef<'_>, conditions: &Conditions) -> Result<Step> {
        let number = match node.get().attributes.first().map(|a| &a.value) {
            Some(AttributeValue::Reference(name, _)) => self.referenced(node, name, conditions)?,
            Some(value) => self.attribute(node.id, value)?,
            None => match node.op() {
                "ConstantOfShape" => plain(0.0, DataType::FLOAT),
                _ => None,
            },
        };
        Ok(Step::Is(number))
    }

    /// The one number in an attribute of a node.
    fn attribute(&self, node: NodeId, value: &AttributeValue) -> Result<Option<Uniform>> {
        Ok(match value {
            AttributeValue::Float(f) => plain(f64::from(*f), DataType::FLOAT),
            AttributeValue::Int(i) => plain(*i as f64, DataType::INT64),
            AttributeValue::Floats(all) => {
                same(all).and_then(|f| plain(f64::from(f), DataType::FLOAT))
            }
            AttributeValue::Ints(all) => same(all).and_then(|i| plain(i as f64, DataType::INT64)),
            AttributeValue::Tensor(tensor) => {
                let number = self.tensor(Some(node), tensor)?;
                number.and_then(|number| plain(number, tensor.data_type))
            }
            _ => None,
        })
    }

    /// The number that all calls of the function around a node give for an attribute.
    pub(super) fn referenced(
        &self,
        node: NodeRef<'_>,
        name: &Name,
        conditions: &Conditions,
    ) -> Result<Option<Uniform>> {
        let mut number = None;
        let mut open = vec![(node, name)];
        let mut seen = HashSet::default();
        while let Some((node, name)) = open.pop() {
            let Some(function) = self.view.function_of(node.graph()) else {
                return Ok(None);
            };
            if !seen.insert((function, name)) {
                continue;
            }
            let defaults = &self.view.model.functions()[function].defaults;
            for call in self.calls(function, conditions) {
                let call = self.view.node(call);
                let mut given = call.get().attributes.iter().chain(defaults);
                let given = match given.find(|attribute| attribute.name == *name) {
                    Some(given) => &given.value,
                    None => return Ok(None),
                };
                if let AttributeValue::Reference(name, _) = given {
                    open.push((call, name));
                    continue;
                }
                match self.attribute(call.id, given)? {
                    Some(given) if number.is_none_or(|known| known == given) => {
                        number = Some(given);
                    }
                    _ => return Ok(None),
                }
            }
        }
        Ok(number)
    }

    /// The element type of a node's output, if the file or its operator determines it.
    pub(super) fn element_of(&self, node: NodeRef<'_>, inputs: &[Form]) -> Option<DataType> {
        let told = || node.output(0).and_then(|output| output.element_type());
        if !node.operator().is_some_and(|operator| operator.casts()) {
            return told();
        }
        let to = match node.get().attribute("to").map(|a| &a.value) {
            Some(AttributeValue::Int(to)) => Some(DataType(*to as i32)),
            // before opset 6
            Some(AttributeValue::String(name)) => {
                DataType::from_name(&String::from_utf8_lossy(name))
            }
            _ => None,
        };
        let like = || inputs.get(1).and_then(|like| like.element);
        to.or_else(told).or_else(like)
    }

    /// The number that every element of a tensor is. External data stays unread.
    fn tensor(&self, user: Option<NodeId>, tensor: &Tensor) -> Result<Option<f64>> {
        Ok(match self.view.model.uniform(tensor)? {
            onnx::Uniform::Number(number) => Some(number),
            onnx::Uniform::Various => None,
            onnx::Uniform::Unread => {
                if let Some(node) = user {
                    let what = "a constant of one number may have at most 64 MiB";
                    self.limits.reached(node, what);
                }
                None
            }
        })
    }
}

fn plain(number: f64, element: DataType) -> Option<Uniform> {
    Some(Uniform {
        number,
        element: Some(element),
        default: false,
    })
}

fn fixed(number: Option<f64>, element: Option<DataType>) -> Step {
    Step::Is(number.map(|number| Uniform {
        number,
        element,
        default: false,
    }))
}
