//! The inference meaning of operators: which ones compute something simpler than an application.
//! It is stated here, and shares nothing with the rewrites. The gradient of a `Dropout`'s data is that of
//! its result.

use crate::error::Result;
use crate::onnx::{AttributeValue, DataType, encode_number};
use crate::semantics::foreign::{ForeignDropout, Inference, has_mask, is_gradient, softmax_axis};
use crate::semantics::view::NodeRef;

use super::contents::SMALL;
use super::expression::{Expression, Tag, Words, push_long};
use super::numbering::Builder;
use super::step;

/// The types in which a factor of one is known.
const ONES: [DataType; 5] = [
    DataType::FLOAT,
    DataType::FLOAT16,
    DataType::DOUBLE,
    DataType::INT32,
    DataType::INT64,
];

impl<'m> Builder<'_, 'm> {
    /// Numbers the outputs of a node that computes something simpler. False of other nodes.
    pub(super) fn simplified(&mut self, node: NodeRef<'m>) -> Result<bool> {
        if let Some(foreign) = ForeignDropout::of(node) {
            return Ok(self.foreign_dropout(node, foreign));
        }
        let data = self.input(node, 0);
        let number = match node.op() {
            _ if self.passes_gradient(node) => Some(data),
            "Identity" if node.inputs.len() == 1 => Some(data),
            "Dropout" if data != Expression::ABSENT => return Ok(self.dropout(node, data)),
            "Constant" => self.constant(node)?,
            "Mul" | "Div" => self.times_one(node, data),
            "Transpose" | "Reshape" => self.rearranged(node, data),
            "ConstantOfShape" => self.filled_with_ones(node)?,
            "Cast" => self.compared_to_ones(node),
            _ => None,
        };
        if let Some(number) = number {
            self.set_output(node, 0, number);
        }
        Ok(number.is_some())
    }

    /// A `Dropout` is its data, times 1-p if it is classic, and its mask is ones. False if the factor
    /// of a classic one is unknown.
    fn dropout(&mut self, node: NodeRef<'m>, data: Expression) -> bool {
        let output = node.output(0);
        let number = match (self.classic.get(&node.id).cloned(), output) {
            (Some(Some((element, bytes))), Some(_)) => {
                let factor = self.scalar(element, bytes);
                self.product(node.graph(), data, factor)
            }
            (Some(None), Some(_)) => return false,
            _ => data,
        };
        // the type of an unused mask does not matter, and looking for it takes time
        let mask = node.output(1).filter(|mask| mask.is_used());
        let element = match self.view.model.opset(node.graph(), "") {
            Some(..=9) if mask.is_some() => {
                let mut ends = [mask, output, node.input(0)].into_iter().flatten();
                ends.find_map(|value| value.element_type())
            }
            _ => Some(DataType::BOOL),
        };
        let ones = self.ones(data, element.unwrap_or(DataType(0)));
        self.set_output(node, 0, number);
        self.set_output(node, 1, ones);
        true
    }

    /// A dropout operator of another domain is the sum or the Softmax that it computes at inference. False
    /// if more than that is used, or it is classic.
    fn foreign_dropout(&mut self, node: NodeRef<'m>, foreign: &ForeignDropout) -> bool {
        let classic = self.classic.contains_key(&node.id);
        if classic || ForeignDropout::has_other_results(node) || node.input(0).is_none() {
            return false;
        }
        let terms: Vec<_> = foreign
            .terms(node)
            .map(|term| self.numbering.value(term.id))
            .collect();
        let graph = node.graph();
        let sum = terms
            .into_iter()
            .reduce(|sum, term| self.apply(graph, "Add", &[sum, term], None));
        let Some(sum) = sum else { return false };
        let result = match foreign.inference {
            Inference::Softmax => {
                let axis = ("axis", softmax_axis(node));
                self.apply(graph, "Softmax", &[sum], Some(axis))
            }
            Inference::Identity | Inference::Sum => sum,
        };
        self.set_output(node, 0, result);
        true
    }

    /// True of the gradient of a `Dropout` that is the identity: it reads the mask of that one.
    fn passes_gradient(&self, node: NodeRef<'m>) -> bool {
        let mask = || node.input(1).and_then(|mask| mask.producer());
        is_gradient(node)
            && node.outputs.len() == 1
            && mask().is_some_and(|(dropout, output)| {
                output == 1 && has_mask(dropout) && !self.classic.contains_key(&dropout.id)
            })
    }

    fn constant(&mut self, node: NodeRef<'m>) -> Result<Option<Expression>> {
        let [attribute] = &node.get().attributes[..] else {
            return Ok(None);
        };
        match &attribute.value {
            AttributeValue::Tensor(tensor) if attribute.name == "value" => {
                self.tensor(tensor).map(Some)
            }
            AttributeValue::Sparse(sparse) if attribute.name == "sparse_value" => {
                self.sparse(sparse).map(Some)
            }
            AttributeValue::Float(f) if attribute.name == "value_float" => {
                Ok(Some(self.scalar(DataType::FLOAT, f.to_le_bytes().to_vec())))
            }
            AttributeValue::Int(i) if attribute.name == "value_int" => {
                Ok(Some(self.scalar(DataType::INT64, i.to_le_bytes().to_vec())))
            }
            AttributeValue::Floats(floats) if attribute.name == "value_floats" => {
                let bytes = floats.iter().flat_map(|f| f.to_le_bytes());
                Ok(self.row(DataType::FLOAT, floats.len(), bytes.collect()))
            }
            AttributeValue::Ints(ints) if attribute.name == "value_ints" => {
                let bytes = ints.iter().flat_map(|i| i.to_le_bytes());
                Ok(self.row(DataType::INT64, ints.len(), bytes.collect()))
            }
            _ => Ok(None),
        }
    }

    /// A tensor of one axis, if it is small enough to be known by its bytes.
    pub(super) fn row(
        &mut self,
        element: DataType,
        size: usize,
        bytes: Vec<u8>,
    ) -> Option<Expression> {
        if bytes.len() as u64 > SMALL {
            return None;
        }
        let mut words = Words::from_slice(&[element.0 as u32, 1]);
        push_long(&mut words, size as u64);
        words.push(self.shared.contents.of_bytes(bytes));
        Some(self.shared.expressions.number(Tag::Constant, &words))
    }

    /// A product or quotient by a one without axes, which changes neither shape nor type: its data.
    fn times_one(&mut self, node: NodeRef<'m>, data: Expression) -> Option<Expression> {
        // a one that a fold may scale is no one after it
        let mut scaled = (0..2).filter_map(|input| self.exceptions.weights(node.id, input));
        if node.inputs.len() != 2 || !node.attributes.is_empty() || scaled.next().is_some() {
            return None;
        }
        let other = self.input(node, 1);
        let ones = ONES.map(|element| {
            let bytes = encode_number(element, 1.0).unwrap_or_default();
            self.scalar(element, bytes)
        });
        match (ones.contains(&data), ones.contains(&other)) {
            (_, true) => Some(data),
            (true, false) if node.is("Mul") => Some(other),
            _ => None,
        }
    }

    /// What a node makes of data if that is something simpler: a `Transpose` that undoes another, or
    /// `Reshape(x, Shape(x))`.
    pub(super) fn rearranged(&self, node: NodeRef<'m>, data: Expression) -> Option<Expression> {
        match node.op() {
            "Transpose" => self.transposed_back(node, data),
            "Reshape" => {
                let shape = node.input(1)?.node().filter(|node| node.is("Shape"))?;
                let of = self.shared.shape_of(self.input(shape, 0));
                let own = shape.attributes.is_empty() && of == self.shared.shape_of(data);
                own.then_some(data)
            }
            _ => None,
        }
    }

    fn transposed_back(&self, node: NodeRef<'m>, data: Expression) -> Option<Expression> {
        let expressions = &self.shared.expressions;
        let of = step::parts(expressions, data)?.inputs.first().copied()?;
        let first = self.view.node(self.numbering.node(data)?);
        let undoes = first.is("Transpose")
            && match (first.ints("perm"), node.ints("perm")) {
                (None, None) => true, // both reverse all axes
                (Some(first), Some(second)) => {
                    let axis = |of: &i64| first.get(usize::try_from(*of).ok()?).copied();
                    let moved = second.iter().map(axis);
                    first.len() == second.len() && moved.eq((0..).map(Some).take(first.len()))
                }
                _ => false,
            };
        undoes.then_some(Expression(of))
    }

    /// `ConstantOfShape(Shape(x))` of one: ones in the shape of x.
    fn filled_with_ones(&mut self, node: NodeRef<'m>) -> Result<Option<Expression>> {
        let value = node.get().attribute("value").map(|a| &a.value);
        let (Some(AttributeValue::Tensor(value)), Some(shape)) = (value, producer(node, "Shape"))
        else {
            return Ok(None);
        };
        if value.elements() != Some(1) || !shape.attributes.is_empty() {
            return Ok(None);
        }
        let one: &[u8] = match value.data_type {
            DataType::BOOL => &[1],
            DataType::FLOAT16 => &[0, 0x3c],
            DataType::FLOAT => &[0, 0, 0x80, 0x3f],
            DataType::DOUBLE => &[0, 0, 0, 0, 0, 0, 0xf0, 0x3f],
            _ => return Ok(None),
        };
        let bytes = self.view.model.small_elements(value, 16)?;
        let data = self.input(shape, 0);
        Ok((bytes.as_deref() == Some(one)).then(|| self.ones(data, value.data_type)))
    }

    /// `Cast(Not(Greater(x, x)))`: ones in the shape of x.
    fn compared_to_ones(&mut self, node: NodeRef<'m>) -> Option<Expression> {
        let greater = producer(producer(node, "Not")?, "Greater")?;
        let data = self.input(greater, 0);
        if data != self.input(greater, 1) {
            return None;
        }
        let to = match &node.get().attribute("to")?.value {
            AttributeValue::Int(to) => DataType(*to as i32),
            AttributeValue::String(name) => DataType::from_name(std::str::from_utf8(name).ok()?)?,
            _ => return None,
        };
        Some(self.ones(data, to))
    }

    /// Ones in the shape of data.
    fn ones(&mut self, data: Expression, element: DataType) -> Expression {
        let shape = self.shared.shape_of(data);
        let words = [shape.0, element.0 as u32];
        self.shared.expressions.number(Tag::Ones, &words)
    }
}

/// The node that produces the first input, if it applies this operator.
fn producer<'m>(node: NodeRef<'m>, op_type: &str) -> Option<NodeRef<'m>> {
    node.input(0)?.node().filter(|node| node.is(op_type))
}
