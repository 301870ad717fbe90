//! After the activations of convolutions.

use crate::hash::HashSet;
use crate::onnx::NodeId;
use crate::semantics::operator::Role;
use crate::semantics::view::{NodeRef, ValueRef};

use super::super::flow::{Flow, Kind, Source};
use super::activation::activation;
use super::branch::{Branch, between};
use super::{dims, is_by_channel, is_pointwise, is_used_once, readers, unmoved};

/// The activations of convolutions, and what dense connections add; whether each is usual: in residual branches
/// of sequences and after a normalization and an activation that come first, in dense connections, and at the
/// ends of blocks of U-shaped networks.
pub(super) fn convolutions<'m>(
    flow: &Flow<'m>,
    branches: &[Branch<'m>],
) -> Vec<(ValueRef<'m>, bool)> {
    let nodes = || flow.view.nodes();
    let bodies = branches.iter().filter(|branch| !branch.is_block());
    let bodies: Vec<_> = bodies.filter(|body| is_usual(flow, body)).collect();
    let shaped = nodes().any(|node| is_skipped(node));
    let between = bodies
        .iter()
        .filter_map(|body| between(flow, body.end, body.start));
    let inside: HashSet<NodeId> = between.flatten().map(|node| node.id).collect();
    let activated = nodes().filter_map(|node| {
        let value = activation(flow, node, Kind::Convolution)?;
        let convolution = flow.source(value).filter(|&layer| !is_outer(flow, layer))?;
        let part = readers(value).any(|reader| is_by_channel(flow, reader));
        let usual = !is_pointwise(flow, convolution) && inside.contains(&node.id);
        let usual = usual || shaped && ends_block(flow, value);
        (!part).then_some((value, usual))
    });
    let grown = nodes().filter(|node| node.op() == "Concat");
    let grown = grown.flat_map(|node| connected(flow, node));
    activated.chain(grown.map(|value| (value, true))).collect()
}

/// True of a node whose result is pooled and also joined to something later: the way down of a U-shaped network.
fn is_skipped(node: NodeRef<'_>) -> bool {
    node.produced().any(|value| {
        let pooled = readers(value).any(|reader| is_pool(reader));
        pooled && readers(value).any(|reader| reader.op() == "Concat")
    })
}

fn is_pool(node: NodeRef<'_>) -> bool {
    node.operator()
        .is_some_and(|operator| operator.role == Role::Pool)
}

/// True of what no convolution of neighbours reads, unless it makes images larger.
fn ends_block<'m>(flow: &Flow<'m>, value: ValueRef<'m>) -> bool {
    readers(value).all(|reader| reader.op() != "Conv" || is_pointwise(flow, reader))
}

/// True of a convolution that reads the input of the model, or works on each channel separately.
fn is_outer<'m>(flow: &Flow<'m>, convolution: NodeRef<'m>) -> bool {
    let data = flow.data_inputs(convolution).first().copied();
    let stem = data.is_some_and(|data| flow.source(data).is_none());
    stem || is_by_channel(flow, convolution)
}

/// True of a branch of convolutions along one axis, or that begins with a normalization: a sum that is
/// normalized before its activation, as no exporter folds.
fn is_usual<'m>(flow: &Flow<'m>, body: &Branch<'m>) -> bool {
    let Some(last) = flow.source(body.end) else {
        return false;
    };
    let weights = last.input(1).and_then(|weights| dims(flow, weights));
    let sequence = weights.is_some_and(|dims| dims.len() == 3);
    let normalizes = |node: NodeRef<'m>| {
        let role = node.operator().map(|operator| operator.role);
        role == Some(Role::Normalisation)
    };
    let first = readers(body.start).any(normalizes);
    !is_pointwise(flow, last) && (sequence || first)
}

/// What convolutions make of a value that they are joined to.
fn connected<'m>(flow: &Flow<'m>, node: NodeRef<'m>) -> Vec<ValueRef<'m>> {
    let parts = flow.data_inputs(node);
    let last = parts.last().copied().filter(|&part| {
        let root = flow.root(part);
        let plain = root.is_some_and(|root| {
            matches!(root.source, Source::Layer(_, Kind::Convolution)) && !root.activated
        });
        let grows = |&&other: &&ValueRef<'m>| other != part && between(flow, part, other).is_some();
        // what Ghost modules add to their own input is made channel by channel
        let conv = |layer: NodeRef<'m>| layer.op() == "Conv" && !is_by_channel(flow, layer);
        let conv = flow.source(part).is_some_and(conv);
        plain && conv && parts.iter().any(|other| grows(&other))
    });
    let last = last.filter(|&part| is_used_once(part) || readers(part).all(|r| r.op() == "Concat"));
    last.map(|part| unmoved(flow, part)).into_iter().collect()
}
