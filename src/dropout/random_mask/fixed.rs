//! Values that are the same in every run: those computed from constants and shapes.

use crate::error::Result;
use crate::hash::HashSet;
use crate::onnx::{NodeId, Producer, Use, ValueId};
use crate::semantics::operator::{Linear, Role, Shape};
use crate::semantics::view::{ValueRef, View};

use super::Finder;
use super::conditions::Conditions;

/// What nodes make of constants and of shapes. Draws are no constants.
pub(super) fn fixed(view: View<'_>, order: &[NodeId]) -> HashSet<ValueId> {
    let mut fixed = HashSet::default();
    for &id in order {
        let node = view.node(id);
        let Some(operator) = node.operator() else {
            continue;
        };
        let known = |value: ValueRef<'_>| is_constant(value) || fixed.contains(&value.id);
        let reads = |input| operator.reads_values(input);
        let mut inputs = node.inputs().enumerate().filter(|(input, _)| reads(*input));
        let free = !matches!(operator.role, Role::Draw(_) | Role::Control(_));
        if free && inputs.all(|(_, value)| value.is_none_or(known)) {
            fixed.extend(node.outputs().flatten().map(|output| output.id));
        }
    }
    fixed
}

/// True of an initializer, also of one that a run may override.
fn is_constant(value: ValueRef<'_>) -> bool {
    let known = value.get();
    let stored = matches!(
        known.producer,
        Producer::Initializer(_) | Producer::SparseInitializer(_)
    );
    stored || known.initializer.is_some()
}

impl Finder<'_> {
    pub(super) fn is_fixed(&self, value: ValueId) -> bool {
        is_constant(self.view.value(value)) || self.fixed.contains(&value)
    }

    /// True of numbers as drawn, shifted and scaled by constants: noise, and no data that is dropped.
    pub(super) fn is_noise(&self, value: ValueId) -> bool {
        let mut at = self.view.value(value);
        loop {
            let Some(node) = at.node() else {
                return false;
            };
            if node.draws() {
                let coin = matches!(node.op(), "Bernoulli" | "Multinomial");
                return !coin;
            }
            let scales = matches!(node.op(), "Add" | "Sub" | "Mul" | "Div" | "Neg");
            if !scales && !node.operator().is_some_and(|operator| operator.copies()) {
                return false;
            }
            let mut free = node
                .inputs()
                .flatten()
                .filter(|input| !self.is_fixed(input.id));
            match (free.next(), free.next()) {
                (Some(next), None) => at = next,
                _ => return false,
            }
        }
    }

    /// True of what operators use as weights, and nothing else does: a constant that is dropped there
    /// is a weight (DropConnect). Elsewhere it is part of a mask, as the region where DropBlock draws.
    pub(super) fn is_weight(&self, value: ValueId, conditions: &Conditions) -> Result<bool> {
        let mut seen = HashSet::default();
        let mut open = vec![value];
        while let Some(value) = open.pop() {
            for at in self.uses(value) {
                let Use::Input { node: id, .. } = at else {
                    return Ok(false);
                };
                let node = self.view.node(id);
                let operator = node.operator();
                let layer = operator.is_some_and(|operator| {
                    matches!(operator.role, Role::Layer(_)) || operator.shape == Shape::Gather
                });
                if node.callee().is_some() || layer {
                    continue;
                }
                let Some(operator) = operator else {
                    return Ok(false);
                };
                let mut scales = false;
                if matches!(operator.linear, Linear::Bilinear | Linear::Quotient) {
                    for other in node.inputs().flatten().filter(|other| other.id != value) {
                        scales |= self.constant(other.id, conditions)?.is_some();
                    }
                }
                if !scales && !operator.copies() && operator.role != Role::Dropout {
                    return Ok(false);
                }
                let output = node.output(0).map(|output| output.id);
                open.extend(output.filter(|output| seen.insert(*output)));
            }
        }
        Ok(true)
    }
}
