//! Constants that are one number, whatever shape it was spread into.

use crate::dropout::constant::Scalar;
use crate::error::Result;
use crate::onnx::{
    AttributeValue, DataType, GraphKind, NodeId, Producer, Tensor, Use, ValueId, numbers,
};

use super::Finder;
use super::apply::{Applied, apply, is_applied, is_cast, is_layout};
use super::form::{Element, Form};

/// Constants of more bytes are not read.
const LARGEST: u64 = 1 << 26;

/// Bytes that are looked at first: whole elements of every type.
const FIRST: u64 = 4 << 10;

/// The one number that every element of a constant is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Uniform {
    pub number: f64,
    /// Its type, if it is known.
    pub element: Option<Element>,
    /// It is (made of) the default of a graph input.
    pub default: bool,
}

/// The known facts about a value.
enum Step {
    /// It is this number everywhere, or no constant of one number.
    Is(Option<Uniform>),
    /// First another has to be known.
    Needs(ValueId),
}

impl Finder<'_> {
    /// The one number that every element of a constant is.
    pub(super) fn number(&self, value: ValueId) -> Result<Option<f64>> {
        let known = self.constant(value)?;
        if known.is_some_and(|known| known.default) {
            self.default_used.set(true);
        }
        Ok(known.map(|known| known.number))
    }

    /// As [`Finder::number`], with where it comes from.
    pub(super) fn constant(&self, value: ValueId) -> Result<Option<Uniform>> {
        self.uniform(value)
    }

    /// Works constants out from the last operand to the first, without recursion: the memo is
    /// complete, so that no answer depends on earlier questions.
    fn uniform(&self, value: ValueId) -> Result<Option<Uniform>> {
        let mut open = vec![value];
        while let Some(&next) = open.last() {
            if self.known.borrow().contains_key(&next) {
                open.pop();
                continue;
            }
            match self.compute(next)? {
                Step::Is(number) => {
                    self.known.borrow_mut().insert(next, number);
                    open.pop();
                }
                Step::Needs(operand) => open.push(operand),
            }
        }
        Ok(self.known.borrow().get(&value).copied().flatten())
    }

    fn compute(&self, value: ValueId) -> Result<Step> {
        let known = &self.values[value];
        let graph = self.model.graph(known.graph);
        let id = match known.producer {
            Producer::Node { node, .. } => node,
            Producer::Initializer(index) => {
                let tensor = graph.initializer(index);
                let element = Element::of(tensor.data_type);
                return Ok(fixed(self.tensor(value, tensor)?, Some(element)));
            }
            Producer::Input(_) => {
                if let Some(&number) = self.assumed.borrow().get(&value) {
                    let element = self.model.element_type(self.values, value);
                    return Ok(fixed(Some(number), element.map(Element::of)));
                }
                let finding = self.resolver.of_value(value)?;
                return Ok(Step::Is(match finding.scalars[..] {
                    [Scalar::Number(number, data_type)] => Some(Uniform {
                        number,
                        element: Some(Element::of(data_type)),
                        default: finding.runtime,
                    }),
                    _ => None,
                }));
            }
            Producer::SparseInitializer(_) | Producer::Gone => return Ok(Step::Is(None)),
        };
        let node = self.model.node(id);
        if !node.in_default_domain() {
            return Ok(Step::Is(None));
        }
        let op_type = node.op_type.as_str().unwrap_or_default();
        if let ("Constant" | "ConstantOfShape", [attribute]) = (op_type, &node.attributes[..])
            && let AttributeValue::Tensor(tensor) = &attribute.value
        {
            let element = Element::of(tensor.data_type);
            return Ok(fixed(self.tensor(value, tensor)?, Some(element)));
        }
        match op_type {
            "ConstantOfShape" => return Ok(fixed(Some(0.0), Some(Element::Float))),
            "Constant" => {
                let finding = self.resolver.of_value(value)?;
                return Ok(match finding.scalars[..] {
                    [Scalar::Number(number, data_type)] if !finding.runtime => {
                        fixed(Some(number), Some(Element::of(data_type)))
                    }
                    _ => Step::Is(None),
                });
            }
            _ => {}
        }
        if !is_applied(op_type, node.inputs.len()) {
            return Ok(Step::Is(None));
        }
        let wanted = if is_layout(op_type) {
            1
        } else {
            node.inputs.len()
        };
        let mut inputs = Vec::new();
        let mut default = false;
        for input in 0..wanted {
            let Some(value) = self.values.input(id, input) else {
                return Ok(Step::Is(None));
            };
            let known = match self.known.borrow().get(&value) {
                Some(Some(known)) => *known,
                Some(None) => return Ok(Step::Is(None)),
                None => return Ok(Step::Needs(value)),
            };
            default |= known.default;
            inputs.push(Some(Form::constant(known.number, known.element, 1)));
        }
        let to = is_cast(op_type).then(|| self.cast_to(id)).flatten();
        Ok(Step::Is(match apply(op_type, to, &inputs) {
            Applied::Form(form) => Some(Uniform {
                number: form.samples[0].1,
                element: form.element,
                default,
            }),
            _ => None,
        }))
    }

    /// What a cast makes elements, if that is known.
    pub(super) fn cast_to(&self, id: NodeId) -> Option<Element> {
        let node = self.model.node(id);
        let to = match node.attribute("to").map(|a| &a.value) {
            Some(AttributeValue::Int(to)) => Some(DataType(*to as i32)),
            Some(AttributeValue::String(name)) => {
                // before opset 6
                let name = String::from_utf8_lossy(name).to_lowercase();
                return Some(match &*name {
                    "bool" => Element::Bool,
                    "float" | "double" | "float16" => Element::Float,
                    _ => Element::Integer,
                });
            }
            _ => None,
        };
        match to {
            Some(to) => Some(Element::of(to)),
            None => self.element_of(self.values.input(id, 1)?),
        }
    }

    /// What the elements of a value are, as far as the file or its operators tell.
    fn element_of(&self, mut value: ValueId) -> Option<Element> {
        loop {
            if let Some(element) = self.model.element_type(self.values, value) {
                return Some(Element::of(element));
            }
            let known = &self.values[value];
            let id = match (known.producer, &self.model.graph(known.graph).kind) {
                (Producer::Node { node, .. }, _) => node,
                (Producer::Input(index), GraphKind::Function(function)) => {
                    let call = *self.resolver.calls(*function).first()?;
                    value = self.values.input(call, index as usize)?;
                    continue;
                }
                _ => return None,
            };
            let node = self.model.node(id);
            let op_type = node.op_type.as_str().filter(|_| node.in_default_domain())?;
            let input = match op_type {
                "Cast" => return self.cast_to(id),
                "Less" | "LessOrEqual" | "Greater" | "GreaterOrEqual" | "Equal" | "And" | "Or"
                | "Xor" | "Not" => return Some(Element::Bool),
                "Bernoulli" if node.attribute("dtype").is_some() => return None,
                op if node.draws() && op != "Bernoulli" => return Some(Element::Float),
                "CastLike" | "Where" => 1,
                _ => 0,
            };
            if input == 0 && op_type != "Bernoulli" && !is_applied(op_type, 1) {
                return None;
            }
            value = self.values.input(id, input)?;
        }
    }

    /// The number that every element of a tensor is. External data stays unread.
    fn tensor(&self, value: ValueId, tensor: &Tensor) -> Result<Option<f64>> {
        if tensor.external.is_some() {
            return Ok(None);
        }
        let first = self.model.first_elements(tensor, FIRST)?;
        let first = first.and_then(|bytes| numbers(tensor.data_type, &bytes));
        if first.is_some_and(|first| first.iter().any(|&n| n != first[0])) {
            return Ok(None); // weights: the rest need not be read
        }
        let Some(bytes) = self.model.small_elements(tensor, LARGEST)? else {
            if let Some(Use::Input { node, .. }) = self.values.uses(value).next() {
                let what = "a constant of one number may have at most 64 MiB";
                self.limits.reached(node, what);
            }
            return Ok(None);
        };
        Ok(numbers(tensor.data_type, &bytes).and_then(|numbers| {
            let (&first, rest) = numbers.split_first()?;
            rest.iter().all(|&n| n == first).then_some(first)
        }))
    }
}

fn fixed(number: Option<f64>, element: Option<Element>) -> Step {
    Step::Is(number.map(|number| Uniform {
        number,
        element,
        default: false,
    }))
}
