//! What happens to one factor.

use crate::onnx::{Name, NodeId};
use crate::rewrite::Action;
use crate::semantics::view::NodeRef;

use super::factor::Factor;
use super::factors::Candidate;

/// What happens to one factor.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Step {
    /// The Mul or Div.
    pub node: NodeId,
    /// Which of its inputs is the data.
    pub data: usize,
    /// Its place in words.
    pub label: String,
    /// Its output.
    pub value: Name,
    /// What it multiplies by, where that is known.
    pub factor: Option<Factor>,
    /// [`Action::Refused`] leaves this one factor where it is.
    pub action: Action,
    /// Nodes whose weights or attributes take it.
    pub into: Vec<String>,
    /// Nodes it passes on the way.
    pub through: Vec<String>,
}

impl Step {
    pub(super) fn new(node: NodeRef<'_>, candidate: &Candidate, action: Action) -> Step {
        Step {
            node: node.id,
            data: candidate.data,
            label: node.place(),
            value: node.get().output(0).cloned().unwrap_or_default(),
            factor: candidate.factor.clone().ok(),
            action,
            into: Vec::new(),
            through: Vec::new(),
        }
    }
}
