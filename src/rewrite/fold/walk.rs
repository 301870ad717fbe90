//! Where a factor can go: from value to value, until every way ends in weights that take it.

mod backward;

use std::cell::Cell;

use crate::hash::{HashMap, HashSet};
use crate::onnx::{Model, NodeId, Producer, Use, ValueId};
use crate::semantics::operator::{Elements, Linear, Operator, Shape};

use super::axes::Way;
use super::carries::carry;
use super::factor::Factor;
use super::factors::{Candidate, is_unmoved};
use super::targets::{Change, Refusal, View};

/// How a factor goes.
#[derive(Clone, Debug, Default)]
pub(super) struct Route {
    pub changes: Vec<Change>,
    /// Other factors, equal to this one, that go with it.
    pub with: Vec<NodeId>,
    /// Nodes it passes.
    pub through: Vec<NodeId>,
}

impl Route {
    /// How far it has come.
    fn mark(&self) -> [usize; 3] {
        [self.changes.len(), self.with.len(), self.through.len()]
    }

    /// Back to where it was.
    fn return_to(&mut self, [changes, with, through]: [usize; 3]) {
        self.changes.truncate(changes);
        self.with.truncate(with);
        self.through.truncate(through);
    }
}

pub(super) struct Walk<'a, 'm> {
    pub view: View<'m>,
    pub candidates: &'a HashMap<NodeId, Candidate>,
    /// Factors that are folded already: as good as gone.
    pub folded: &'a HashSet<NodeId>,
    /// Factors that are still to be looked at, and have a way of their own to go.
    pub open: &'a HashSet<NodeId>,
    /// Values whose quantisation is annotated.
    pub annotated: &'a HashSet<ValueId>,
    /// Nodes that may still be looked at.
    pub budget: Cell<usize>,
}

/// How many nodes are looked at for one factor.
pub(super) const BUDGET: usize = 500;

/// Values that are used more often are left alone.
const MOST: usize = 100;

/// Sums and the like: they commute with a factor that all of their data has.
fn joint(model: &Model, id: NodeId) -> Option<&'static Operator> {
    let linear = |op: &&Operator| matches!(op.linear, Linear::Joint | Linear::JointPositive);
    let operator = Operator::of(model, id).filter(linear)?;
    (operator.elements == Elements::Map || operator.shape == Shape::Concat).then_some(operator)
}

impl Walk<'_, '_> {
    fn label(&self, id: NodeId) -> String {
        format!(
            "{} `{}`",
            self.view.model.node(id).op_type,
            self.view.model.label(id)
        )
    }

    fn name(&self, value: ValueId) -> String {
        format!("`{}`", self.view.values[value].name)
    }

    fn look(&self, value: ValueId) -> Result<(), Refusal> {
        let left = self.budget.get();
        self.budget.set(left.saturating_sub(1));
        if left == 0 {
            return Err("it reaches too many nodes".to_string());
        }
        match self.annotated.contains(&value) {
            true => Err(format!(
                "{} has a quantization annotation",
                self.name(value)
            )),
            false => Ok(()),
        }
    }

    /// Lets everything that uses `value` do without the factor.
    pub fn forward(
        &self,
        value: ValueId,
        factor: &Factor,
        route: &mut Route,
    ) -> Result<(), Refusal> {
        self.look(value)?;
        let uses: Vec<Use> = self.view.values.uses(value).collect();
        if uses.len() > MOST {
            return Err(format!("{} has {} readers", self.name(value), uses.len()));
        }
        if uses.is_empty() {
            return Err(format!("there are no readers of {}", self.name(value)));
        }
        for at in &uses {
            let Use::Input { node, input } = *at else {
                let what = match at {
                    Use::Output { .. } => "is an output of its graph",
                    _ => "is named by an annotation or a training graph",
                };
                return Err(format!("{} {what}", self.name(value)));
            };
            let again = |at: &&Use| matches!(at, Use::Input { node: n, .. } if *n == node);
            if uses.iter().filter(again).count() > 1 {
                return Err(format!("{} uses it more than once", self.label(node)));
            }
            self.through(node, input as usize, factor, route)?;
        }
        Ok(())
    }

    fn through(
        &self,
        id: NodeId,
        input: usize,
        factor: &Factor,
        route: &mut Route,
    ) -> Result<(), Refusal> {
        let at = |why: Refusal| format!("{}: {why}", self.label(id));
        if self.folded.contains(&id) {
            return self.on(id, factor, route);
        }
        if let Some(changes) = self.view.forward(id, input, factor) {
            route.changes.extend(changes.map_err(at)?);
            return Ok(());
        }
        let node = self.view.model.node(id);
        let is = |op: &str| node.is(op);
        if (is("Mul") || is("Div")) && node.inputs.len() == 2 {
            return self.through_product(id, input, factor, route);
        }
        if is("MatMul") && factor.axis.is_none() {
            route.through.push(id);
            return self.on(id, factor, route);
        }
        if let Some(operator) = joint(self.view.model, id) {
            if operator.linear == Linear::JointPositive && !factor.is_positive() {
                let op = operator.name;
                return Err(at(format!("{op} does not commute with a negative factor")));
            }
            let factor = self.joint(id, input, factor, route).map_err(at)?;
            route.through.push(id);
            return self.on(id, &factor, route);
        }
        if is("Split") {
            route.through.push(id);
            return self.through_split(id, factor, route);
        }
        match carry(&self.view, (id, 0), Way::Forward, factor) {
            Some(_) if input != 0 => Err(at("it is not a data input".to_string())),
            Some(moved) => {
                let moved = moved.map_err(at)?;
                route.through.push(id);
                self.on(id, &moved, route)
            }
            None => Err(at("does not commute with a factor".to_string())),
        }
    }

