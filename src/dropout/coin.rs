//! Dropout operators that toss a coin for a dropout written by hand: `x · mask / (1-p)`, or
//! `Where(Dropout(ones) > 0, x / (1-p), 0)`.
//!
//! Such an operator has no inference meaning of its own: with its mask all true, or with its ones
//! passed through, the factor `1/(1-p)` next to it would stay.

use crate::hash::HashSet;
use crate::onnx::Producer;
use crate::semantics::facts::Facts;
use crate::semantics::operator::{Continuous, Elements, Operator, Role};
use crate::semantics::view::{NodeRef, ValueRef};

/// Why a Dropout that may act is no dropout of its own data.
pub(super) fn coin(node: NodeRef<'_>) -> Option<String> {
    if let Some(mask) = node.output(1)
        && let Some(user) = reached(mask, combines, |node| is_not(node) || complements(node))
    {
        let why =
            "uses its mask in arithmetic, which an all-true mask would leave without its scale";
        return Some(format!("{} {why}", user.place()));
    }
    let scales = |node: NodeRef<'_>| is_not(node) || matches!(node.op(), "Mul" | "Div");
    let user = reached(node.output(0)?, tosses, scales)?;
    let why = "uses dropped ones as a mask, which would be left without its scale";
    is_constant(node.input(0)?).then(|| format!("{} {why}", user.place()))
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
    match (is_used(0), is_used(1)) {
        (false, true) => coin(node).is_some(),
        // what the data is takes longest to find
        (true, false) => coin(node).is_some() && constant(),
        _ => false,
    }
}

fn is_not(node: NodeRef<'_>) -> bool {
    node.is("Not")
}

/// True of the sum or difference of a mask and a constant.
fn complements(node: NodeRef<'_>) -> bool {
    matches!(node.op(), "Add" | "Sub") && node.inputs().flatten().any(is_constant)
}

/// True of what drops data with a mask.
fn combines(node: NodeRef<'_>) -> bool {
    let maps = |operator: &Operator| operator.elements == Elements::Map;
    let is_map = node.operator().is_some_and(maps) && node.get().inputs.len() > 1;
    is_map && !matches!(node.op(), "Add" | "Sub")
}

/// True of what leaves nothing of how large a number is but whether it is zero.
fn tosses(node: NodeRef<'_>) -> bool {
    let jumps = |operator: &Operator| {
        let casts = operator.role == Role::Cast;
        let element = node.output(0).and_then(|value| value.element_type());
        match casts {
            true => element.is_some_and(|element| !element.is_float()),
            false => operator.continuous == Continuous::Never && operator.elements == Elements::Map,
        }
    };
    node.is("Min") || !is_not(node) && node.operator().is_some_and(jumps)
}

/// The first node of a kind that a value leads to through others, and through what copies it.
fn reached<'m>(
    value: ValueRef<'m>,
    is_end: impl Fn(NodeRef<'m>) -> bool,
    passes: impl Fn(NodeRef<'m>) -> bool,
) -> Option<NodeRef<'m>> {
    let mut seen = HashSet::default();
    let mut open = vec![value];
    while let Some(value) = open.pop() {
        for (node, _) in value.readers() {
            if !node.in_default_domain() {
                continue;
            }
            if is_end(node) {
                return Some(node);
            }
            let passes = || passes(node) || node.operator().is_some_and(Operator::copies);
            if passes() && seen.insert(node.id) {
                open.extend(node.output(0));
            }
        }
    }
    None
}

/// True of values that depend on constants and shapes only.
fn is_constant(value: ValueRef<'_>) -> bool {
    let mut seen = HashSet::default();
    let mut open = vec![value];
    while let Some(value) = open.pop() {
        if !seen.insert(value.id) || value.initializer_index().is_some() {
            continue;
        }
        let fixed =
            |node: &NodeRef<'_>| node.in_default_domain() && !node.draws() && !node.is("Dropout");
        let Some(node) = value.node().filter(fixed) else {
            match value.get().producer {
                Producer::SparseInitializer(_) => continue,
                _ => return false,
            }
        };
        if node.bodies().next().is_some() {
            return false;
        }
        let operator = node.operator();
        let read = node
            .given()
            .filter(|&(input, _)| operator.is_none_or(|operator| operator.reads_values(input)));
        open.extend(read.map(|(_, value)| value));
    }
    true
}
