//! Back: to what computes a value, until every way ends in weights that take the factor.

use crate::onnx::{NodeId, Producer, ValueId};
use crate::rewrite::fold::axes::Way;
use crate::rewrite::fold::carries::carry;
use crate::rewrite::fold::factor::Factor;
use crate::rewrite::fold::factors::is_unmoved;
use crate::rewrite::fold::targets::Refusal;
use crate::semantics::operator::Linear;

use super::{Route, Walk, joint};

impl Walk<'_, '_> {
    /// Lets what computes `value` take the factor.
    pub fn backward(
        &self,
        value: ValueId,
        factor: &Factor,
        route: &mut Route,
    ) -> Result<(), Refusal> {
        self.look(value)?;
        if self.view.values.uses(value).nth(1).is_some() {
            return Err(format!("{} has other readers", self.name(value)));
        }
        let Producer::Node { node: id, output } = self.view.values[value].producer else {
            let what = match self.view.values[value].producer {
                Producer::Input(_) => "is an input of its graph",
                _ => "is not computed by a node with weights",
            };
            return Err(format!("{} {what}", self.name(value)));
        };
        let at = |why: Refusal| format!("{}: {why}", self.label(id));
        if let (true, Some(folded)) = (self.folded.contains(&id), self.candidates.get(&id)) {
            return self.back(id, folded.data, factor, route);
        }
        if let Some(changes) = self.view.backward(id, factor) {
            route.changes.extend(changes.map_err(at)?);
            return Ok(());
        }
        if output != 0 {
            return Err(at("has several outputs".to_string()));
        }
        let node = self.view.model.node(id);
        let is = |op: &str| node.is(op);
        if let Some(operator) = joint(self.view.model, id) {
            if operator.linear == Linear::JointPositive && !factor.is_positive() {
                let op = operator.name;
                return Err(at(format!("{op} does not commute with a negative factor")));
            }
            if is("Concat") && factor.axis.is_some() {
                return Err(at("the factor would have to be split".to_string()));
            }
            route.through.push(id);
            let inputs = (0..node.inputs.len()).filter(|&input| operator.is_data(input));
            let moved = |input: &usize| !is_unmoved(&self.view, id, *input, factor);
            let mut inputs = inputs.filter(moved);
            return inputs.try_for_each(|input| self.back(id, input, factor, route));
        }
        if (is("Mul") || is("MatMul") && factor.axis.is_none()) && node.inputs.len() == 2 {
            return self.back_product(id, factor, route);
        }
        if is("Div") && node.inputs.len() == 2 {
            return self.back_quotient(id, factor, route);
        }
        let several = node.outputs.iter().skip(1).any(|name| !name.is_empty());
        if is("Split") && several {
            return Err(at(
                "its other inputs would have to be scaled too".to_string()
            ));
        }
        let moved = match carry(&self.view, (id, 0), Way::Backward, factor) {
            Some(moved) => moved.map_err(at)?,
            None => return Err(at("does not commute with a factor".to_string())),
        };
        route.through.push(id);
        self.back(id, 0, &moved, route)
    }

    /// Back to an input of a node: a constant is multiplied, else what computes it takes the factor.
    fn back(
        &self,
        id: NodeId,
        input: usize,
        factor: &Factor,
        route: &mut Route,
    ) -> Result<(), Refusal> {
        if self.view.is_constant(id, input) {
            let change = self.view.scale_aligned(id, input, factor);
            route
                .changes
                .push(change.map_err(|why| format!("{}: {why}", self.label(id)))?);
            return Ok(());
        }
        match self.view.input(id, input) {
            Some(value) => self.backward(value, factor, route),
            None => Err(format!("{} has a missing input", self.label(id))),
        }
    }

    /// A constant that is divided by takes the factor, or what is divided.
    fn back_quotient(&self, id: NodeId, factor: &Factor, route: &mut Route) -> Result<(), Refusal> {
        if !self.open.contains(&id)
            && self.view.is_constant(id, 1)
            && let Ok(change) = self.view.scale_aligned(id, 1, &factor.inverse())
        {
            route.changes.push(change);
            return Ok(());
        }
        route.through.push(id);
        self.back(id, 0, factor, route)
    }

    /// One of the two that are multiplied takes the factor: a constant, which is nearer than what
    /// computes the data; but a factor with a way of its own to go is not made larger on it.
    fn back_product(&self, id: NodeId, factor: &Factor, route: &mut Route) -> Result<(), Refusal> {
        let (constants, data): (Vec<usize>, Vec<usize>) =
            (0..2).partition(|&input| self.view.is_constant(id, input));
        let constants = constants.into_iter().filter(|_| !self.open.contains(&id));
        let mut why = None;
        for input in constants.chain(data) {
            let before = route.mark();
            route.through.push(id);
            match self.back(id, input, factor, route) {
                Ok(()) => return Ok(()),
                Err(other) => {
                    route.return_to(before);
                    why = Some(other);
                }
            }
        }
        Err(why.unwrap_or_else(|| format!("{} is a factor itself", self.label(id))))
    }
}
