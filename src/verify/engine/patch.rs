//! Other nodes in place of one, in the copy that is run.

use crate::onnx::{At, Attribute, AttributeValue, DataType, Editor, Name, Node, NodeId};

/// A node that is being replaced.
pub(super) struct Patch<'e, 'm> {
    editor: &'e mut Editor<'m>,
    /// The place of what replaces it.
    at: At,
    pub(super) node: Node,
    /// The element types of its first input and output.
    pub(super) elements: [Option<DataType>; 2],
}

impl<'e, 'm> Patch<'e, 'm> {
    /// Takes a node out.
    pub(super) fn new(editor: &'e mut Editor<'m>, id: NodeId) -> Self {
        let (model, values) = (editor.model(), editor.values());
        let ends = [values.input(id, 0), values.output(model, id, 0)];
        let elements = ends.map(|value| model.element_type(values, value?));
        let node = model.node(id).clone();
        let at = (id.graph, editor.node_behind(id));
        editor.remove_node(id);
        Patch {
            editor,
            at,
            node,
            elements,
        }
    }

    pub(super) fn float(&self, name: &str, default: f32) -> f32 {
        match self.node.attribute(name).map(|a| &a.value) {
            Some(AttributeValue::Float(value)) => *value,
            _ => default,
        }
    }

    /// An input of the node; the empty name if it is absent.
    pub(super) fn input(&self, index: usize) -> Name {
        self.node.inputs.get(index).cloned().unwrap_or_default()
    }

    /// The node's own attributes of these names.
    pub(super) fn attributes(&self, names: &[&str]) -> Vec<Attribute> {
        let own = names.iter().filter_map(|name| self.node.attribute(name));
        own.cloned().collect()
    }

    /// A name that no value has.
    pub(super) fn fresh(&mut self) -> Name {
        self.editor.fresh_name("run")
    }

    /// Inserts a node with one output, whose name is returned.
    pub(super) fn put(&mut self, node: Node) -> Name {
        let hint = format!("{}/run", self.node.name);
        self.editor.put(self.at, &hint, node)
    }

    /// Inserts a node without a name for an output of the old one.
    pub(super) fn put_as(&mut self, outputs: impl IntoIterator<Item = Name>, node: Node) {
        let outputs = outputs.into_iter().collect();
        self.editor
            .insert_node(self.at.0, self.at.1, Node { outputs, ..node });
    }

    /// Inserts a constant.
    pub(super) fn constant(&mut self, element: DataType, dims: &[i64], bytes: &[u8]) -> Name {
        let elements = (element, dims, bytes);
        self.editor.put_constant(self.at, "run", elements)
    }

    /// Inserts a node with the name of the old one and some of its outputs.
    pub(super) fn end(&mut self, outputs: impl IntoIterator<Item = Name>, node: Node) {
        let node = Node {
            name: std::mem::take(&mut self.node.name),
            outputs: outputs.into_iter().collect(),
            ..node
        };
        self.editor.insert_node(self.at.0, self.at.1, node);
    }
}
