//! Where a value comes from: data or weights, with a draw on the way or without.

use crate::hash::HashSet;
use crate::onnx::{GraphKind, Model, Producer, ValueId, Values};
use crate::semantics::operator::{Operator, Shape};

use super::constant::Resolver;
use super::limit::Limits;

/// How many values are looked at for one question.
const BUDGET: usize = 10_000;

/// True of a value that depends on an input of the model: no weight, whatever is done to it.
pub(super) fn is_data(
    model: &Model,
    values: &Values,
    resolver: &Resolver<'_>,
    limits: &Limits,
    value: ValueId,
) -> bool {
    let mut seen: HashSet<ValueId> = HashSet::default();
    let mut next = vec![value];
    while let Some(value) = next.pop() {
        let known = &values[value];
        if seen.len() > BUDGET {
            if let Producer::Node { node, .. } = known.producer {
                let what = "data is followed back through at most 10,000 values";
                limits.reached(node, what);
            }
            break;
        }
        if !seen.insert(value) {
            continue;
        }
        match (known.producer, &model.graph(known.graph).kind) {
            (Producer::Input(_), _) if known.initializer.is_some() => {}
            (Producer::Input(index), GraphKind::Function(function)) => {
                let calls = resolver.calls(*function).into_iter();
                next.extend(calls.filter_map(|call| values.input(call, index as usize)));
            }
            (Producer::Input(index), GraphKind::Attribute { node, .. }) => {
                // a Loop's and a Scan's body takes what the node is given, in its order
                next.extend(values.input(*node, index as usize));
            }
            (Producer::Input(_), _) => return true,
            (Producer::Node { node, .. }, _) => {
                let inputs = 0..model.node(node).inputs.len();
                next.extend(inputs.filter_map(|input| values.input(node, input)));
            }
            _ => {}
        }
    }
    false
}

/// True of a value that a draw may have made, through operators that compute it element by element.
pub(crate) fn is_drawn(model: &Model, values: &Values, value: ValueId) -> bool {
    use Shape::{Conv, ConvTranspose, Gemm, MatMul};
    let layer = |op: &Operator| matches!(op.shape, Conv | ConvTranspose | Gemm | MatMul);
    let mut seen: HashSet<ValueId> = HashSet::default();
    let mut next = vec![value];
    while let Some(value) = next.pop() {
        if !seen.insert(value) {
            continue;
        }
        if seen.len() > BUDGET {
            return true;
        }
        let Producer::Node { node: id, .. } = values[value].producer else {
            continue;
        };
        let node = model.node(id);
        if node.draws() {
            return true;
        }
        if !Operator::of(model, id).is_some_and(layer) {
            let inputs = 0..node.inputs.len();
            next.extend(inputs.filter_map(|input| values.input(id, input)));
        }
    }
    false
}
