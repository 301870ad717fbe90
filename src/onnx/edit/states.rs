//! States of Loops and Scans.

use crate::error::Result;
use crate::onnx::attribute::Attribute;
use crate::onnx::ids::NodeId;

use super::{Editor, INPUT, OUTPUT};

/// The indices of a state of a Loop or Scan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
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
    /// Removes states of Loops and Scans: the inputs and outputs of the node and its body.
    ///
    /// # Errors
    /// As [`Editor::finish`].
    pub fn remove_states(&mut self, states: &[(NodeId, Vec<StatePlaces>)]) -> Result<()> {
        self.settle()?;
        for (id, states) in states {
            let node = self.model.node(*id);
            let Some(&[body]) = node.attribute("body").map(Attribute::graphs) else {
                continue;
            };
            let mut states = states.clone();
            states.sort_unstable_by(|a, b| b.cmp(a));
            let all =
                |of: fn(&StatePlaces) -> usize| -> Vec<usize> { states.iter().map(of).collect() };
            let (inputs, outputs) = (all(|state| state.input), all(|state| state.output));
            let (formals, nexts) = (all(|state| state.formal), all(|state| state.next));
            self.values.remove_ports(*id, &inputs, &outputs);
            self.values
                .remove_formals(self.model, body, &formals, &nexts);
            for state in &states {
                let node = self.node_mut(*id);
                node.inputs.remove(state.input);
                if state.output < node.outputs.len() {
                    node.outputs.remove(state.output);
                }
                let graph = self.touch(body);
                graph.inputs.remove(state.formal);
                graph.outputs.remove(state.next);
                graph.remove_slot(INPUT, state.formal);
                graph.remove_slot(OUTPUT, state.next);
            }
        }
        Ok(())
    }
}
