//! Random operators that are not part of a dropout.

use crate::error::Result;
use crate::hash::HashSet;
use crate::onnx::{Name, NodeId};
use crate::semantics::draws::{Reach, Reached};
use crate::semantics::facts::{Facts, Runs};
use crate::semantics::view::NodeRef;

use super::{Site, random_mask};

/// An operator that draws random numbers, is not part of a dropout, and may change an output of the
/// model.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RandomOperator {
    /// The node.
    pub node: NodeId,
    /// The only output of the model that it may change; `None` if there are several.
    pub output: Option<Name>,
}

/// The random operators that belong to none of these sites, in file order.
///
/// # Errors
/// A constant cannot be read.
pub(super) fn find(facts: Facts<'_>, sites: &[Site]) -> Result<Vec<RandomOperator>> {
    let view = facts.view();
    let of_dropout: HashSet<NodeId> = sites.iter().flat_map(|site| site.nodes.clone()).collect();
    let others = facts
        .draws()
        .filter(|node| !of_dropout.contains(&node.id))
        .filter(|node| facts.runs(node.graph()) != Runs::Never);
    let others: Vec<NodeRef<'_>> = others.collect();
    if others.is_empty() {
        return Ok(Vec::new());
    }
    let ids: Vec<NodeId> = others.iter().map(|node| node.id).collect();
    let settled = random_mask::settled(facts, &ids)?;
    let reach = Reach::new(view);
    let others = others
        .into_iter()
        .filter(|node| !settled.contains(&node.id));
    let others = others.filter_map(|node| {
        let output = match reach.of(node.id) {
            Reached::Nothing => return None,
            Reached::Output(output) => Some(view.value(output).name.clone()),
            Reached::Several => None,
        };
        let node = node.id;
        Some(RandomOperator { node, output })
    });
    Ok(others.collect())
}
