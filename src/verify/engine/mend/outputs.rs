//! Outputs of inner graphs that no engine takes as they are: values of the graphs around, inputs of the graph, one
//! value twice; and of a `Scan`, what its body reads as well, for which ONNX Runtime returns memory that nothing
//! has written, and tract another value.

use crate::error::Result;
use crate::onnx::{Editor, GraphId, GraphKind, Model, Node, Producer, Use, ValueId, Values};

/// Gives each of them a value of its own.
///
/// # Errors
/// None, unless there is a bug here.
pub(in crate::verify::engine) fn give_outputs(model: &mut Model) -> Result<()> {
    let values = Values::new(model);
    let found: Vec<(GraphId, usize, ValueId)> = model
        .graphs()
        .filter(|(_, graph)| matches!(graph.kind, GraphKind::Attribute { .. }))
        .flat_map(|(id, _)| shared(model, &values, id))
        .collect();
    if found.is_empty() {
        return Ok(());
    }
    let mut editor = Editor::new(model, values);
    for (graph, output, value) in found {
        let shared = editor.values()[value].name.clone();
        let own = editor.put((graph, None), "run", Node::new("Identity").on([shared]));
        if let Some(own) = editor.values().lookup(editor.model(), graph, &own) {
            editor.set_output(graph, output, own);
        }
    }
    editor.finish()
}

/// The outputs of a graph that need a value of their own.
fn shared<'a>(
    model: &'a Model,
    values: &'a Values,
    id: GraphId,
) -> impl Iterator<Item = (GraphId, usize, ValueId)> + 'a {
    let graph = model.graph(id);
    let is_scan = match &graph.kind {
        GraphKind::Attribute { node, .. } => model.node(*node).is("Scan"),
        _ => false,
    };
    let outputs = graph.outputs.iter().enumerate();
    outputs.filter_map(move |(output, info)| {
        let value = values.lookup(model, id, &info.name)?;
        let is_own =
            values[value].graph == id && matches!(values[value].producer, Producer::Node { .. });
        let is_first = !graph.outputs[..output]
            .iter()
            .any(|other| other.name == info.name);
        let is_read = || values.uses(value).any(|at| matches!(at, Use::Input { .. }));
        let is_fit = is_own && is_first && !(is_scan && is_read());
        (!is_fit).then_some((id, output, value))
    })
}
