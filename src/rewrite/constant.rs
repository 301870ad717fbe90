//! Constants that a rewrite adds.

use smallvec::smallvec;

use crate::onnx::{
    Attribute, AttributeValue, DataType, Editor, GraphId, GraphKind, Name, Node, NodeId,
    encode_tensor,
};

/// The place of new nodes: a graph, and the node they precede; at the end without one.
pub(super) type At = (GraphId, Option<NodeId>);

/// Element type, shape and little-endian elements.
pub(super) type Elements<'t> = (DataType, &'t [i64], &'t [u8]);

/// Adds a constant with a name made from a hint: an initializer, or a Constant node where there can
/// be none: in functions, and before IR version 4, when every initializer had to be an input.
pub(super) fn add(editor: &mut Editor<'_>, at: At, hint: &str, elements: Elements<'_>) -> Name {
    let name = editor.fresh_name(hint);
    let (element, dims, bytes) = elements;
    let model = editor.model();
    let root = model.graph(model.root(at.0));
    if model.ir_version >= 4 && !matches!(root.kind, GraphKind::Function(_)) {
        editor.add_initializer(at.0, &name, element, dims, bytes);
        return name;
    }
    let tensor = encode_tensor(&Name::default(), element, dims, bytes);
    let constant = Node {
        name: name.clone(),
        outputs: smallvec![name.clone()],
        attributes: vec![Attribute::new("value", AttributeValue::NewTensor(tensor))],
        ..Node::new("Constant")
    };
    editor.insert_node(at.0, at.1, constant);
    name
}
