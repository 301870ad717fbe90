//! States of Loops and Scans.

use crate::error::Result;
use crate::onnx::attribute::Attribute;
use crate::onnx::node::NodeId;
use crate::onnx::values::Values;

use super::{Editor, INPUT, OUTPUT};

/// The indices of a state of a Loop or Scan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct StatePlaces {
    /// Input of the node.
    pub input: usize,
    /// Input of the body.
    pub formal: usize,
    /// Output of the body.
    pub next: usize,
    /// Output of the node.
    pub output: usize,
}

impl Editor<'_> {
    /// Removes states of Loops and Scans: the inputs and outputs of the node and its body. Values are
    /// found anew, so earlier ids are no longer valid.
    ///
    /// # Errors
    /// As [`Editor::finish`].
    pub fn remove_states(&mut self, states: &[(NodeId, Vec<StatePlaces>)]) -> Result<()> {
        self.settle()?;
        for (id, places) in states {
            let body = self.model.node(*id).attribute("body");
            let Some(&[body]) = body.map(Attribute::graphs) else {
                continue;
            };
            let mut places = places.clone();
            places.sort_unstable_by(|a, b| b.cmp(a));
            for place in places {
                let node = self.node_mut(*id);
                node.inputs.remove(place.input);
                if place.output < node.outputs.len() {
                    node.outputs.remove(place.output);
                }
                let graph = self.touch(body);
                graph.inputs.remove(place.formal);
                graph.outputs.remove(place.next);
                graph.remove_slot(INPUT, place.formal);
                graph.remove_slot(OUTPUT, place.next);
            }
        }
        self.values = Values::new(self.model);
        Ok(())
    }
}
