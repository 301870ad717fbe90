//! States of Loops and Scans.

use crate::error::Result;
use crate::onnx::attribute::Attribute;
use crate::onnx::ids::NodeId;

use super::{Editor, INPUT, OUTPUT};

impl Editor<'_> {
    /// Takes states out of Loops and Scans: the inputs and outputs of the node with these places
    /// among its states, and those of its body.
    ///
    /// # Errors
    /// As [`Editor::finish`].
    pub fn remove_states(&mut self, states: &[(NodeId, Vec<usize>)]) -> Result<()> {
        self.settle()?;
        for (id, states) in states {
            let node = self.model.node(*id);
            let Some(&[body]) = node.attribute("body").map(Attribute::graphs) else {
                continue;
            };
            // of a Loop's, the trip count comes before them and the condition before and after
            let (before, condition) = if node.is("Loop") { (2, 1) } else { (0, 0) };
            let mut states = states.clone();
            states.sort_unstable_by(|a, b| b.cmp(a));
            let after =
                |first: usize| -> Vec<usize> { states.iter().map(|state| first + state).collect() };
            let (inputs, results) = (after(before), after(condition));
            self.values.remove_ports(*id, &inputs, &states);
            self.values
                .remove_formals(self.model, body, &inputs, &results);
            for (state, (&input, &result)) in states.iter().zip(inputs.iter().zip(&results)) {
                let node = self.node_mut(*id);
                node.inputs.remove(input);
                if *state < node.outputs.len() {
                    node.outputs.remove(*state);
                }
                let graph = self.touch(body);
                graph.inputs.remove(input);
                graph.outputs.remove(result);
                graph.remove_slot(INPUT, input);
                graph.remove_slot(OUTPUT, result);
            }
        }
        Ok(())
    }
}
