//! The inference meaning of operators: which ones compute something simpler than an application.
//! It is stated here, and shares nothing with the rewrites. The gradient of a `Dropout`'s data is that of
//! its result.

use crate::error::Result;
use crate::onnx::{AttributeValue, DataType};
use crate::semantics::view::NodeRef;

use super::expression::{Expression, Tag};
use super::numbering::Builder;

impl<'m> Builder<'_, 'm> {
    /// Numbers the outputs of a node that computes something simpler. False of other nodes.
    pub(super) fn simplified(&mut self, node: NodeRef<'m>) -> Result<bool> {
        let data = self.input(node, 0);
        let number = match node.op() {
            _ if self.passes_gradient(node) => Some(data),
            "Identity" if node.inputs.len() == 1 => Some(data),
            "Dropout" if data != Expression::ABSENT => return Ok(self.dropout(node, data)),
            "Constant" => self.constant(node)?,
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

    /// True of the gradient of a `Dropout` that is the identity: it reads the mask of that one.
    fn passes_gradient(&self, node: NodeRef<'m>) -> bool {
        let gradient = node.op_type == "DropoutGrad" || node.op_type == "BitmaskDropoutGrad";
        let mask = || node.input(1).and_then(|mask| mask.producer());
        gradient
            && node.domain == "com.microsoft"
            && node.outputs.len() == 1
            && mask().is_some_and(|(dropout, output)| {
                output == 1 && dropout.is("Dropout") && !self.classic.contains_key(&dropout.id)
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
            _ => Ok(None),
        }
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
