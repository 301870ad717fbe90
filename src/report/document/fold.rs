//! What fold did.

use serde::Serialize;
use serde_json::Value;

use super::{Identity, Step, identities, rewrite};
use crate::error::Result;
use crate::job::Ended;
use crate::onnx::Name;
use crate::rewrite::fold::Folded;

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct Fold<'r> {
    /// The constant factors.
    factors: Vec<Factor<'r>>,
    /// The number of factors that were folded.
    folded: usize,
    /// Weights that were scaled.
    weights: Vec<Weight<'r>>,
    /// Weights that were copied first.
    copies: Vec<Weight<'r>>,
    /// Weights that are no longer external data.
    embedded: &'r [Name],
    /// Weights with elements that became so small that digits are lost.
    lost: Vec<Lost<'r>>,
    /// Attributes that were scaled.
    attributes: Vec<Attribute<'r>>,
    identities: Vec<Identity<'r>>,
    /// Initializers left unused.
    removed: &'r [Name],
    /// Inputs that are no longer used.
    idle_inputs: &'r [Name],
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Factor<'r> {
    node: &'r str,
    value: &'r Name,
    factor: Option<String>,
    elements: usize,
    /// fold or keep.
    #[serde(flatten)]
    step: Step,
    /// Nodes whose weights or attributes take it.
    into: &'r [String],
    /// Nodes it passes on the way.
    through: &'r [String],
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Weight<'r> {
    name: &'r Name,
    /// The weight that this is a copy of.
    #[serde(skip_serializing_if = "Option::is_none")]
    of: Option<&'r Name>,
    bytes: u64,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Lost<'r> {
    name: &'r Name,
    /// The number of those elements.
    elements: u64,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Attribute<'r> {
    node: &'r str,
    name: &'static str,
    /// Its new value.
    is: f32,
}

/// The document of a fold.
///
/// # Errors
/// Weights that must be compared cannot be read.
pub fn fold(end: &Ended<'_>, folded: &Folded) -> Result<Value> {
    rewrite("fold", end, Fold::of(folded))
}

impl Fold<'_> {
    /// What was planned and done.
    pub fn of(folded: &Folded) -> Fold<'_> {
        let outcome = &folded.outcome;
        let factors = folded.plan.steps.iter().map(|step| Factor {
            node: &step.label,
            value: &step.value,
            factor: step.factor.as_ref().map(ToString::to_string),
            elements: step.factor.as_ref().map_or(0, |of| of.elements.len()),
            step: Step::of(&step.action, ["fold", "keep", "keep"]),
            into: &step.into,
            through: &step.through,
        });
        let weight = |name, of, bytes| Weight { name, of, bytes };
        let weights = outcome.weights.iter();
        let copies = outcome.copies.iter();
        let lost = outcome.lost.iter();
        let attributes = outcome.attributes.iter();
        Fold {
            factors: factors.collect(),
            folded: outcome.folded,
            weights: weights
                .map(|(name, bytes)| weight(name, None, *bytes))
                .collect(),
            copies: copies
                .map(|(name, of, bytes)| weight(name, Some(of), *bytes))
                .collect(),
            embedded: &outcome.embedded,
            lost: lost
                .map(|&(ref name, elements)| Lost { name, elements })
                .collect(),
            attributes: attributes
                .map(|&(ref node, name, is)| Attribute { node, name, is })
                .collect(),
            identities: identities(&outcome.identities),
            removed: &outcome.removed,
            idle_inputs: &outcome.idle_inputs,
        }
    }
}
