//! Values of Loops and Scans that lose states.

use crate::onnx::ids::{GraphId, NodeId};
use crate::onnx::model::Model;

use super::{NONE, Producer, Use, ValueId, Values};

impl Values {
    /// A node lost the inputs and outputs at these places. The values of these outputs are removed.
    pub(in crate::onnx) fn remove_ports(
        &mut self,
        id: NodeId,
        inputs: &[usize],
        outputs: &[usize],
    ) {
        let [old_inputs, old_outputs] = self.ports_in(self.ports_of(id)).map(<[u32]>::to_vec);
        let kept_inputs = without(&old_inputs, inputs);
        let kept_outputs = without(&old_outputs, outputs);
        for &value in old_inputs.iter().filter(|&&value| value != NONE) {
            self.retain_uses(ValueId(value), |at| !is_input_of(at, id));
        }
        self.set_ports(id, &kept_inputs, &kept_outputs);
        for (input, &value) in kept_inputs.iter().enumerate() {
            let (node, input) = (id, input as u32);
            if value != NONE {
                self.add_use(ValueId(value), Use::Input { node, input });
            }
        }
        for &output in outputs {
            if let Some(&value) = old_outputs.get(output).filter(|&&value| value != NONE) {
                self.forget(ValueId(value));
            }
        }
        for (output, &value) in kept_outputs.iter().enumerate() {
            let (node, output) = (id, output as u32);
            if let Some(value) = self.values.get_mut(value as usize) {
                value.producer = Producer::Node { node, output };
            }
        }
    }

    /// A graph is about to lose the inputs and outputs at these places.
    pub(in crate::onnx) fn remove_formals(
        &mut self,
        model: &Model,
        graph: GraphId,
        inputs: &[usize],
        outputs: &[usize],
    ) {
        let body = model.graph(graph);
        let places: Vec<usize> = (0..body.inputs.len()).collect();
        for &input in inputs {
            if let Some(value) = body
                .inputs
                .get(input)
                .and_then(|info| self.find(graph, &info.name))
            {
                self.forget(value);
            }
        }
        for (input, old) in without(&places, inputs).into_iter().enumerate() {
            if let Some(value) = self.find(graph, &body.inputs[old].name) {
                self.values[value.index()].producer = Producer::Input(input as u32);
            }
        }
        let results = body
            .outputs
            .iter()
            .map(|info| self.lookup(model, graph, &info.name));
        let results: Vec<Option<ValueId>> = results.collect();
        for &value in results.iter().flatten() {
            self.retain_uses(
                value,
                |at| !matches!(at, Use::Output { graph: of, .. } if of == graph),
            );
        }
        for (output, value) in without(&results, outputs).into_iter().enumerate() {
            let output = output as u32;
            if let Some(value) = value {
                self.add_use(value, Use::Output { graph, output });
            }
        }
    }
}

/// All but those at these places.
fn without<T: Copy>(all: &[T], places: &[usize]) -> Vec<T> {
    let kept = all.iter().enumerate().filter(|(i, _)| !places.contains(i));
    kept.map(|(_, &of)| of).collect()
}

fn is_input_of(at: Use, id: NodeId) -> bool {
    matches!(at, Use::Input { node, .. } if node == id)
}
