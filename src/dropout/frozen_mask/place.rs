//! The surroundings of a mask: what scales its data, and whether that is attention scores or a blend.

use crate::onnx::{Model, NodeId, Producer, Use, ValueId, Values};

use super::Finder;

/// How many nodes a product is followed to a Softmax, or data to a factor.
const NEXT: usize = 32;

/// Operators that move the elements of their first input and change none.
const MOVES: &[&str] = &[
    "Flatten",
    "Identity",
    "Reshape",
    "Squeeze",
    "Transpose",
    "Unsqueeze",
];

/// Operators between a mask and the Softmax of an attention.
const ELEMENTWISE: &[&str] = &[
    "Add",
    "Cast",
    "Div",
    "Flatten",
    "Identity",
    "Mul",
    "Reshape",
    "Squeeze",
    "Sub",
    "Transpose",
    "Unsqueeze",
    "Where",
];

/// What data was multiplied by and where, in the node before or where only its elements were moved since.
pub(super) fn factor_before(finder: &Finder<'_>, mut data: ValueId) -> Option<(NodeId, f64)> {
    for _ in 0..NEXT {
        let Producer::Node { node, output: 0 } = finder.values[data].producer else {
            return None;
        };
        let factor = finder.factor(node, 1).or_else(|| finder.factor(node, 0));
        if let Some(factor) = factor {
            return (factor > 0.0).then_some((node, factor));
        }
        if !MOVES.iter().any(|op| finder.model.node(node).is(op)) {
            return None;
        }
        data = finder.values.input(node, 0)?;
    }
    None
}

/// The node after that multiplies a product by a number, if it is the only one there is.
pub(super) fn factor_after(finder: &Finder<'_>, output: ValueId) -> Option<(NodeId, ValueId, f64)> {
    let uses: Vec<Use> = finder.values.uses(output).take(2).collect();
    let [Use::Input { node, input }] = uses[..] else {
        return None;
    };
    let other = match input {
        0 => 1,
        _ => 0,
    };
    let factor = finder.factor(node, other)?;
    let after = finder.values.output(finder.model, node, 0)?;
    (factor > 0.0).then_some((node, after, factor))
}

/// True of what a node computes.
pub(super) fn is_computed(values: &Values, data: ValueId) -> bool {
    matches!(values[data].producer, Producer::Node { .. })
}

/// True of what becomes the scores of an attention: a Softmax follows.
pub(super) fn is_scores(model: &Model, values: &Values, output: ValueId) -> bool {
    let mut next = vec![output];
    let mut seen = 0;
    while let Some(value) = next.pop() {
        for at in values.uses(value) {
            let Use::Input { node: id, .. } = at else {
                continue;
            };
            let node = model.node(id);
            seen += 1;
            if node.is("Softmax") || node.is("LogSoftmax") {
                return true;
            }
            if seen < NEXT && ELEMENTWISE.iter().any(|op| node.is(op)) {
                next.extend(values.output(model, id, 0));
            }
        }
    }
    false
}

/// True if a sum puts something masked the other way round in the place of what is dropped.
pub(super) fn is_blended(finder: &Finder<'_>, output: ValueId, elements: usize) -> bool {
    let (model, values) = (finder.model, finder.values);
    values.uses(output).any(|at| {
        let Use::Input { node: id, .. } = at else {
            return false;
        };
        let inputs = 0..model.node(id).inputs.len();
        let mut others = inputs.filter_map(|input| values.input(id, input));
        others.any(|other| {
            let Producer::Node { node, .. } = values[other].producer else {
                return false;
            };
            let inputs = 0..model.node(node).inputs.len();
            let mut factors = inputs.filter_map(|input| values.input(node, input));
            other != output
                && factors.any(|factor| {
                    let mask = finder.mask(factor);
                    mask.is_some_and(|mask| mask.kept.len() == elements)
                })
        })
    })
}
