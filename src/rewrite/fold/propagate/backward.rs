//! Back: to what computes a value, until every way ends in weights that take the factor.

use crate::onnx::Producer;
use crate::rewrite::Reason;
use crate::rewrite::fold::axes::Way;
use crate::rewrite::fold::change::scale_aligned;
use crate::rewrite::fold::commute::{commuted, commutes_jointly, joint};
use crate::rewrite::fold::context::is_constant;
use crate::rewrite::fold::factor::Factor;
use crate::rewrite::fold::operand::is_unmoved;
use crate::semantics::operator::Operator;
use crate::semantics::view::{NodeRef, ValueRef};

use super::{Propagation, Route, at, given_by_calls, label};

impl<'m> Propagation<'_, 'm> {
    /// Lets what computes `value` take the factor.
    pub fn backward(
        &self,
        value: ValueRef<'m>,
        factor: &Factor,
        route: &mut Route,
    ) -> Result<(), Reason> {
        self.visit(value)?;
        let name = &value.get().name;
        if value.uses().nth(1).is_some() {
            return Err(Reason::Shared(format!("`{name}` has other readers").into()));
        }
        let Some((node, output)) = value.producer() else {
            let what = match value.get().producer {
                Producer::Input(_) => "is an input of its graph",
                _ => "is not computed by a node with weights",
            };
            return Err(Reason::Computed(format!("`{name}` {what}").into()));
        };
        let at = |why: Reason| at(node, &why);
        let not = |why: &'static str| at(Reason::Operator(why.into()));
        if let (true, Some(folded)) = (
            self.folded.contains(&node.id),
            self.candidates.get(&node.id),
        ) {
            return self.back(node, folded.data, factor, route);
        }
        given_by_calls(node).map_err(at)?;
        if let Some(changes) = self.context.backward(node, factor) {
            route.changes.extend(changes.map_err(at)?);
            return Ok(());
        }
        if output != 0 {
            return Err(not("has several outputs"));
        }
        if let Some(operator) = joint(node) {
            commutes_jointly(operator, factor).map_err(at)?;
            if node.op() == "Concat" && factor.axis.is_some() {
                return Err(not("the factor would have to be split"));
            }
            return self.back_joint(node, operator, factor, route);
        }
        let two = node.inputs().len() == 2;
        match node.op() {
            "Mul" if two => return self.back_product(node, factor, route),
            "MatMul" if two && factor.axis.is_none() => {
                return self.back_product(node, factor, route);
            }
            "Div" if two => return self.back_quotient(node, factor, route),
            "Split" if node.outputs().skip(1).flatten().next().is_some() => {
                return Err(not("its other inputs would have to be scaled too"));
            }
            _ => {}
        }
        let moved = commuted(&self.context, node, (0, 0), Way::Backward, factor).map_err(at)?;
        route.through.push(node.id);
        self.back(node, 0, &moved, route)
    }

    /// Back to an input of a node: a constant is multiplied, else what computes it takes the factor.
    fn back(
        &self,
        node: NodeRef<'m>,
        input: usize,
        factor: &Factor,
        route: &mut Route,
    ) -> Result<(), Reason> {
        if is_constant(node, input) {
            let change = scale_aligned(node, input, factor);
            route.changes.push(change.map_err(|why| at(node, &why))?);
            return Ok(());
        }
        match node.input(input) {
            Some(value) => self.backward(value, factor, route),
            None => {
                let why = format!("{} has a missing input", label(node));
                Err(Reason::Computed(why.into()))
            }
        }
    }

    /// All of the data takes the factor, except for constants that it does not change.
    fn back_joint(
        &self,
        node: NodeRef<'m>,
        operator: &Operator,
        factor: &Factor,
        route: &mut Route,
    ) -> Result<(), Reason> {
        route.through.push(node.id);
        let inputs = (0..node.inputs().len()).filter(|&input| operator.is_data(input));
        let mut moved = inputs.filter(|&input| !is_unmoved(node, input, factor));
        moved.try_for_each(|input| self.back(node, input, factor, route))
    }

    /// A constant that is divided by takes the factor, or what is divided.
    fn back_quotient(
        &self,
        node: NodeRef<'m>,
        factor: &Factor,
        route: &mut Route,
    ) -> Result<(), Reason> {
        if !self.open.contains(&node.id)
            && is_constant(node, 1)
            && let Ok(change) = scale_aligned(node, 1, &factor.inverse())
        {
            route.changes.push(change);
            return Ok(());
        }
        route.through.push(node.id);
        self.back(node, 0, factor, route)
    }

    /// One of the two that are multiplied takes the factor: a constant, which is nearer than what
    /// computes the data; but a factor with a way of its own to go is not made larger on it.
    fn back_product(
        &self,
        node: NodeRef<'m>,
        factor: &Factor,
        route: &mut Route,
    ) -> Result<(), Reason> {
        let (constants, data): (Vec<usize>, Vec<usize>) =
            (0..2).partition(|&input| is_constant(node, input));
        let constants = constants
            .into_iter()
            .filter(|_| !self.open.contains(&node.id));
        let mut why = None;
        for input in constants.chain(data) {
            let before = route.mark();
            route.through.push(node.id);
            match self.back(node, input, factor, route) {
                Ok(()) => return Ok(()),
                Err(other) => {
                    route.return_to(before);
                    why = Some(other);
                }
            }
        }
        let itself = || Reason::Operator(format!("{} is a factor itself", label(node)).into());
        Err(why.unwrap_or_else(itself))
    }
}
