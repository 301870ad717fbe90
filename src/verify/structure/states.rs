//! The states of a Loop or Scan: values that each iteration passes to the next.

use std::collections::BTreeSet;

use crate::onnx::{GraphId, NodeId};
use crate::semantics::view::NodeRef;

/// The states of a node, and which of them an output depends on.
#[derive(Debug)]
pub(super) struct States {
    pub node: NodeId,
    /// Inputs before the states: trip count and condition of a Loop.
    pub inputs_before: usize,
    /// Outputs of the body before the states: the condition of a Loop.
    pub outputs_before: usize,
    pub count: usize,
    pub reachable: BTreeSet<usize>,
}

impl States {
    /// The body of a Loop or Scan, and its states. `None` where the node is not as the operator is
    /// defined.
    pub fn of(node: NodeRef<'_>) -> Option<(GraphId, States)> {
        let (inputs_before, outputs_before) = match node.op() {
            "Loop" => (2, 1),
            // Scan-8 has batches and another order of inputs
            "Scan" if node.view().model.opset(node.graph(), "")? >= 9 => (0, 0),
            _ => return None,
        };
        let body = node.body("body")?;
        let scanned = usize::try_from(node.int("num_scan_inputs", 0)).ok()?;
        let count = node.inputs.len().checked_sub(inputs_before + scanned)?;
        let graph = node.view().model.graph(body);
        let fits = graph.inputs.len() == node.inputs.len()
            && graph.outputs.len() >= outputs_before + count;
        let states = States {
            node: node.id,
            inputs_before,
            outputs_before,
            count,
            reachable: BTreeSet::new(),
        };
        fits.then_some((body, states))
    }

    /// The inputs of the node, or of the body, that are left without states that nothing depends on.
    pub fn inputs(&self, count: usize) -> Vec<usize> {
        self.left(self.inputs_before, count)
    }

    /// The outputs of the body that are left.
    pub fn body_outputs(&self, count: usize) -> Vec<usize> {
        self.left(self.outputs_before, count)
    }

    /// The outputs of the node that are left.
    pub fn outputs(&self, count: usize) -> Vec<usize> {
        self.left(0, count)
    }

    fn left(&self, before: usize, count: usize) -> Vec<usize> {
        let unused = |place: &usize| match place.checked_sub(before) {
            Some(state) => state < self.count && !self.reachable.contains(&state),
            None => false,
        };
        (0..count).filter(|place| !unused(place)).collect()
    }
}
