//! A fold in a document.

use serde::{Deserialize, Serialize};

use super::{Place, graph};
use crate::onnx::{DataType, Model};

use crate::verify::structure::{Allowed, ScaledAttribute, ScaledWeights};

/// A fold.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(in crate::verify) struct Folded {
    /// Factors that were removed, each with the input that is its data.
    factors: Vec<Input>,
    /// Weights that were scaled.
    weights: Vec<Weights>,
    /// Attributes that were scaled.
    attributes: Vec<Scaled>,
    /// Whether every factor is a power of two.
    pub exact: bool,
    /// Element types whose rounding differs.
    rounded: Vec<String>,
}

/// An input of a node of the first model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
struct Input {
    /// The node.
    node: Place,
    /// Which input.
    input: usize,
}

/// Weights that were scaled.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
struct Weights {
    /// Where the first model reads them.
    of: Input,
    /// The graph of the second model that has them.
    graph: u32,
    /// Their name there.
    name: String,
}

/// An attribute that was scaled.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
struct Scaled {
    /// The node of the first model.
    node: Place,
    /// The attribute.
    attribute: String,
    /// The first output of the node in the second model.
    output: String,
}

impl Folded {
    pub fn of(allowed: &Allowed, exact: bool, rounded: &[DataType]) -> Folded {
        let input = |(node, input): (_, usize)| Input {
            node: Place::from(node),
            input,
        };
        let weights = allowed.weights.iter().map(|weights| Weights {
            of: input((weights.node, weights.input)),
            graph: weights.graph.0,
            name: weights.name.to_string(),
        });
        let attributes = allowed.attributes.iter().map(|scaled| Scaled {
            node: scaled.node.into(),
            attribute: scaled.attribute.to_string(),
            output: scaled.output.to_string(),
        });
        Folded {
            factors: allowed.factors.iter().copied().map(input).collect(),
            weights: weights.collect(),
            attributes: attributes.collect(),
            exact,
            rounded: rounded.iter().map(ToString::to_string).collect(),
        }
    }

    /// The changes and the element types whose rounding differs, if both models have what they are about.
    pub fn folds(&self, before: &Model, after: &Model) -> Option<(Allowed, Vec<DataType>)> {
        let rounded = self.rounded.iter().map(|name| DataType::from_name(name));
        Some((
            self.allowed(before, after)?,
            rounded.collect::<Option<_>>()?,
        ))
    }

    fn allowed(&self, before: &Model, after: &Model) -> Option<Allowed> {
        let input = |input: &Input| Some((input.node.of(before)?, input.input));
        let weights = self.weights.iter().map(|weights| {
            let (node, input) = input(&weights.of)?;
            Some(ScaledWeights {
                node,
                input,
                graph: graph(after, weights.graph)?,
                name: weights.name.as_str().into(),
            })
        });
        let attributes = self.attributes.iter().map(|scaled| {
            Some(ScaledAttribute {
                node: scaled.node.of(before)?,
                attribute: scaled.attribute.as_str().into(),
                output: scaled.output.as_str().into(),
            })
        });
        Some(Allowed {
            factors: self.factors.iter().map(input).collect::<Option<_>>()?,
            weights: weights.collect::<Option<_>>()?,
            attributes: attributes.collect::<Option<_>>()?,
            ..Allowed::default()
        })
    }
}
