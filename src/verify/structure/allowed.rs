//! Differences that count as equal, because a rewrite reports that it made them.

use serde::{Deserialize, Serialize};

use crate::hash::{HashMap, HashSet};
#[cfg(feature = "tract")]
use crate::onnx::Model;
use crate::onnx::{Attribute, GraphId, Name, NodeId, ValueId};
use crate::semantics::batch_norm::{OF_TRAINING, by_batch, is_batch_norm};
use crate::semantics::facts::Facts;
use crate::semantics::view::View;

/// What may differ between a model and the result of a rewrite, besides dropout.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Allowed {
    /// Factors of the model before that may be missing, each with the input that is its data.
    pub factors: Vec<(NodeId, usize)>,
    /// Weights that were scaled.
    pub weights: Vec<ScaledWeights>,
    /// Attributes that were scaled.
    pub attributes: Vec<ScaledAttribute>,
    /// Batch normalizations of the model before that are in training mode, and may be in inference form.
    pub inference_norms: Vec<NodeId>,
    /// Inputs that were removed from the main graph.
    pub removed_inputs: Vec<Name>,
    /// An input that was added to the main graph.
    pub added_input: Option<Name>,
    /// Names of outputs, which a document has among the options: those of the main graphs are paired by position.
    #[serde(skip)]
    pub output_names: bool,
}

/// Weights that were multiplied by a factor.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct ScaledWeights {
    /// The node of the model before that reads them.
    pub node: NodeId,
    /// Which of its inputs they are.
    pub input: usize,
    /// The graph of the model after that contains them.
    pub graph: GraphId,
    /// Their name there.
    pub name: Name,
}

/// An attribute that was multiplied by a factor.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct ScaledAttribute {
    /// The node of the model before.
    pub node: NodeId,
    /// The attribute.
    pub attribute: Name,
    /// The first output of the node in the model after.
    pub output: Name,
}

impl Allowed {
    /// True if no node or value of a model may differ.
    pub fn names_nothing(&self) -> bool {
        let named = Allowed {
            output_names: self.output_names,
            ..Allowed::default()
        };
        *self == named
    }

    /// True if two models have the nodes and graphs that it is about.
    #[cfg(feature = "tract")]
    pub(in crate::verify) fn fits(&self, before: &Model, after: &Model) -> bool {
        let factors = self.factors.iter().map(|(node, _)| *node);
        let nodes = factors.chain(self.weights.iter().map(|weights| weights.node));
        let nodes = nodes.chain(self.attributes.iter().map(|scaled| scaled.node));
        let mut nodes = nodes.chain(self.inference_norms.iter().copied());
        let mut graphs = self.weights.iter().map(|weights| weights.graph);
        nodes.all(|node| {
            let slots = || before.graph(node.graph).node_slots();
            before.has_graph(node.graph) && (node.index as usize) < slots()
        }) && graphs.all(|graph| after.has_graph(graph))
    }
}

/// The allowed differences, by node and value of one of the models.
#[derive(Debug, Default)]
pub(super) struct Exceptions {
    /// Factors, each with the input that is the data.
    factors: HashMap<NodeId, usize>,
    /// Of the model before: inputs that are scaled weights, by number.
    inputs: HashMap<(NodeId, usize), u32>,
    /// Of the model after: the same weights. They are not read.
    values: HashMap<ValueId, u32>,
    attributes: HashMap<NodeId, Vec<Name>>,
    /// Batch normalizations that are in inference form, or may be.
    norms: HashSet<NodeId>,
    /// Of the model after: names in place of those of the main graph's outputs.
    outputs: Vec<Name>,
}

impl Exceptions {
    pub fn before(allowed: &Allowed, facts: Facts<'_>) -> Exceptions {
        let mut exceptions = Exceptions {
            norms: inference_norms(facts, &allowed.inference_norms),
            factors: allowed.factors.iter().copied().collect(),
            ..Exceptions::default()
        };
        let numbers = numbers(allowed);
        for weights in &allowed.weights {
            let number = numbers[&(weights.graph, &weights.name)];
            let input = (weights.node, weights.input);
            exceptions.inputs.insert(input, number);
        }
        for scaled in &allowed.attributes {
            let names = exceptions.attributes.entry(scaled.node).or_default();
            names.push(scaled.attribute.clone());
        }
        exceptions
    }

    pub fn after(allowed: &Allowed, before: View<'_>, facts: Facts<'_>) -> Exceptions {
        let view = facts.view();
        let mut exceptions = Exceptions {
            norms: inference_norms(facts, &[]),
            ..Exceptions::default()
        };
        if allowed.output_names {
            let outputs = before.model.graph(before.model.main()).outputs.iter();
            exceptions.outputs = outputs.map(|info| info.name.clone()).collect();
        }
        for ((graph, name), number) in numbers(allowed) {
            if let Some(value) = view.lookup(graph, name) {
                exceptions.values.insert(value.id, number);
            }
        }
        for scaled in &allowed.attributes {
            let output = view.lookup(scaled.node.graph, &scaled.output);
            if let Some(node) = output.and_then(|output| output.node()) {
                let names = exceptions.attributes.entry(node.id).or_default();
                names.push(scaled.attribute.clone());
            }
        }
        exceptions
    }

    /// The input that a factor passes through.
    pub fn factor(&self, id: NodeId) -> Option<usize> {
        self.factors.get(&id).copied()
    }

    /// The number of an input of the model before that is weights which were scaled.
    pub fn weights(&self, id: NodeId, input: usize) -> Option<u32> {
        self.inputs.get(&(id, input)).copied()
    }

    /// The number of a value of the model after that is scaled weights.
    pub fn value(&self, value: ValueId) -> Option<u32> {
        self.values.get(&value).copied()
    }

    /// The name that an output of the main graph is compared by, if it is not its own.
    pub fn output(&self, output: usize) -> Option<&Name> {
        self.outputs.get(output)
    }

    /// True of a batch normalization in inference form, or that is compared as if it were.
    pub fn infers(&self, id: NodeId) -> bool {
        self.norms.contains(&id)
    }

    /// True of an attribute that was scaled, or that matters in training alone.
    pub fn has(&self, id: NodeId, attribute: &Attribute) -> bool {
        if self.infers(id) {
            return OF_TRAINING.iter().any(|name| attribute.name == *name);
        }
        let names = self.attributes.get(&id);
        names.is_some_and(|names| names.contains(&attribute.name))
    }
}

/// The batch normalizations of a model, without those in training mode except for these.
fn inference_norms(facts: Facts<'_>, also: &[NodeId]) -> HashSet<NodeId> {
    let view = facts.view();
    let mut training: HashSet<NodeId> = by_batch(facts).map(|node| node.id).collect();
    also.iter().for_each(|id| {
        training.remove(id);
    });
    let norms = view.nodes().filter(|node| is_batch_norm(*node));
    let norms = norms.map(|node| node.id);
    norms.filter(|id| !training.contains(id)).collect()
}

/// Numbers of scaled weights, by where they are in the model after: several nodes may read them.
fn numbers(allowed: &Allowed) -> HashMap<(GraphId, &Name), u32> {
    let mut numbers = HashMap::default();
    for weights in &allowed.weights {
        let next = numbers.len() as u32;
        numbers
            .entry((weights.graph, &weights.name))
            .or_insert(next);
    }
    numbers
}
