//! States of Loops and Scans.

use crate::error::Result;
use crate::onnx::attribute::Attribute;
use crate::onnx::node::NodeId;
use crate::onnx::values::Values;

use super::{Editor, INPUT, OUTPUT};

impl Editor<'_> {
    /// Takes states out of Loops and Scans: the inputs and outputs of the node with these places
    /// among its states, and those of its body. Values are found anew: ids of before are no longer
    /// valid.
    ///
    /// # Errors
    /// As [`Editor::finish`].
    pub fn remove_states(&mut self, states: &[(NodeId, Vec<usize>)]) -> Result<()> {
        self.settle()?;
        for (id, places) in states {
            let node = self.model.node(*id);
            let Some(&[body]) = node.attribute("body").map(Attribute::graphs) else {
                continue;
            };
            // of a Loop's, the trip count comes before them and the condition before and after
            let (before, condition) = if node.is("Loop") { (2, 1) } else { (0, 0) };
            let mut places = places.clone();
            places.sort_unstable_by(|a, b| b.cmp(a));
            for place in places {
                let node = self.node_mut(*id);
                node.inputs.remove(before + place);
                if place < node.outputs.len() {
                    node.outputs.remove(place);
                }
                let graph = self.touch(body);
                graph.inputs.remove(before + place);
                graph.outputs.remove(condition + place);
                graph.remove_slot(INPUT, before + place);
                graph.remove_slot(OUTPUT, condition + place);
            }
        }
        self.values = Values::new(self.model);
        Ok(())
    }
}
