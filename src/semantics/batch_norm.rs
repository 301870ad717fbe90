//! The two forms of batch normalization: by the statistics of the batch, in training, and by running
//! statistics, at inference.
//!
//! Source: ONNX `docs/Changelog.md`, BatchNormalization-1, -6, -7, -9, -14, -15.

use crate::hash::HashSet;
use crate::onnx::{Attribute, AttributeValue, Name};

use super::facts::{Dim, Facts};
use super::operator::{Elements, Operator};
use super::view::{NodeRef, ValueRef};

/// The attributes that matter in training alone: the first two choose it.
pub(crate) const OF_TRAINING: [&str; 3] = ["training_mode", "is_test", "momentum"];

/// True of a `BatchNormalization` of ONNX.
pub(crate) fn is_batch_norm(node: NodeRef<'_>) -> bool {
    node.op() == "BatchNormalization" && node.callee().is_none()
}

/// Each `BatchNormalization` that normalizes by the statistics of the current batch: in a function, if a
/// call asks for it.
pub(crate) fn by_batch(facts: Facts<'_>) -> impl Iterator<Item = NodeRef<'_>> {
    let view = facts.view();
    let trains = move |node: &NodeRef<'_>| {
        let Some(opset) = view.model.opset(node.graph(), "") else {
            return false;
        };
        let several = node.outputs().skip(1).any(|output| output.is_some());
        match opset {
            ..=6 => several && passes(facts, *node, "is_test", |on| !on),
            7..=13 => several,
            _ => passes(facts, *node, "training_mode", |on| on),
        }
    };
    let norms = view.nodes().filter(|&node| is_batch_norm(node));
    norms.filter(trains)
}

/// Each mean of squares over a batch, of data whose mean is taken over the same axes and which it scales: batch
/// normalization that is written out, as tf2onnx and JAX do. With the data.
pub(crate) fn written_out<'m>(
    facts: Facts<'m>,
) -> impl Iterator<Item = (NodeRef<'m>, ValueRef<'m>)> {
    let axes = move |mean: NodeRef<'m>| facts.integers(mean.id, 1, "axes");
    let means = facts.view().nodes().filter(|node| node.is("ReduceMean"));
    means.filter_map(move |node| {
        let squared = squared(node.input(0)?.node()?)?;
        let centred = squared.node().filter(|node| node.is("Sub"));
        let over = axes(node).filter(|axes| axes.contains(&0))?;
        let is_mean = |(mean, _): (NodeRef<'m>, usize)| {
            mean.is("ReduceMean") && axes(mean).as_ref() == Some(&over)
        };
        let data = [centred.and_then(|sub| sub.input(0)), Some(squared)];
        let mut data = data.into_iter().flatten();
        let data = data.find(|data| data.readers().any(is_mean))?;
        // a first axis of 1 is no batch: Keras 2 lays rows out as channels for its LayerNormalization
        let of_batch = facts
            .shape(data.id)
            .dims()
            .is_none_or(|dims| over.len() < dims.len() && dims.first() != Some(&Dim::Size(1)));
        (of_batch && scales(node, data)).then_some((node, data))
    })
}

/// True if data is scaled by what is computed from its variance, element by element: not where the variance is a
/// feature of its own, as in statistics pooling.
fn scales(variance: NodeRef<'_>, data: ValueRef<'_>) -> bool {
    let data = unmoved(data);
    let is_data = |value: ValueRef<'_>| {
        let value = unmoved(value);
        let centred = value.node().filter(|node| node.is("Sub"));
        let centred = centred.and_then(|sub| sub.input(0)).map(unmoved);
        value == data || centred == Some(data)
    };
    let mut seen = HashSet::default();
    let mut open: Vec<ValueRef<'_>> = variance.produced().collect();
    while let Some(value) = open.pop() {
        for (node, _) in value.readers() {
            let scales = node.is("Mul") || node.is("Div") || is_batch_norm(node);
            if scales && node.given().any(|(_, value)| is_data(value)) {
                return true;
            }
            let follows =
                |operator: &Operator| operator.elements == Elements::Map || operator.passes();
            if node.operator().is_some_and(follows) && seen.insert(node.id) {
                open.extend(node.produced());
            }
        }
    }
    false
}

/// A value before operators that only move its elements about, or cast them.
fn unmoved(mut value: ValueRef<'_>) -> ValueRef<'_> {
    let mut seen = HashSet::default();
    while let Some(node) = value.node()
        && node.operator().is_some_and(Operator::passes)
        && let Some(data) = node.input(0)
        && seen.insert(node.id)
    {
        value = data;
    }
    value
}

/// What a node squares.
fn squared(node: NodeRef<'_>) -> Option<ValueRef<'_>> {
    let (base, other) = (node.input(0)?, node.input(1)?);
    (node.is("Pow") || node.is("Mul") && base == other).then_some(base)
}

/// True if an attribute is on, or off, as asked: in a function, for one of its calls.
fn passes(
    facts: Facts<'_>,
    node: NodeRef<'_>,
    attribute: &str,
    asked: impl Fn(bool) -> bool,
) -> bool {
    let mut open = vec![(node, Name::from(attribute))];
    let mut seen = HashSet::default();
    while let Some((node, name)) = open.pop() {
        let function = node.view().function_of(node.graph());
        let passed = match value_of(&node.get().attributes, &name) {
            Some(AttributeValue::Reference(passed, _)) => function.map(|f| (f, passed)),
            given if asked(is_on(given)) => return true,
            _ => None,
        };
        let Some((function, passed)) = passed.filter(|passed| seen.insert(*passed)) else {
            continue;
        };
        for &call in facts.calls().of(function) {
            let call = node.view().node(call);
            let defaults = &node.view().model.functions()[function].defaults;
            match value_of(&call.get().attributes, passed) {
                Some(_) => open.push((call, passed.clone())),
                None if asked(is_on(value_of(defaults, passed))) => return true,
                None => {}
            }
        }
    }
    false
}

fn is_on(value: Option<&AttributeValue>) -> bool {
    matches!(value, Some(AttributeValue::Int(on)) if *on != 0)
}

fn value_of<'m>(attributes: &'m [Attribute], name: &Name) -> Option<&'m AttributeValue> {
    let attribute = attributes.iter().rev().find(|given| given.name == *name);
    attribute.map(|attribute| &attribute.value)
}
