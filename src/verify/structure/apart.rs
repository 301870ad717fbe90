//! What a comparison takes as equal, because fold says that it changed it.

use crate::hash::HashMap;
use crate::onnx::{Attribute, Model, NodeId, Producer, ValueId, Values};
use crate::rewrite::fold::{Trace, TracedWeights};

/// Of one model.
#[derive(Debug, Default)]
pub(super) struct Apart {
    /// Factors, each with the input that is the data.
    factors: HashMap<NodeId, usize>,
    /// Of the model before: inputs that are weights, by number.
    inputs: HashMap<(NodeId, usize), u32>,
    /// Of the model after: the same weights. They are not read.
    values: HashMap<ValueId, u32>,
    /// Attributes with a factor.
    attributes: HashMap<NodeId, Vec<&'static str>>,
}

impl Apart {
    /// Of the model before.
    pub fn before(changed: &Trace) -> Apart {
        let mut apart = Apart {
            factors: changed.factors.iter().copied().collect(),
            ..Apart::default()
        };
        for weights in &changed.weights {
            let number = number(changed, weights);
            apart.inputs.insert((weights.node, weights.input), number);
        }
        for traced in &changed.attributes {
            let names = apart.attributes.entry(traced.node).or_default();
            names.push(traced.attribute);
        }
        apart
    }

    /// Of the model after.
    pub fn after(changed: &Trace, model: &Model, values: &Values) -> Apart {
        let mut apart = Apart::default();
        for weights in &changed.weights {
            if let Some(value) = values.lookup(model, weights.graph, &weights.name) {
                apart.values.insert(value, number(changed, weights));
            }
        }
        for traced in &changed.attributes {
            let value = values.lookup(model, traced.node.graph, &traced.output);
            if let Some(value) = value
                && let Producer::Node { node, .. } = values[value].producer
            {
                let names = apart.attributes.entry(node).or_default();
                names.push(traced.attribute);
            }
        }
        apart
    }

    /// The input that a factor passes on.
    pub fn factor(&self, id: NodeId) -> Option<usize> {
        self.factors.get(&id).copied()
    }

    /// The number of an input that is weights which will have a factor.
    pub fn weights(&self, id: NodeId, input: usize) -> Option<u32> {
        self.inputs.get(&(id, input)).copied()
    }

    /// The number of a value that is weights with a factor.
    pub fn value(&self, value: ValueId) -> Option<u32> {
        self.values.get(&value).copied()
    }

    /// True of an attribute that has a factor.
    pub fn has(&self, id: NodeId, attribute: &Attribute) -> bool {
        let names = self.attributes.get(&id);
        names.is_some_and(|names| names.iter().any(|name| attribute.name == *name))
    }
}

/// Weights by where they are in the model after: several nodes may use them.
fn number(changed: &Trace, weights: &TracedWeights) -> u32 {
    let same = changed.weights.iter();
    let mut same = same
        .enumerate()
        .filter(|(_, other)| other.graph == weights.graph && other.name == weights.name);
    same.next().map_or(0, |(index, _)| index as u32)
}
