//! Other nodes in place of one, in the copy that is run.

use std::ops::Deref;

use super::site::Site;
use crate::onnx::{At, DataType, Editor, Name, Node, NodeId, Tensor, encode_float};

/// The bytes of the largest tensor of an attribute that is a constant of a body.
const SMALL: u64 = 1 << 10;

/// A node that is being replaced.
pub(super) struct Patch<'e, 'm> {
    editor: &'e mut Editor<'m>,
    /// The place of what replaces it.
    at: At,
    site: Site<'static>,
}

impl Deref for Patch<'_, '_> {
    type Target = Site<'static>;

    fn deref(&self) -> &Site<'static> {
        &self.site
    }
}

impl<'e, 'm> Patch<'e, 'm> {
    /// Takes a node out.
    pub(super) fn new(editor: &'e mut Editor<'m>, id: NodeId, site: Site<'static>) -> Self {
        let at = (id.graph, editor.node_behind(id));
        editor.remove_node(id);
        Patch { editor, at, site }
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

    /// Lets an output of the old node be a value, if the node has that output.
    pub(super) fn give(&mut self, output: usize, value: &Name) {
        if let Some(name) = self.node.output(output).cloned() {
            let name_of_node = match output {
                0 => std::mem::take(&mut self.site.node.to_mut().name),
                _ => Name::default(),
            };
            let identity = Node {
                name: name_of_node,
                ..Node::new("Identity").on([value.clone()])
            };
            self.put_as([name], identity);
        }
    }

    /// Inserts a constant.
    pub(super) fn constant(&mut self, element: DataType, dims: &[i64], bytes: &[u8]) -> Name {
        let elements = (element, dims, bytes);
        self.editor.put_constant(self.at, "run", elements)
    }

    /// The elements of a small tensor.
    pub(super) fn elements(&self, tensor: &Tensor) -> Option<Vec<u8>> {
        let model = self.editor.model();
        model.small_elements(tensor, SMALL).ok()?
    }

    /// Inserts a number of the element type of an input.
    pub(super) fn number(&mut self, like: usize, value: f64) -> Name {
        if let Some(element) = self.element(like)
            && let Some(bytes) = encode_float(element, value)
        {
            return self.constant(element, &[], &bytes);
        }
        let number = self.constant(DataType::FLOAT, &[], &(value as f32).to_le_bytes());
        let like = self.input(like);
        self.put(Node::new("CastLike").on([number, like]))
    }

    /// Inserts a list of integers.
    pub(super) fn integers(&mut self, values: &[i64]) -> Name {
        let bytes: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
        self.constant(DataType::INT64, &[values.len() as i64], &bytes)
    }

    /// Inserts an integer.
    pub(super) fn integer(&mut self, value: i64) -> Name {
        self.constant(DataType::INT64, &[], &value.to_le_bytes())
    }
}
