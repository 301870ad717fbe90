//! Attention scores: what a Softmax follows.

use crate::hash::HashSet;
use crate::onnx::ValueId;
use crate::semantics::operator::{Elements, Linear, Operator, Role};
use crate::semantics::view::View;

/// True of what becomes the scores of an attention: a Softmax follows.
pub(super) fn is_scores(view: View<'_>, output: ValueId) -> bool {
    let mut open = vec![view.value(output)];
    let mut seen = HashSet::default();
    while let Some(value) = open.pop() {
        if !seen.insert(value.id) {
            continue;
        }
        for (node, _) in value.readers() {
            match node.operator() {
                Some(operator) if operator.role == Role::Softmax => return true,
                Some(operator) if may_precede_softmax(operator) => open.extend(node.output(0)),
                _ => {}
            }
        }
    }
    false
}

/// True of an operator that may be between a mask and the Softmax of an attention.
fn may_precede_softmax(operator: &Operator) -> bool {
    use Linear::{Bilinear, Joint, Quotient};
    let linear = matches!(operator.linear, Joint | Bilinear | Quotient);
    operator.passes() || linear && operator.elements == Elements::Map
}
