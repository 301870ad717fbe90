//! What strip did.

use serde::Serialize;
use serde_json::Value;

use super::{Step, fold, rewrite};
use crate::audit::SiteRecord;
use crate::dropout::Convention;
use crate::error::Result;
use crate::job::Ended;
use crate::onnx::Name;
use crate::rewrite::Identity;
use crate::rewrite::fold::Folded;
use crate::rewrite::strip::{Assumed, Stripped};

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct Strip<'r> {
    /// The dropouts of the model.
    sites: Vec<SiteRecord>,
    /// A step for each dropout: remove, keep or refuse.
    plan: Vec<Step>,
    removed: Removed<'r>,
    /// Masks in use, replaced by all true.
    masks: &'r [Name],
    /// Scales that inference needs.
    scales: Vec<Scale<'r>>,
    /// What dropout means at inference where the file does not declare it.
    convention: Convention,
    /// Masks that do not scale, with the scale that was assumed of inference.
    assumed: &'r [Assumed],
    /// Batch normalizations in training mode.
    batchnorm: Vec<Norm<'r>>,
    /// Values that an Identity is left for.
    identities: &'r [Identity],
    /// Inputs that are no longer used.
    idle_inputs: &'r [Name],
    left: Left,
    /// The fold after it, if there was one.
    fold: Option<fold::Fold<'r>>,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Removed<'r> {
    dropouts: usize,
    /// Inputs that only dropout used.
    inputs: &'r [Name],
    /// Nodes left unused.
    nodes: &'r [Name],
    /// Initializers left unused.
    initializers: &'r [Name],
    /// Functions that are no longer called.
    functions: &'r [Name],
    /// The number of states of loops that carried a mask.
    loop_states: usize,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Scale<'r> {
    value: &'r Name,
    scale: f64,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Norm<'r> {
    node: &'r str,
    /// infer, keep or refuse.
    #[serde(flatten)]
    step: Step,
    /// True if its running statistics are those of a layer that was never trained.
    untrained: bool,
}

/// Parts of the result that still act.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Left {
    dropouts: usize,
    frozen_masks: usize,
    random_operators: usize,
    unloadable_operators: usize,
    batchnorm: usize,
}

/// The document of a strip, and of the fold that followed it.
///
/// # Errors
/// Weights that must be compared cannot be read.
pub fn strip(end: &Ended<'_>, stripped: &Stripped, folded: Option<&Folded>) -> Result<Value> {
    let model = end.job.model();
    let sites = stripped.sites.iter();
    let steps = stripped.plan.steps.iter();
    let outcome = &stripped.outcome;
    let left = stripped.left()?;
    let norms = stripped.batch_norms.iter().map(|norm| Norm {
        node: &norm.label,
        step: Step::of(&norm.action, ["infer", "keep", "refuse"]),
        untrained: norm.untrained,
    });
    let parts = Strip {
        sites: SiteRecord::all(model, sites),
        plan: steps
            .map(|step| Step::of(&step.action, ["remove", "keep", "refuse"]))
            .collect(),
        removed: Removed {
            dropouts: outcome.removed,
            inputs: &outcome.pruned_inputs,
            nodes: &outcome.nodes,
            initializers: &outcome.initializers,
            functions: &outcome.functions,
            loop_states: outcome.states.iter().map(|(_, count)| count).sum(),
        },
        masks: &outcome.masks,
        scales: outcome
            .scales
            .iter()
            .map(|&(ref value, scale)| Scale { value, scale })
            .collect(),
        convention: stripped.plan.convention,
        assumed: &outcome.assumed,
        batchnorm: norms.collect(),
        identities: &outcome.identities,
        idle_inputs: &outcome.idle_inputs,
        left: Left {
            dropouts: left.acting.values().sum(),
            frozen_masks: left.frozen,
            random_operators: left.random,
            unloadable_operators: left.unloadable,
            batchnorm: left.batch_norms,
        },
        fold: folded.map(fold::Fold::of),
    };
    rewrite("strip", end, parts)
}
