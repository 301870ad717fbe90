//! Constants that are one number, whatever shape it was spread into.

use crate::dropout::constant::Scalar;
use crate::error::Result;
use crate::onnx::{AttributeValue, Producer, Tensor, ValueId, numbers};

use super::Finder;
use super::form::{Applied, Form, apply, is_layout};

/// How deep a constant is followed.
const DEPTH: usize = 24;

/// Constants of more bytes are taken for weights.
const LARGEST: u64 = 1 << 16;

/// The one number that every element of a constant is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Uniform {
    pub number: f64,
    /// It is (made of) the default of a graph input.
    pub default: bool,
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
        self.uniform(value, DEPTH)
    }

    fn uniform(&self, value: ValueId, depth: usize) -> Result<Option<Uniform>> {
        if let Some(&known) = self.known.borrow().get(&value) {
            return Ok(known);
        }
        let number = match depth {
            0 => None,
            _ => self.compute(value, depth - 1)?,
        };
        self.known.borrow_mut().insert(value, number);
        Ok(number)
    }

    fn compute(&self, value: ValueId, depth: usize) -> Result<Option<Uniform>> {
        let known = &self.values[value];
        let graph = self.model.graph(known.graph);
        let id = match known.producer {
            Producer::Node { node, .. } => node,
            Producer::Initializer(index) => return fixed(self.tensor(graph.initializer(index))?),
            Producer::Input(_) => {
                if let Some(&number) = self.assumed.borrow().get(&value) {
                    return fixed(Some(number));
                }
                let finding = self.resolver.of_value(value)?;
                return Ok(match finding.scalars[..] {
                    [Scalar::Number(number, _)] => {
                        let default = finding.runtime;
                        Some(Uniform { number, default })
                    }
                    _ => None,
                });
            }
            Producer::SparseInitializer(_) | Producer::Gone => return Ok(None),
        };
        let node = self.model.node(id);
        if !node.in_default_domain() {
            return Ok(None);
        }
        let op_type = node.op_type.as_str().unwrap_or_default();
        if let ("Constant" | "ConstantOfShape", [attribute]) = (op_type, &node.attributes[..])
            && let AttributeValue::Tensor(tensor) = &attribute.value
        {
            return fixed(self.tensor(tensor)?);
        }
        match op_type {
            "ConstantOfShape" => return fixed(Some(0.0)),
            "Constant" => {
                let finding = self.resolver.of_value(value)?;
                return Ok(match finding.scalars[..] {
                    [Scalar::Number(number, _)] if !finding.runtime => Some(Uniform {
                        number,
                        default: false,
                    }),
                    _ => None,
                });
            }
            _ => {}
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
                return Ok(None);
            };
            let Some(known) = self.uniform(value, depth)? else {
                return Ok(None);
            };
            default |= known.default;
            inputs.push(Some(Form::constant(known.number, 1)));
        }
        Ok(match apply(op_type, false, &inputs) {
            Applied::Form(form) => Some(Uniform {
                number: form.samples[0].1,
                default,
            }),
            _ => None,
        })
    }

    fn tensor(&self, tensor: &Tensor) -> Result<Option<f64>> {
        if tensor.external.is_some() {
            return Ok(None);
        }
        let Some(bytes) = self.model.small_elements(tensor, LARGEST)? else {
            return Ok(None);
        };
        Ok(numbers(tensor.data_type, &bytes).and_then(|numbers| {
            let (&first, rest) = numbers.split_first()?;
            rest.iter().all(|&n| n == first).then_some(first)
        }))
    }
}

fn fixed(number: Option<f64>) -> Result<Option<Uniform>> {
    Ok(number.map(|number| Uniform {
        number,
        default: false,
    }))
}
