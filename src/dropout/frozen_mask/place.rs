//! The surroundings of a mask: what scales its data, and whether that is a blend.

use crate::dropout::Prescale;
use crate::hash::HashSet;
use crate::onnx::{NodeId, Use, ValueId};
use crate::semantics::operator::{Operator, Role};

use super::Finder;

/// True of an operator that moves the elements of its data and changes none.
fn moves(operator: &Operator) -> bool {
    operator.passes() && operator.role != Role::Cast
}

/// The factor of data and the node that multiplies by it: the producer of the data, or the one before
/// nodes that only move elements.
pub(super) fn factor_before(finder: &Finder<'_>, data: ValueId) -> Option<(Prescale, f64)> {
    let mut data = finder.facts.view().value(data);
    let mut seen = HashSet::default();
    let mut shared = false;
    while seen.insert(data.id) {
        let (node, 0) = data.producer()? else {
            return None;
        };
        shared |= data.uses().nth(1).is_some();
        let factors = [1, 0].map(|input| Some((input, finder.factor(node.id, input)?)));
        if let Some((constant, factor)) = factors.into_iter().flatten().next() {
            let prescale = Prescale {
                node: node.id,
                from: node.input(1 - constant)?.id,
                shared,
            };
            return (factor > 0.0).then_some((prescale, factor));
        }
        data = node
            .operator()
            .filter(|op| moves(op))
            .and_then(|_| node.input(0))?;
    }
    None
}

/// The node after that multiplies a product by a number, if it is the only one there is.
pub(super) fn factor_after(finder: &Finder<'_>, output: ValueId) -> Option<(NodeId, ValueId, f64)> {
    let view = finder.facts.view();
    let uses: Vec<Use> = view.values.uses(output).take(2).collect();
    let [Use::Input { node, input }] = uses[..] else {
        return None;
    };
    let other = match input {
        0 => 1,
        _ => 0,
    };
    let factor = finder.factor(node, other)?;
    let after = view.node(node).output(0)?;
    (factor > 0.0).then_some((node, after.id, factor))
}

/// True if a sum puts something masked the other way round in the place of what is dropped.
pub(super) fn is_blended(finder: &Finder<'_>, output: ValueId, elements: usize) -> bool {
    let is_mask = |factor: ValueId| {
        let mask = finder.mask(factor);
        mask.is_some_and(|mask| mask.kept.len() == elements)
    };
    finder.facts.view().value(output).readers().any(|(sum, _)| {
        let others = sum.inputs().flatten().filter(|other| other.id != output);
        let mut terms = others.filter_map(|other| other.node());
        terms.any(|term| term.inputs().flatten().any(|factor| is_mask(factor.id)))
    })
}
