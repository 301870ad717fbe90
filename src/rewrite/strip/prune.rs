//! What nothing uses any more once a dropout is gone: its ratio, its flag, what computed them.

use crate::onnx::{Editor, Producer, ValueId};

use super::Outcome;

/// Removes a value that nothing uses, and what only it needed. Graph inputs stay: they are the
/// interface.
pub(super) fn prune(editor: &mut Editor<'_>, value: ValueId, outcome: &mut Outcome) {
    let mut idle = vec![value];
    while let Some(value) = idle.pop() {
        let values = editor.values();
        if values.is_used(value) {
            continue;
        }
        match values[value].producer {
            Producer::Initializer(_) => {
                outcome.initializers.push(values[value].name.clone());
                editor.remove_initializer(value);
            }
            Producer::Node { node: id, .. } => {
                let model = editor.model();
                let node = model.node(id);
                let outputs = 0..node.outputs.len();
                let mut outputs = outputs.filter_map(|output| values.output(model, id, output));
                let computes = node.in_default_domain()
                    && model.callee(node).is_none()
                    && !node.draws()
                    && node.attributes.iter().all(|a| a.graphs().is_empty());
                if !computes || outputs.any(|output| values.is_used(output)) {
                    continue;
                }
                let inputs = 0..node.inputs.len();
                idle.extend(inputs.filter_map(|input| values.input(id, input)));
                outcome.nodes.push(values[value].name.clone());
                editor.remove_node(id);
            }
            Producer::Input(_) | Producer::SparseInitializer(_) | Producer::Gone => {}
        }
    }
}
