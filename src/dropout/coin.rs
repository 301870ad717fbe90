//! Dropout operators that toss a coin for a dropout written by hand: `x · mask / (1-p)`, or
//! `Where(Dropout(ones) > 0, x / (1-p), 0)`.
//!
//! Such an operator has no inference meaning of its own: with its mask all true, or with its ones
//! passed through, the factor `1/(1-p)` next to it would stay.

use crate::hash::HashSet;
use crate::onnx::{AttributeValue, DataType, Model, NodeId, Producer, Use, ValueId, Values};
use crate::semantics::facts::Facts;
use crate::semantics::view::NodeRef;

/// Operators that keep the elements of a mask, or only move or cast them.
const PASSED: &[&str] = &[
    "Identity",
    "Cast",
    "CastLike",
    "Not",
    "Transpose",
    "Reshape",
    "Expand",
    "Squeeze",
    "Unsqueeze",
    "Flatten",
    "Tile",
];

/// Operators that drop data with a mask.
const COMBINED: &[&str] = &[
    "Mul", "Div", "Where", "Min", "Max", "Pow", "And", "Or", "Xor",
];

/// Operators that make a mask of a mask and a constant: its complement.
const COMPLEMENTED: &[&str] = &["Add", "Sub"];

/// Operators that leave nothing of how large a number is but whether it is zero.
const TOSSED: &[&str] = &[
    "Greater",
    "GreaterOrEqual",
    "Less",
    "LessOrEqual",
    "Equal",
    "Sign",
    "Ceil",
    "Floor",
    "Round",
    "Min",
];

/// Why a Dropout that may act is no dropout of its own data.
pub(super) fn coin(model: &Model, values: &Values, id: NodeId) -> Option<String> {
    let mask = values.output(model, id, 1);
    if let Some(node) = mask.and_then(|mask| reached(model, values, mask, COMBINED)) {
        let place = model.place(node);
        let why =
            "uses its mask in arithmetic, which an all-true mask would leave without its scale";
        return Some(format!("{place} {why}"));
    }
    let output = values.output(model, id, 0)?;
    let node = reached(model, values, output, TOSSED)?;
    let constant = is_constant(model, values, values.input(id, 0)?);
    let place = model.place(node);
    let why = "uses dropped ones as a mask, which would be left without its scale";
    constant.then(|| format!("{place} {why}"))
}

/// True of a Dropout whose mask alone is used, or what it makes of a constant, and as a coin.
pub(super) fn is_tossed(facts: Facts<'_>, node: NodeRef<'_>) -> bool {
    if !node.is("Dropout") || node.callee().is_some() {
        return false;
    }
    let is_used = |output| node.output(output).is_some_and(|value| value.is_used());
    let constant = || {
        node.input(0)
            .is_some_and(|data| facts.constant(data.id).is_some())
    };
    let view = facts.view();
    let is_coin = || coin(view.model, view.values, node.id).is_some();
    match (is_used(0), is_used(1)) {
        (false, true) => is_coin(),
        // what the data is takes longest to find
        (true, false) => is_coin() && constant(),
        _ => false,
    }
}

/// The first of some operators that a value leads to through operators that pass it.
fn reached(model: &Model, values: &Values, value: ValueId, wanted: &[&str]) -> Option<NodeId> {
    let tossed = wanted == TOSSED;
    let mut seen = HashSet::default();
    let mut open = vec![value];
    while let Some(value) = open.pop() {
        for at in values.uses(value) {
            let Use::Input { node: id, .. } = at else {
                continue;
            };
            let node = model.node(id);
            let op_type = node.op_type.as_str().unwrap_or_default();
            let cast = tossed && op_type == "Cast" && !is_float(model, id);
            if !node.in_default_domain() || !seen.insert(id) {
                continue;
            }
            if cast || wanted.contains(&op_type) {
                return Some(id);
            }
            let complemented = || {
                let inputs = (0..node.inputs.len()).filter_map(|input| values.input(id, input));
                let mut others = inputs.filter(|&input| input != value);
                !tossed
                    && COMPLEMENTED.contains(&op_type)
                    && others.all(|other| is_constant(model, values, other))
            };
            let passed = PASSED.contains(&op_type) || tossed && matches!(op_type, "Mul" | "Div");
            if passed || complemented() {
                open.extend(values.output(model, id, 0));
            }
        }
    }
    None
}

/// True of a Cast to floats.
fn is_float(model: &Model, id: NodeId) -> bool {
    match model.node(id).attribute("to").map(|a| &a.value) {
        Some(AttributeValue::Int(to)) => DataType(*to as i32).is_float(),
        _ => true,
    }
}

/// True of values that depend on constants and shapes only.
fn is_constant(model: &Model, values: &Values, value: ValueId) -> bool {
    let mut seen = HashSet::default();
    let mut open = vec![value];
    while let Some(value) = open.pop() {
        if !seen.insert(value) {
            continue;
        }
        let known = &values[value];
        match known.producer {
            _ if known.initializer.is_some() => {}
            Producer::Initializer(_) | Producer::SparseInitializer(_) => {}
            Producer::Node { node: id, .. } => {
                let node = model.node(id);
                let graphs = node.attributes.iter().any(|a| !a.graphs().is_empty());
                if !node.in_default_domain() || graphs {
                    return false;
                }
                if !node.is("Shape") && !node.is("Size") && !node.is("EyeLike") {
                    let inputs = 0..node.inputs.len();
                    open.extend(inputs.filter_map(|input| values.input(id, input)));
                }
            }
            _ => return false,
        }
    }
    true
}
