//! Nodes put into copies of models that are run: constants, and what takes the place of a draw.

use crate::error::Result;
use crate::onnx::{
    Attribute, AttributeValue, DataType, Editor, GraphId, Model, Name, Node, NodeId, ValueId,
    Values, encode_number, encode_tensor,
};

/// The place of new nodes: a graph, and the node they precede.
pub(crate) type At = (GraphId, Option<NodeId>);

/// Element type, shape and little-endian elements.
pub(crate) type Elements<'t> = (DataType, &'t [i64], Vec<u8>);

/// Inserts a node with one output. Returns the output's name, which defaults to one made from a hint.
pub(crate) fn put(
    editor: &mut Editor<'_>,
    at: At,
    op_type: &str,
    inputs: Vec<Name>,
    attribute: Option<Attribute>,
    output: Result<Name, &str>,
) -> Name {
    let output = output.unwrap_or_else(|hint| editor.fresh_name(hint));
    let node = Node {
        name: output.clone(),
        inputs,
        outputs: vec![output.clone()],
        attributes: attribute.into_iter().collect(),
        ..Node::new(op_type)
    };
    editor.insert_node(at.0, at.1, node);
    output
}

/// Inserts a `Constant`.
pub(crate) fn constant(
    editor: &mut Editor<'_>,
    at: At,
    hint: &str,
    elements: Elements<'_>,
) -> Name {
    let value = value(elements);
    put(editor, at, "Constant", Vec::new(), Some(value), Err(hint))
}

/// The attribute `value` with a tensor.
pub(crate) fn value((element, dims, bytes): Elements<'_>) -> Attribute {
    let tensor = encode_tensor(&Name::default(), element, dims, &bytes);
    Attribute::new("value", AttributeValue::NewTensor(tensor))
}

/// The attribute of a `Cast`.
pub(crate) fn to(element: DataType) -> Attribute {
    Attribute::new("to", AttributeValue::Int(element.0.into()))
}

/// Lets a value be a number, whatever makes it.
///
/// # Errors
/// The number cannot be seen somewhere.
pub(crate) fn fix(editor: &mut Editor<'_>, value: ValueId, number: f64) -> Result<()> {
    let graph = editor.values()[value].graph;
    let element = editor.model().element_type(editor.values(), value);
    let element = element.unwrap_or(DataType::BOOL);
    let Some(bytes) = encode_number(element, number) else {
        return Ok(());
    };
    let first = editor.model().graph(graph).nodes().next();
    let first = first.map(|(index, _)| NodeId { graph, index });
    let name = constant(editor, (graph, first), "input/fixed", (element, &[], bytes));
    let constant = editor.values().lookup(editor.model(), graph, &name);
    constant.map_or(Ok(()), |constant| editor.redirect(value, constant))
}

/// The shape of what a node draws, as a value that is put in before it; `None` if the node does not
/// tell.
pub(crate) fn drawn_shape(editor: &mut Editor<'_>, id: NodeId) -> Option<Name> {
    let node = editor.model().node(id).clone();
    let at = (id.graph, Some(id));
    let hint = Err("draw/shape");
    Some(
        match (&node.attribute("shape").map(|a| &a.value), node.input(0)) {
            (_, Some(data)) if takes_data(&node) => {
                put(editor, at, "Shape", vec![data.clone()], None, hint)
            }
            (_, Some(shape)) => {
                let to = Some(to(DataType::INT64));
                put(editor, at, "Cast", vec![shape.clone()], to, hint)
            }
            (Some(AttributeValue::Ints(shape)), None) => {
                let bytes = shape.iter().flat_map(|dim| dim.to_le_bytes()).collect();
                let dims = [shape.len() as i64];
                constant(editor, at, "draw/shape", (DataType::INT64, &dims, bytes))
            }
            _ => return None,
        },
    )
}

/// The element type of what a node draws.
pub(crate) fn drawn_element(model: &Model, values: &Values, id: NodeId) -> Option<DataType> {
    let node = model.node(id);
    match node.attribute("dtype").map(|a| &a.value) {
        Some(AttributeValue::Int(element)) if *element != 0 => {
            return Some(DataType(*element as i32));
        }
        _ => {}
    }
    let output = values.output(model, id, 0)?;
    let input = values.input(id, 0).filter(|_| takes_data(node));
    let ends = [Some(output), input];
    (ends.into_iter().flatten()).find_map(|value| model.element_type(values, value))
}

/// True of a node that draws in the shape of its input; the input of others is the shape itself.
fn takes_data(node: &Node) -> bool {
    let like = node.op_type.as_str().is_some_and(|op| op.ends_with("Like"));
    like || node.is("Bernoulli")
}

/// Gives the output of a node another name, so that what is put in behind it can take the old one over:
/// the new name, the place, and the old name. `None` if the value is no output of the node.
pub(crate) fn detach(
    editor: &mut Editor<'_>,
    node: NodeId,
    value: ValueId,
) -> Option<(Name, At, Name)> {
    let name = editor.values()[value].name.clone();
    let outputs = &editor.model().node(node).outputs;
    let output = outputs.iter().position(|output| *output == name)?;
    let detached = editor.fresh_name(&format!("{name}/kept"));
    editor.detach_output(node, output, &detached);
    Some((detached, (node.graph, editor.node_behind(node)), name))
}
