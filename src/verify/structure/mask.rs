//! Dropout that is written as a mask: at inference it is the data it meets, without the factor that
//! makes up for what is dropped, or times the scale that nothing makes up for.

use crate::dropout::Exit;
use crate::error::Result;
use crate::onnx::{DataType, NodeId, ValueId};

use super::Shared;
use super::expression::{Expression, Tag};
use super::numbering::{Numbering, push_long};

impl<'m> Numbering<'m> {
    /// Numbers the outputs of a node that are dropout of data.
    pub(super) fn exits(&mut self, id: NodeId, shared: &mut Shared<'m>) -> Result<()> {
        for output in 0..self.model.node(id).outputs.len() {
            let value = self.values.output(self.model, id, output);
            let exit = value.and_then(|value| self.live.exits.get(&value).cloned());
            if let Some(exit) = exit {
                let number = self.inference(&exit, shared)?;
                self.set_output(id, output, number);
            }
        }
        Ok(())
    }

    fn inference(&mut self, exit: &Exit, shared: &mut Shared<'m>) -> Result<Expression> {
        let start = exit.prescale.map_or(exit.data, |prescale| prescale.from);
        let mut number = self.value(start);
        let mut moves = exit.chain(self.model, self.values);
        moves.extend(&exit.path);
        for id in moves {
            number = self.moved(id, number, shared)?;
        }
        if exit.needs_scale()
            && let Some((element, bytes)) = exit.factor(self.model, self.values)
        {
            let factor = scalar(element, bytes, shared);
            number = self.product(exit.output, number, factor, shared);
        }
        Ok(number)
    }

    /// What a node makes of another first input.
    fn moved(
        &mut self,
        id: NodeId,
        data: Expression,
        shared: &mut Shared<'m>,
    ) -> Result<Expression> {
        let inputs = 0..self.model.node(id).inputs.len();
        let mut inputs: Vec<Expression> = inputs.map(|input| self.input(id, input)).collect();
        if let Some(first) = inputs.first_mut() {
            *first = data;
        }
        let (number, _) = self.application(id, inputs, &[0], shared)?;
        Ok(shared.expressions.number(Tag::Output, &[number.0, 0]))
    }

    /// As if there were a Mul.
    pub(super) fn product(
        &self,
        at: ValueId,
        data: Expression,
        factor: Expression,
        shared: &mut Shared<'m>,
    ) -> Expression {
        let expressions = &mut shared.expressions;
        let none = expressions.string(b"");
        let mut words = vec![expressions.string(b"Mul"), none, none, 1, 0];
        let version = self.model.opset(self.values[at].graph, "").unwrap_or(0);
        push_long(&mut words, version as u64);
        words.extend([2, data.0, factor.0, 0]);
        let number = expressions.number(Tag::Apply, &words);
        let number = expressions.number(Tag::Output, &[number.0, 0]);
        shared.scaled(number, data);
        number
    }
}

pub(super) fn scalar(element: DataType, bytes: Vec<u8>, shared: &mut Shared<'_>) -> Expression {
    let contents = shared.contents.of_bytes(bytes);
    let words = [element.0 as u32, 0, contents];
    let scalar = shared.expressions.number(Tag::Constant, &words);
    shared.scalars.insert(scalar);
    scalar
}