    /// On from every part that something uses.
    fn through_split(&self, id: NodeId, factor: &Factor, route: &mut Route) -> Result<(), Refusal> {
        let at = |why: Refusal| format!("{}: {why}", self.label(id));
        for output in 0..self.view.model.node(id).outputs.len() {
            let part = self.view.values.output(self.view.model, id, output);
            let Some(part) = part.filter(|&part| self.view.values.is_used(part)) else {
                continue;
            };
            let Some(moved) = carry(&self.view, (id, output), Way::Forward, factor) else {
                return Err(at("does not commute with a factor".to_string()));
            };
            self.forward(part, &moved.map_err(at)?, route)?;
        }
        Ok(())
    }

    /// On from the first output of a node.
    fn on(&self, id: NodeId, factor: &Factor, route: &mut Route) -> Result<(), Refusal> {
        match self.view.values.output(self.view.model, id, 0) {
            Some(output) => self.forward(output, factor, route),
            None => Err(format!("{} has no output", self.label(id))),
        }
    }

    /// A product with something else: on behind it, else into that, if it is a constant.
    fn through_product(
        &self,
        id: NodeId,
        input: usize,
        factor: &Factor,
        route: &mut Route,
    ) -> Result<(), Refusal> {
        let divisor = self.view.model.node(id).is("Div") && input == 1;
        let passed = match divisor {
            true => factor.inverse(),
            false => factor.clone(),
        };
        let before = route.mark();
        route.through.push(id);
        let Err(why) = self.on(id, &passed, route) else {
            return Ok(());
        };
        route.return_to(before);
        let other = 1 - input;
        if !self.view.is_constant(id, other) || self.open.contains(&id) {
            return Err(why);
        }
        let divides = self.view.model.node(id).is("Div");
        let taken = if divides {
            factor.inverse()
        } else {
            factor.clone()
        };
        match self.view.scale_aligned(id, other, &taken) {
            Ok(change) => {
                route.changes.push(change);
                Ok(())
            }
            Err(_) => Err(why),
        }
    }

    /// A factor of one of several inputs: of all, if the others have it as well; of its part of the
    /// axis, if they are put side by side.
    fn joint(
        &self,
        id: NodeId,
        input: usize,
        factor: &Factor,
        route: &mut Route,
    ) -> Result<Factor, Refusal> {
        let node = self.view.model.node(id);
        let is_data = |input| joint(self.view.model, id).is_some_and(|op| op.is_data(input));
        if !is_data(input) {
            return Err("it is not a data input".to_string());
        }
        let others = (0..node.inputs.len()).filter(|&i| i != input && is_data(i));
        let equal = others.map(|other| match is_unmoved(&self.view, id, other, factor) {
            true => Some(None),
            false => self.twin(id, other, factor).map(Some),
        });
        let equal: Option<Vec<Option<NodeId>>> = equal.collect();
        if let Some(equal) = equal {
            route.with.extend(equal.into_iter().flatten());
            return Ok(factor.clone());
        }
        if !node.is("Concat") {
            return Err("only some of its inputs have the factor".to_string());
        }
        self.part(id, input, factor)
    }

    /// The factor that an input is a product with, if it is equal and nothing else uses the product.
    fn twin(&self, id: NodeId, input: usize, factor: &Factor) -> Option<NodeId> {
        let mut value = self.view.input(id, input)?;
        loop {
            let Producer::Node { node, output: 0 } = self.view.values[value].producer else {
                return None;
            };
            let twin = self.candidates.get(&node)?;
            let alone = self.view.values.uses(value).nth(1).is_none();
            if !alone || self.annotated.contains(&value) {
                return None;
            }
            if !self.folded.contains(&node) {
                return (twin.factor.as_ref() == Ok(factor)).then_some(node);
            }
            value = self.view.input(node, twin.data)?;
        }
    }

    /// The factor of a part of a Concat: 1 for the others.
    fn part(&self, id: NodeId, input: usize, factor: &Factor) -> Result<Factor, Refusal> {
        let node = self.view.model.node(id);
        let unknown = "the sizes of its inputs are unknown";
        let output = self
            .view
            .values
            .output(self.view.model, id, 0)
            .ok_or(unknown)?;
        let rank = self.view.shapes.rank(output).ok_or(unknown)?;
        let axis = super::shapes::int(node, "axis", 1);
        let axis = if axis < 0 { axis + rank as i64 } else { axis };
        let from_end = (rank as i64 - 1)
            .checked_sub(axis)
            .and_then(|axis| usize::try_from(axis).ok());
        let from_end = from_end.ok_or(unknown)?;
        if factor.axis.is_some_and(|own| own != from_end) {
            return Err("only some of its inputs have the factor".to_string());
        }
        let mut elements = Vec::new();
        for other in 0..node.inputs.len() {
            let value = self.view.input(id, other).ok_or(unknown)?;
            let size = self.view.shapes.size(value, from_end).ok_or(unknown)?;
            let size = usize::try_from(size)
                .ok()
                .filter(|&size| size < 1 << 16)
                .ok_or(unknown)?;
            match (other == input, factor.scalar()) {
                (false, _) => elements.extend(std::iter::repeat_n(1.0, size)),
                (true, Some(scalar)) => elements.extend(std::iter::repeat_n(scalar, size)),
                (true, None) if factor.elements.len() == size => elements.extend(&factor.elements),
                (true, None) => return Err(unknown.to_string()),
            }
        }
        Ok(factor.along(from_end, elements))
    }
}
