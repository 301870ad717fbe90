//! Operators that are known to compute something simpler than an application: what dropout means at
//! inference, said here and nowhere else in this room.

use crate::error::Result;
use crate::onnx::{Attribute, AttributeValue, DataType, Node, NodeId, Producer};

use super::Shared;
use super::expression::{Expression, Tag};
use super::mask::scalar;
use super::numbering::Numbering;

impl<'m> Numbering<'m> {
    /// Operators that are known to compute something simpler. False if this is none of them.
    pub(super) fn known(
        &mut self,
        id: NodeId,
        node: &'m Node,
        shared: &mut Shared<'m>,
    ) -> Result<bool> {
        let data = self.input(id, 0);
        if node.op_type == "Identity" && node.inputs.len() == 1 {
            self.set_output(id, 0, data);
            return Ok(true);
        }
        if node.op_type == "Dropout" && data != Expression::ABSENT {
            // looking for the type takes a while, and nobody asks for that of an idle mask
            let mask = self.values.output(self.model, id, 1);
            let mask = mask.filter(|&mask| self.values.is_used(mask));
            let element = match self.model.opset(id.graph, "") {
                Some(..=9) if mask.is_some() => {
                    let output = self.values.output(self.model, id, 0);
                    let ends = [mask, output, self.values.input(id, 0)];
                    let mut ends = ends.into_iter().flatten();
                    ends.find_map(|value| self.model.element_type(self.values, value))
                }
                _ => Some(DataType::BOOL),
            };
            let element = element.map_or(0, |element| element.0 as u32);
            let ones = {
                let shape = shared.shape_of(data);
                shared.expressions.number(Tag::Ones, &[shape.0, element])
            };
            let output = self.values.output(self.model, id, 0);
            let number = match (self.classic.get(&id).cloned(), output) {
                (Some(Some((element, bytes))), Some(output)) => {
                    let factor = scalar(element, bytes, shared);
                    self.product(output, data, factor, shared)
                }
                // what it scales by is not known, and nothing else is that
                (Some(None), Some(_)) => return Ok(false),
                _ => data,
            };
            self.set_output(id, 0, number);
            self.set_output(id, 1, ones);
            return Ok(true);
        }
        if node.op_type == "Constant"
            && let [attribute] = &node.attributes[..]
            && let Some(number) = self.constant(attribute, shared)?
        {
            self.set_output(id, 0, number);
            return Ok(true);
        }
        if let Some(ones) = self.ones(id, node, data, shared)? {
            self.set_output(id, 0, ones);
            return Ok(true);
        }
        Ok(false)
    }

    fn constant(
        &mut self,
        attribute: &'m Attribute,
        shared: &mut Shared<'m>,
    ) -> Result<Option<Expression>> {
        match &attribute.value {
            AttributeValue::Tensor(tensor) if attribute.name == "value" => {
                self.tensor(tensor, shared).map(Some)
            }
            AttributeValue::Sparse(sparse) if attribute.name == "sparse_value" => {
                self.sparse(sparse, shared).map(Some)
            }
            _ => Ok(None),
        }
    }

    /// `ConstantOfShape(Shape(x))` of one, and `Cast(Not(Greater(x, x)))`: ones in the shape of x.
    fn ones(
        &mut self,
        id: NodeId,
        node: &Node,
        data: Expression,
        shared: &mut Shared<'m>,
    ) -> Result<Option<Expression>> {
        let model = self.model;
        let producer = |id: NodeId, op_type: &str| -> Option<NodeId> {
            match self.values[self.values.input(id, 0)?].producer {
                Producer::Node { node, .. } if model.node(node).is(op_type) => Some(node),
                _ => None,
            }
        };
        let of = if node.op_type == "ConstantOfShape"
            && let Some(AttributeValue::Tensor(value)) = node.attribute("value").map(|a| &a.value)
            && value.elements() == Some(1)
            && let Some(shape) = producer(id, "Shape")
            && model.node(shape).attributes.is_empty()
        {
            let bytes = model.small_elements(value, 16)?;
            let one: &[u8] = match value.data_type {
                DataType::BOOL => &[1],
                DataType::FLOAT16 => &[0, 0x3c],
                DataType::FLOAT => &[0, 0, 0x80, 0x3f],
                DataType::DOUBLE => &[0, 0, 0, 0, 0, 0, 0xf0, 0x3f],
                _ => return Ok(None),
            };
            (bytes.as_deref() == Some(one)).then_some((shape, value.data_type))
        } else if node.op_type == "Cast"
            && data != Expression::ABSENT
            && let Some(not) = producer(id, "Not")
            && let Some(greater) = producer(not, "Greater")
            && self.input(greater, 0) == self.input(greater, 1)
        {
            let to = match node.attribute("to").map(|a| &a.value) {
                Some(AttributeValue::Int(to)) => Some(DataType(*to as i32)),
                Some(AttributeValue::String(name)) => {
                    std::str::from_utf8(name).ok().and_then(DataType::from_name)
                }
                _ => None,
            };
            to.map(|to| (greater, to))
        } else {
            None
        };
        Ok(of.map(|(of, element)| {
            let shape = shared.shape_of(self.input(of, 0));
            let words = [shape.0, element.0 as u32];
            shared.expressions.number(Tag::Ones, &words)
        }))
    }
}
