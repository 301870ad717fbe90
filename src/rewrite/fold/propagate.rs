//! Where a factor can go: from value to value, until every way ends in weights that take it.

mod backward;
mod joint;

use std::cell::Cell;

use crate::hash::{HashMap, HashSet};
use crate::onnx::{AttributeValue, NodeId, Use, ValueId};
use crate::rewrite::Reason;
use crate::semantics::view::{NodeRef, ValueRef};

use super::axes::Way;
use super::change::{Change, scale_aligned};
use super::commute::{commuted, commutes_jointly, joint};
use super::context::{Context, is_constant};
use super::factor::Factor;
use super::factors::Candidate;

/// The way of a factor.
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

pub(super) struct Propagation<'a, 'm> {
    pub context: Context<'m>,
    pub candidates: &'a HashMap<NodeId, Candidate>,
    /// Factors that are folded already: treated as removed.
    pub folded: &'a HashSet<NodeId>,
    /// Factors that are still to be looked at, and have a way of their own to go.
    pub open: &'a HashSet<NodeId>,
    /// Values whose quantisation is annotated.
    pub annotated: &'a HashSet<ValueId>,
    /// Values that may still be visited.
    pub budget: Cell<usize>,
}

/// How many values are visited for one factor.
pub(super) const BUDGET: usize = 500;

/// Values that are used more often are left alone.
const MOST: usize = 100;

/// A node in messages.
pub(super) fn label(node: NodeRef<'_>) -> String {
    format!("{} `{}`", node.op_type, node.label())
}

/// A reason that is about a node.
fn at(node: NodeRef<'_>, why: &Reason) -> Reason {
    why.reworded(format!("{}: {why}", label(node)))
}

/// Refuses a node of a function whose attributes are those of a call: they may differ from call to call.
fn given_by_calls(node: NodeRef<'_>) -> Result<(), Reason> {
    let mut attributes = node.get().attributes.iter();
    match attributes.find(|attribute| matches!(attribute.value, AttributeValue::Reference(..))) {
        None => Ok(()),
        Some(attribute) => {
            let why = format!("calls of its function give its `{}`", attribute.name);
            Err(Reason::Operator(why.into()))
        }
    }
}

impl<'m> Propagation<'_, 'm> {
    fn visit(&self, value: ValueRef<'m>) -> Result<(), Reason> {
        let left = self.budget.get();
        self.budget.set(left.saturating_sub(1));
        if left == 0 {
            return Err(Reason::Limit("it reaches too many nodes".into()));
        }
        match self.annotated.contains(&value.id) {
            true => {
                let why = format!("`{}` has a quantization annotation", value.name);
                Err(Reason::Shared(why.into()))
            }
            false => Ok(()),
        }
    }

    /// Lets everything that reads `value` do without the factor.
    pub fn forward(
        &self,
        value: ValueRef<'m>,
        factor: &Factor,
        route: &mut Route,
    ) -> Result<(), Reason> {
        self.visit(value)?;
        let name = &value.get().name;
        let uses: Vec<Use> = value.uses().collect();
        if uses.len() > MOST {
            let why = format!("`{name}` has {} readers", uses.len());
            return Err(Reason::Limit(why.into()));
        }
        if uses.is_empty() {
            let why = format!("there are no readers of `{name}`");
            return Err(Reason::Position(why.into()));
        }
        for of in &uses {
            let Use::Input { node: id, input } = *of else {
                let what = match of {
                    Use::Output { .. } => "is an output of its graph",
                    _ => "is named by an annotation or a training graph",
                };
                return Err(Reason::Shared(format!("`{name}` {what}").into()));
            };
            let node = self.context.view.node(id);
            let again = |of: &&Use| matches!(of, Use::Input { node, .. } if *node == id);
            if uses.iter().filter(again).count() > 1 {
                let why = format!("{} uses it more than once", label(node));
                return Err(Reason::Operator(why.into()));
            }
            self.through(node, input as usize, factor, route)?;
        }
        Ok(())
    }

    fn through(
        &self,
        node: NodeRef<'m>,
        input: usize,
        factor: &Factor,
        route: &mut Route,
    ) -> Result<(), Reason> {
        let at = |why: Reason| at(node, &why);
        if self.folded.contains(&node.id) {
            return self.on(node, factor, route);
        }
        given_by_calls(node).map_err(at)?;
        if let Some(changes) = self.context.forward(node, input, factor) {
            route.changes.extend(changes.map_err(at)?);
            return Ok(());
        }
        if let "Mul" | "Div" = node.op()
            && node.inputs().len() == 2
        {
            return self.through_product(node, input, factor, route);
        }
        if node.op() == "Split" {
            route.through.push(node.id);
            return self.through_split(node, factor, route);
        }
        let moved = if node.op() == "MatMul" && factor.axis.is_none() {
            factor.clone()
        } else if let Some(operator) = joint(node) {
            commutes_jointly(operator, factor).map_err(at)?;
            self.joint(node, input, factor, route).map_err(at)?
        } else {
            commuted(&self.context, node, (input, 0), Way::Forward, factor).map_err(at)?
        };
        route.through.push(node.id);
        self.on(node, &moved, route)
    }

    /// On from every part that something uses.
    fn through_split(
        &self,
        node: NodeRef<'m>,
        factor: &Factor,
        route: &mut Route,
    ) -> Result<(), Reason> {
        for (output, part) in node.outputs().enumerate() {
            let Some(part) = part.filter(|part| part.is_used()) else {
                continue;
            };
            let moved = commuted(&self.context, node, (0, output), Way::Forward, factor);
            self.forward(part, &moved.map_err(|why| at(node, &why))?, route)?;
        }
        Ok(())
    }

    /// On from the first output of a node.
    fn on(&self, node: NodeRef<'m>, factor: &Factor, route: &mut Route) -> Result<(), Reason> {
        match node.output(0) {
            Some(output) => self.forward(output, factor, route),
            None => {
                let why = format!("{} has no output", label(node));
                Err(Reason::Position(why.into()))
            }
        }
    }

    /// A product with something else: on after it, else into that, if it is a constant.
    fn through_product(
        &self,
        node: NodeRef<'m>,
        input: usize,
        factor: &Factor,
        route: &mut Route,
    ) -> Result<(), Reason> {
        let inverse_if = |inverse| match inverse {
            true => factor.inverse(),
            false => factor.clone(),
        };
        let divides = node.op() == "Div";
        let before = route.mark();
        route.through.push(node.id);
        let Err(why) = self.on(node, &inverse_if(divides && input == 1), route) else {
            return Ok(());
        };
        route.return_to(before);
        let other = 1 - input;
        if !is_constant(node, other) || self.open.contains(&node.id) {
            return Err(why);
        }
        let change = scale_aligned(node, other, &inverse_if(divides));
        route.changes.push(change.map_err(|_| why)?);
        Ok(())
    }
}
