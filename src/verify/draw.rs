//! Draws in copies of models that are run: their shape and element type, and numbers in place of values.

use crate::error::Result;
use crate::onnx::{AttributeValue, DataType, Editor, Name, Node, NodeId, ValueId, encode_number};
use crate::semantics::draws::drawn;
use crate::semantics::view::{NodeRef, View};

/// Makes a value a number, whatever computes it.
///
/// # Errors
/// The number is not visible to one of the readers.
pub(crate) fn fix(editor: &mut Editor<'_>, value: ValueId, number: f64) -> Result<()> {
    let graph = editor.values()[value].graph;
    let element = editor.model().element_type(editor.values(), value);
    let element = element.unwrap_or(DataType::BOOL);
    let Some(bytes) = encode_number(element, number) else {
        return Ok(());
    };
    let first = editor.model().graph(graph).nodes().next();
    let first = first.map(|(index, _)| NodeId { graph, index });
    let name = editor.put_constant((graph, first), "input/fixed", (element, &[], &bytes));
    let constant = editor.values().lookup(editor.model(), graph, &name);
    constant.map_or(Ok(()), |constant| editor.redirect(value, constant))
}

/// The shape of what a node draws, as a value computed by nodes inserted before it; `None` if the node
/// does not declare a shape.
pub(crate) fn drawn_shape(editor: &mut Editor<'_>, id: NodeId) -> Option<Name> {
    let node = editor.model().node(id).clone();
    let at = (id.graph, Some(id));
    let hint = "draw/shape";
    Some(
        match (node.attribute("shape").map(|a| &a.value), node.input(0)) {
            (_, Some(data)) if takes_data(&node) => {
                editor.put(at, hint, Node::new("Shape").on([data.clone()]))
            }
            _ if node.is("Multinomial") => {
                let (model, values) = (editor.model(), editor.values());
                let drawn = View::new(model, values).node(id);
                let rows = drawn.input(0)?.initializer()?.dims.first().copied()?;
                let dims = [rows, drawn.int("sample_size", 1)];
                let bytes: Vec<u8> = dims.iter().flat_map(|dim| dim.to_le_bytes()).collect();
                editor.put_constant(at, hint, (DataType::INT64, &[2], &bytes))
            }
            (_, Some(shape)) => {
                editor.put(at, hint, Node::cast(DataType::INT64).on([shape.clone()]))
            }
            (Some(AttributeValue::Ints(shape)), None) => {
                let bytes: Vec<u8> = shape.iter().flat_map(|dim| dim.to_le_bytes()).collect();
                let dims = [shape.len() as i64];
                editor.put_constant(at, hint, (DataType::INT64, &dims, &bytes))
            }
            _ => return None,
        },
    )
}

/// The element type of what a node draws.
pub(crate) fn drawn_element(node: NodeRef<'_>) -> Option<DataType> {
    let told = node.int("dtype", 0);
    if told != 0 {
        return Some(DataType(told as i32));
    }
    let input = node.input(0).filter(|_| takes_data(node.get()));
    let ends = [drawn(node), input];
    (ends.into_iter().flatten()).find_map(|value| value.element_type())
}

/// True of a node that draws in the shape of its input; the input of others is the shape itself.
fn takes_data(node: &Node) -> bool {
    let like = node.op_type.as_str().is_some_and(|op| op.ends_with("Like"));
    like || node.is("Bernoulli") || node.is("Dropout")
}
