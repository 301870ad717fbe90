//! What fold did.

use serde::Serialize;
use serde_json::Value;

use super::{Step, rewrite};
use crate::error::Result;
use crate::job::Ended;
use crate::onnx::Name;
use crate::rewrite::fold::{Folded, Outcome};

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct Fold<'r> {
    /// The constant factors.
    factors: Vec<Factor<'r>>,
    #[serde(flatten)]
    outcome: &'r Outcome,
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
        let factors = folded.plan.steps.iter().map(|step| Factor {
            node: &step.label,
            value: &step.value,
            factor: step.factor.as_ref().map(ToString::to_string),
            elements: step.factor.as_ref().map_or(0, |of| of.elements.len()),
            step: Step::of(&step.action, ["fold", "keep", "keep"]),
            into: &step.into,
            through: &step.through,
        });
        Fold {
            factors: factors.collect(),
            outcome: &folded.outcome,
        }
    }
}
