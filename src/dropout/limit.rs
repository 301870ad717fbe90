//! Where a search for dropout stopped early: whatever lies beyond was not looked at.

use std::cell::RefCell;
use std::collections::BTreeSet;

use crate::onnx::NodeId;

/// A search that stopped at a limit: there may be dropout that was not found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub struct Limit {
    /// The node the search was about: the draw, or the operator whose constant was followed.
    pub node: NodeId,
    /// The limit, in words.
    pub what: &'static str,
}

/// Records each limit once, however often a search runs into it.
#[derive(Debug, Default)]
pub(super) struct Limits(RefCell<BTreeSet<Limit>>);

impl Limits {
    pub fn reached(&self, node: NodeId, what: &'static str) {
        self.0.borrow_mut().insert(Limit { node, what });
    }

    /// All of them, in file order.
    pub fn into_vec(self) -> Vec<Limit> {
        self.0.into_inner().into_iter().collect()
    }
}
