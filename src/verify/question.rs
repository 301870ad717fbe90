//! The question that a verification answers: everything it depends on besides the two models, as data
//! that a document can have.

mod changed;
mod claim;
mod folded;
mod how;

use serde::{Deserialize, Serialize};

use super::Options;
use super::acting::Expected;
use super::structure::Allowed;
use crate::dropout::{Side, Site};
use crate::onnx::{DataType, GraphId, Model, NodeId};
use crate::semantics::view::View;
use changed::Changed;
use claim::Claim;
use folded::Folded;
use how::How;

/// What is compared with what, and how.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(crate) struct Question {
    /// What the second model is to the first.
    pub(super) result: Relation,
    /// How the models were compared.
    pub(super) how: How,
}

/// What the second model is to the first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case", tag = "is", deny_unknown_fields)]
pub(super) enum Relation {
    /// Any other model.
    Other,
    /// Its inference form.
    Stripped {
        /// The masks that were removed, and under the classic convention the operators.
        claims: Vec<Claim>,
        /// Batch normalizations of the first model that are in inference form in the second.
        inference_norms: Vec<Place>,
        /// Inputs that were removed.
        removed_inputs: Vec<String>,
    },
    /// The same with factors folded into weights.
    Folded(Folded),
    /// The same with dropout that was inserted or set.
    Changed(Changed),
}

impl Question {
    fn new(result: Relation, options: &Options) -> Option<Question> {
        let how = How::of(options)?;
        Some(Question { result, how })
    }

    /// Of two models. `None`, here and below: the options are for data that no document can have.
    pub fn other(options: &Options) -> Option<Question> {
        Question::new(Relation::Other, options)
    }

    /// Of a model, and the same without these masks.
    pub fn stripped(
        view: View<'_>,
        removed: &[&Site],
        allowed: &Allowed,
        options: &Options,
    ) -> Option<Question> {
        let masks = removed.iter();
        let masks = masks.filter(|site| !site.exits.is_empty() || site.is_classic());
        let norms = allowed.inference_norms.iter();
        let inputs = allowed.removed_inputs.iter();
        let result = Relation::Stripped {
            claims: masks.map(|site| Claim::of(view, site)).collect(),
            inference_norms: norms.copied().map(Place::from).collect(),
            removed_inputs: inputs.map(ToString::to_string).collect(),
        };
        Question::new(result, options)
    }

    /// Of a model, and a fold of it.
    pub fn folded(
        allowed: &Allowed,
        (exact, rounded): (bool, &[DataType]),
        options: &Options,
    ) -> Option<Question> {
        let folded = Folded::of(allowed, exact, rounded);
        Question::new(Relation::Folded(folded), options)
    }

    /// Of a model, and the same with this dropout in it.
    pub fn changed(after: View<'_>, expected: &Expected, options: &Options) -> Option<Question> {
        let changed = Changed::of(after, expected);
        Question::new(Relation::Changed(changed), options)
    }
}

/// The masks that were removed, with the facts that are claimed. Each mask that the second model lacks needs
/// a claim.
pub(super) fn removed(
    before: Side<'_>,
    after: Side<'_>,
    claims: &[Claim],
) -> Result<Vec<Site>, String> {
    let masks = |side: Side<'_>| {
        let masks = side.sites.iter().filter(|site| !site.exits.is_empty());
        masks.count()
    };
    let unclaimed = before.sites.iter().filter(|site| {
        let claimed = claims.iter().any(|claim| claim.is_about(site));
        !site.exits.is_empty() && !claimed
    });
    let unclaimed: Vec<&Site> = unclaimed.collect();
    if unclaimed.len() > masks(after) {
        let place = before.view.model.place(unclaimed[0].nodes[0]);
        return Err(format!("it claims nothing about {place}"));
    }
    let claims = claims.iter();
    claims
        .map(|claim| claim.site(before.view, before.sites))
        .collect()
}

/// A node, by its graph (in the order of the file) and its place in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct Place {
    /// The graph.
    graph: u32,
    /// The index of the node in it.
    node: u32,
}

impl From<NodeId> for Place {
    fn from(id: NodeId) -> Place {
        Place {
            graph: id.graph.0,
            node: id.index,
        }
    }
}

impl Place {
    /// The node, if a model has it.
    pub(super) fn of(self, model: &Model) -> Option<NodeId> {
        let graph = graph(model, self.graph)?;
        let index = self.node;
        ((index as usize) < model.graph(graph).node_slots()).then_some(NodeId { graph, index })
    }
}

/// The graph of a model at this place in the file.
fn graph(model: &Model, index: u32) -> Option<GraphId> {
    let mut graphs = model.graphs().map(|(id, _)| id);
    graphs.find(|id| id.0 == index)
}
