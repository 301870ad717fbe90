//! What reads a dropout, in the model without it.

use std::collections::BTreeSet;

use crate::dropout::Site;
use crate::hash::HashSet;
use crate::onnx::{GraphId, GraphKind, NodeId, Use, ValueId};
use crate::semantics::view::{ValueRef, View};

/// A value that a dropout was applied to, and what read the dropout.
#[derive(Debug)]
pub(super) struct Spot {
    pub value: ValueId,
    pub uses: Vec<Use>,
}

/// Where a dropout was. `with`: the model with it; `without`: the same nodes, except for those that were
/// removed with dropout.
pub(super) fn spots(with: View<'_>, without: View<'_>, site: &Site) -> Vec<Spot> {
    let junctions = site.junctions.iter().map(|junction| junction.output);
    let own = site.output.filter(|_| site.junctions.is_empty());
    let outputs: BTreeSet<ValueId> = junctions.chain(own).collect();
    let mut search = Search {
        with,
        without,
        seen: HashSet::default(),
        found: Vec::new(),
    };
    for output in outputs {
        search.spread(with.value(output), site.calls.first().copied());
    }
    let mut spots: Vec<Spot> = Vec::new();
    for at in search.found {
        let Some(value) = used_at(without, at) else {
            continue;
        };
        match spots.iter_mut().find(|spot| spot.value == value) {
            Some(spot) => spot.uses.push(at),
            None => spots.push(Spot {
                value,
                uses: vec![at],
            }),
        }
    }
    spots
}

struct Search<'m> {
    with: View<'m>,
    without: View<'m>,
    seen: HashSet<ValueId>,
    found: Vec<Use>,
}

impl<'m> Search<'m> {
    /// Finds what uses a value, past nodes and calls that were removed. `call`: of those of its function.
    fn spread(&mut self, value: ValueRef<'m>, call: Option<NodeId>) {
        if !self.seen.insert(value.id) {
            return;
        }
        for at in value.uses() {
            match at {
                Use::Input { node, .. } if self.without.model.node(node).is_removed() => {
                    let next = self.with.node(node).produced();
                    next.for_each(|next| self.spread(next, None));
                }
                Use::Output { graph, output } => {
                    self.result((graph, output as usize), at, call);
                }
                Use::Input { .. } => self.found.push(at),
                Use::Annotation(_) | Use::Binding(_) | Use::Attribute(_) => {}
            }
        }
    }

    /// The output of a graph: of a function that was removed, what its calls gave.
    fn result(&mut self, (graph, output): (GraphId, usize), at: Use, call: Option<NodeId>) {
        let removed = match self.with.model.graph(graph).kind {
            GraphKind::Function(function) if self.without.model.is_removed_function(function) => {
                function
            }
            _ => return self.found.push(at),
        };
        let calls = self.with.nodes();
        let calls = calls.filter(|node| node.callee() == Some(removed));
        let calls = calls.filter(|node| call.is_none_or(|call| call == node.id));
        for result in calls.filter_map(|node| node.output(output)) {
            self.spread(result, None);
        }
    }
}

/// The value that is used somewhere.
pub(super) fn used_at(view: View<'_>, at: Use) -> Option<ValueId> {
    match at {
        Use::Input { node, input } => Some(view.node(node).input(input as usize)?.id),
        Use::Output { graph, output } => Some(view.graph_output(graph, output as usize)?.id),
        Use::Annotation(_) | Use::Binding(_) | Use::Attribute(_) => None,
    }
}
