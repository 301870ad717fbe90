//! The matches of two models, found graph by graph: by names first, then by what is computed.

use std::collections::VecDeque;

use super::matching::Matching;
use super::structural;
use crate::error::Result;
use crate::onnx::{Attribute, GraphId};
use crate::semantics::view::View;

/// Matches these graphs, and then those inside their nodes.
pub(super) fn matching<'m>(
    before: View<'m>,
    after: View<'m>,
    roots: Vec<(GraphId, GraphId)>,
) -> Result<Matching<'m>> {
    let mut matching = Matching::new(before, after);
    let mut queue = VecDeque::from(roots);
    while let Some((a, b)) = queue.pop_front() {
        matching.graphs.push((a, b));
        matching.by_names(a, b);
        structural::match_nodes(&mut matching, a, b)?;
        matching.by_numbers(a, b);
        structural::match_nodes(&mut matching, a, b)?;
        matching.remaining_weights(a, b);
        for node in before.nodes_of(a) {
            let Some(&other) = matching.nodes.get(&node.id) else {
                continue;
            };
            let other = after.node(other);
            for attribute in &node.attributes {
                let graphs = attribute.graphs();
                let of_name = (other.attributes.iter().rev())
                    .find(|o| o.name == attribute.name)
                    .map_or(&[][..], Attribute::graphs);
                queue.extend(graphs.iter().copied().zip(of_name.iter().copied()));
            }
        }
    }
    Ok(matching)
}
