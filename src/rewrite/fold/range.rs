//! Weights that cannot take a factor because their elements would be out of range.

use crate::error::Result;
use crate::hash::HashMap;
use crate::onnx::NodeId;
use crate::rewrite::Reason;
use crate::semantics::view::View;

use super::change::Change;
use super::context::constant_at;
use super::factor::Spread;
use super::weights;

/// Why weights cannot take these changes, with those that are planned already: elements would overflow,
/// or, of a constant that is a factor itself, be too small.
///
/// # Errors
/// Weights cannot be read.
pub(super) fn obstacle(
    view: View<'_>,
    changes: &[Change],
    planned: &HashMap<NodeId, Vec<Change>>,
    is_factor: impl Fn(NodeId) -> bool,
) -> Result<Option<Reason>> {
    for change in changes {
        let Change::Weights { node, input, .. } = *change else {
            continue;
        };
        let Some(operand) = constant_at(view.node(node), input) else {
            continue;
        };
        let known = planned.get(&node).into_iter().flatten();
        let others = changes.iter().filter(|other| !std::ptr::eq(*other, change));
        let all = [change].into_iter().chain(others).chain(known);
        let spreads: Vec<Spread> = all.filter_map(|of| at(of, (node, input))).collect();
        let (name, element) = (&operand.value.name, operand.tensor.data_type);
        if weights::overflows(view.model, operand.tensor, &spreads)? {
            let why = format!("`{name}` would overflow {element}");
            return Ok(Some(Reason::Rounding(why.into())));
        }
        // what is said of weights is not good enough for a factor of everything
        if is_factor(node) && weights::lost(view.model, operand.tensor, &spreads)? > 0 {
            let why = format!("`{name}` would be too small for {element}");
            return Ok(Some(Reason::Rounding(why.into())));
        }
    }
    Ok(None)
}

/// The factor of the weights at this input.
fn at(change: &Change, place: (NodeId, usize)) -> Option<Spread> {
    match change {
        Change::Weights {
            node,
            input,
            spread,
            ..
        } if (*node, *input) == place => Some(spread.clone()),
        _ => None,
    }
}
