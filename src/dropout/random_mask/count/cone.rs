//! All that a draw and constants make.

use std::collections::BTreeSet;

use crate::hash::HashSet;
use crate::onnx::{NodeId, Use, ValueId};
use crate::semantics::operator::Role;
use crate::semantics::view::ValueRef;

use super::super::Finder;

/// What a draw makes without data.
#[derive(Debug, Default)]
pub(super) struct Cone {
    pub values: HashSet<ValueId>,
    pub nodes: HashSet<NodeId>,
    /// The nodes in order.
    pub order: Vec<NodeId>,
    /// Values of zeros and ones.
    pub bits: HashSet<ValueId>,
    /// Values in which MaxPool has spread what was drawn.
    pub blocks: HashSet<ValueId>,
    /// Nodes that read data besides, in order.
    pub meetings: Vec<NodeId>,
    pub drawn: Option<ValueId>,
}

impl Cone {
    pub fn has(&self, value: ValueId) -> bool {
        self.values.contains(&value)
    }
}

impl Finder<'_> {
    pub(super) fn cone(&self, drawn: ValueId) -> Cone {
        let mut cone = Cone {
            drawn: Some(drawn),
            ..Cone::default()
        };
        let mut open: BTreeSet<(usize, NodeId)> = BTreeSet::new();
        self.join_cone(drawn, &mut cone, &mut open);
        while let Some((_, id)) = open.pop_first() {
            let node = self.view.node(id);
            let mut reads = node
                .inputs()
                .enumerate()
                .filter_map(|(i, value)| Some((i, value?)));
            let own = |(input, value): (usize, ValueRef<'_>)| {
                !self.reads_values(id, input) || cone.has(value.id) || self.is_fixed(value.id)
            };
            let plain = node
                .operator()
                .is_some_and(|op| !matches!(op.role, Role::Control(_)));
            if !plain || !reads.all(own) {
                cone.meetings.push(id);
                continue;
            }
            cone.nodes.insert(id);
            cone.order.push(id);
            let mut given = node.inputs().flatten();
            let blocks = node.is("MaxPool") || given.any(|value| cone.blocks.contains(&value.id));
            if let Some(output) = node.output(0) {
                self.join_cone(output.id, &mut cone, &mut open);
                cone.blocks.extend(Some(output.id).filter(|_| blocks));
            }
        }
        cone
    }

    fn join_cone(&self, value: ValueId, cone: &mut Cone, open: &mut BTreeSet<(usize, NodeId)>) {
        cone.values.insert(value);
        for at in self.uses(value) {
            if let Use::Input { node, input } = at
                && self.reads_values(node, input as usize)
            {
                let rank = self.rank.get(&node).copied().unwrap_or(usize::MAX);
                open.insert((rank, node));
            }
        }
    }
}
