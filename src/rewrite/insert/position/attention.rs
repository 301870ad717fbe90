//! The weights of attention.

use crate::semantics::operator::{Layer, Role};
use crate::semantics::view::{NodeRef, ValueRef};

use super::super::flow::{Flow, Source};
use super::{MOVES, is_pointwise, passes, readers};

/// The weights that a softmax of scores gives, before they weigh data; or the output of an operator that
/// has its softmax inside.
pub(in crate::rewrite::insert) fn attention<'m>(
    flow: &Flow<'m>,
    node: NodeRef<'m>,
) -> Option<ValueRef<'m>> {
    let role = node.operator().map(|operator| operator.role);
    if role == Some(Role::Layer(Layer::Attention)) {
        return node.produced().next();
    }
    let scores = scores(node)?;
    // what a layer gives for each position by itself is a gate or a pool, unless it mixes the scores of heads
    if matches!(flow.root(scores)?.source, Source::Layer(..)) && !mixes_heads(flow, scores) {
        return None;
    }
    let mut weights = node.produced().next()?;
    let mut at = weights;
    for _ in 0..MOVES {
        if readers(at).any(|reader| flow.is_product_of_data(reader)) {
            return Some(weights);
        }
        // zeros where the mask is false: a Where, or a product and a sum
        let masked = |node: &NodeRef<'m>| {
            matches!(node.op(), "Where" | "Mul" | "Add") || is_pointwise(flow, *node)
        };
        let next = |node: &NodeRef<'m>| passes(*node) || node.op() == "Dropout" || masked(node);
        let next = readers(at).find(next)?;
        at = next.produced().next()?;
        if !passes(next) && next.op() != "Dropout" {
            weights = at;
        }
    }
    None
}

/// True of what a layer makes of the scores of all heads.
fn mixes_heads<'m>(flow: &Flow<'m>, scores: ValueRef<'m>) -> bool {
    let layer = flow
        .source(scores)
        .filter(|&layer| is_pointwise(flow, layer));
    let given = layer.and_then(|layer| flow.data_inputs(layer).first().copied());
    let product = given.and_then(|given| flow.source(given));
    product.is_some_and(|product| flow.is_product_of_data(product))
}

/// The data of a softmax, also where it is written as exponentials over their sum.
pub(super) fn scores(node: NodeRef<'_>) -> Option<ValueRef<'_>> {
    if node.op() == "Softmax" {
        return node.input(0);
    }
    let (above, below) = (node.input(0)?, node.input(1)?);
    let exponential = above.node().filter(|node| node.op() == "Exp")?;
    let sum = below.node().filter(|node| node.op() == "ReduceSum")?;
    let softmax = node.op() == "Div" && sum.input(0) == Some(above);
    exponential.input(0).filter(|_| softmax)
}
