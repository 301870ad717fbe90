//! Dropout that is written as a mask: at inference it is the data that the mask is applied to,
//! without the factor that compensates for dropped elements, or times the scale that no factor
//! compensates for.

use crate::dropout::Junction;
use crate::error::Result;
use crate::onnx::{DataType, GraphId};
use crate::semantics::operator::{Operator, schema};
use crate::semantics::view::NodeRef;

use super::expression::{Expression, Tag, Words, push_long};
use super::numbering::Builder;

impl<'m> Builder<'_, 'm> {
    /// Numbers the outputs of a node that are dropout of data.
    pub(super) fn junctions(&mut self, node: NodeRef<'m>) -> Result<()> {
        for output in node.outputs().flatten() {
            if let Some(&junction) = self.reachable.junctions.get(&output.id) {
                let number = self.inference(junction)?;
                self.set(output.id, number);
            }
        }
        Ok(())
    }

    fn inference(&mut self, junction: &Junction) -> Result<Expression> {
        let start = junction
            .prescale
            .map_or(junction.data, |prescale| prescale.from);
        let mut number = self.numbering.value(start);
        let mut moves = junction.chain(self.view);
        moves.extend(&junction.path);
        for id in moves {
            number = self.moved(self.view.node(id), number)?;
        }
        if junction.needs_scale()
            && let Some((element, bytes)) = junction.factor(self.view)
        {
            let factor = self.scalar(element, bytes);
            let graph = self.view.value(junction.output).graph;
            number = self.product(graph, number, factor);
        }
        Ok(number)
    }

    /// What a node makes of a different first input.
    fn moved(&mut self, node: NodeRef<'m>, data: Expression) -> Result<Expression> {
        if let Some(number) = self.rearranged(node, data) {
            return Ok(number);
        }
        let inputs = 0..node.inputs.len();
        let mut inputs: Vec<Expression> = inputs.map(|input| self.input(node, input)).collect();
        if let Some(first) = inputs.first_mut() {
            *first = data;
        }
        let (number, _) = self.application(node, inputs, &[0])?;
        Ok(number)
    }

    /// As if there were a Mul in this graph.
    pub(super) fn product(
        &mut self,
        graph: GraphId,
        data: Expression,
        factor: Expression,
    ) -> Expression {
        let number = self.apply(graph, "Mul", &[data, factor], None);
        self.shared.set_scaled(number, data);
        number
    }

    /// As if there were this operator in this graph, perhaps with an attribute.
    pub(super) fn apply(
        &mut self,
        graph: GraphId,
        operator: &str,
        inputs: &[Expression],
        attribute: Option<(&str, i64)>,
    ) -> Expression {
        let expressions = &mut self.shared.expressions;
        let none = expressions.string(b"");
        let name = expressions.string(operator.as_bytes());
        let mut words = Words::from_slice(&[name, none, none, 1, 0]);
        let opset = self.view.model.opset(graph, "").unwrap_or(0);
        let version = schema::same_since(operator, opset).unwrap_or(opset);
        push_long(&mut words, version as u64);
        let mut inputs = inputs.to_vec();
        // as an application by a node: of an unknown operator the order counts
        let known = Operator::named(operator, opset);
        if known.is_some_and(|operator| operator.is_commutative(inputs.len())) {
            inputs.sort_unstable();
        }
        words.push(u32::from(attribute.is_some()));
        if let Some((name, number)) = attribute {
            words.extend([expressions.string(name.as_bytes()), 2]);
            push_long(&mut words, number as u64);
        }
        expressions.apply(&words, &inputs)
    }

    pub(super) fn scalar(&mut self, element: DataType, bytes: Vec<u8>) -> Expression {
        let contents = self.shared.contents.of_bytes(bytes);
        let words = [element.0 as u32, 0, contents];
        let scalar = self.shared.expressions.number(Tag::Constant, &words);
        self.shared.scalars.insert(scalar);
        scalar
    }
}
