//! Other nodes in place of one, in the copy that is run.

use std::ops::Deref;

use super::site::Site;
use crate::onnx::{
    At, Attribute, AttributeValue, DataType, Editor, Name, Node, NodeId, encode_float,
};

/// A node that is being replaced.
pub(super) struct Patch<'e, 'm> {
    editor: &'e mut Editor<'m>,
    /// The place of what replaces it.
    at: At,
    site: Site,
}

impl Deref for Patch<'_, '_> {
    type Target = Site;

    fn deref(&self) -> &Site {
        &self.site
    }
}

/// An attribute that is an integer.
pub(super) fn int(name: &str, value: i64) -> Attribute {
    Attribute::new(name, AttributeValue::Int(value))
}

/// An attribute that is a list of integers.
pub(super) fn ints(name: &str, values: impl Into<Vec<i64>>) -> Attribute {
    Attribute::new(name, AttributeValue::Ints(values.into()))
}

/// An attribute that is a number.
pub(super) fn float(name: &str, value: f32) -> Attribute {
    Attribute::new(name, AttributeValue::Float(value))
}

/// An attribute that is a word.
pub(super) fn text(name: &str, value: &str) -> Attribute {
    Attribute::new(name, AttributeValue::String(value.into()))
}

impl<'e, 'm> Patch<'e, 'm> {
    /// Takes a node out.
    pub(super) fn new(editor: &'e mut Editor<'m>, id: NodeId, site: Site) -> Self {
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

    /// Inserts an operator without attributes.
    pub(super) fn op<'n>(
        &mut self,
        op_type: &str,
        inputs: impl IntoIterator<Item = &'n Name>,
    ) -> Name {
        self.op_with(op_type, inputs, Vec::new())
    }

    /// Inserts an operator.
    pub(super) fn op_with<'n>(
        &mut self,
        op_type: &str,
        inputs: impl IntoIterator<Item = &'n Name>,
        attributes: Vec<Attribute>,
    ) -> Name {
        let node = Node::new(op_type).on(inputs.into_iter().cloned());
        self.put(Node { attributes, ..node })
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
                0 => std::mem::take(&mut self.site.node.name),
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

    /// Inserts a number of the element type of an input.
    pub(super) fn number(&mut self, like: usize, value: f64) -> Name {
        if let Some(element) = self.element(like)
            && let Some(bytes) = encode_float(element, value)
        {
            return self.constant(element, &[], &bytes);
        }
        let number = self.constant(DataType::FLOAT, &[], &(value as f32).to_le_bytes());
        let like = self.input(like);
        self.op("CastLike", [&number, &like])
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

    pub(super) fn cast(&mut self, value: &Name, element: DataType) -> Name {
        self.put(Node::cast(element).on([value.clone()]))
    }

    /// As integers of 64 bits. tract makes sizes of what is cast to them by `Cast`, which some of its
    /// operators do not take.
    pub(super) fn int64(&mut self, value: &Name) -> Name {
        let like = self.integer(0);
        self.op("CastLike", [value, &like])
    }

    pub(super) fn reshape(&mut self, value: &Name, shape: &[i64]) -> Name {
        let shape = self.integers(shape);
        self.op("Reshape", [value, &shape])
    }

    pub(super) fn transpose(&mut self, value: &Name, perm: &[i64]) -> Name {
        self.op_with("Transpose", [value], vec![ints("perm", perm)])
    }

    /// The size of an axis, as a list of one.
    pub(super) fn size(&mut self, value: &Name, axis: i64) -> Name {
        let (shape, axis) = (self.op("Shape", [value]), self.integers(&[axis]));
        self.op("Gather", [&shape, &axis])
    }

    pub(super) fn concat(&mut self, values: &[&Name], axis: i64) -> Name {
        self.op_with("Concat", values.iter().copied(), vec![int("axis", axis)])
    }

    /// An operator whose axes are an input since some opset, and an attribute before.
    pub(super) fn along(
        &mut self,
        (op_type, since): (&str, i64),
        value: &Name,
        axes: &[i64],
        mut attributes: Vec<Attribute>,
    ) -> Name {
        if self.opset < since {
            attributes.push(ints("axes", axes));
            return self.op_with(op_type, [value], attributes);
        }
        let axes = self.integers(axes);
        self.op_with(op_type, [value, &axes], attributes)
    }

    pub(super) fn unsqueeze(&mut self, value: &Name, axes: &[i64]) -> Name {
        self.along(("Unsqueeze", 13), value, axes, Vec::new())
    }

    /// The mean over axes, which stay with size 1.
    pub(super) fn mean(&mut self, value: &Name, axes: &[i64]) -> Name {
        self.along(("ReduceMean", 18), value, axes, Vec::new())
    }

    /// A part of a value: from starts to ends along axes.
    pub(super) fn slice(&mut self, value: &Name, [starts, ends, axes]: [&[i64]; 3]) -> Name {
        if self.opset < 10 {
            let bounds = [("starts", starts), ("ends", ends), ("axes", axes)];
            let bounds = bounds.map(|(name, list)| ints(name, list));
            return self.op_with("Slice", [value], bounds.into());
        }
        let bounds = [starts, ends, axes].map(|list| self.integers(list));
        let [starts, ends, axes] = &bounds;
        self.op("Slice", [value, starts, ends, axes])
    }

    /// Splits a value along its last axis, evenly unless sizes are given.
    pub(super) fn split(&mut self, value: &Name, parts: Vec<Name>, sizes: Option<Vec<i64>>) {
        let mut node = Node::new("Split").on([value.clone()]).with(int("axis", -1));
        match sizes {
            Some(sizes) if self.opset < 13 => node = node.with(ints("split", sizes)),
            Some(sizes) => node.inputs.push(self.integers(&sizes)),
            None if self.opset >= 18 => node = node.with(int("num_outputs", parts.len() as i64)),
            None => {}
        }
        self.put_as(parts, node);
    }

    /// The numbers from 0 up to a list of one.
    pub(super) fn count(&mut self, limit: &Name) -> Name {
        let limit = self.reshape(limit, &[]);
        let (zero, one) = (self.integer(0), self.integer(1));
        self.op("Range", [&zero, &limit, &one])
    }

    /// Inserts a node with the name of the old one and some of its outputs.
    pub(super) fn end(&mut self, outputs: impl IntoIterator<Item = Name>, node: Node) {
        let node = Node {
            name: std::mem::take(&mut self.site.node.name),
            outputs: outputs.into_iter().collect(),
            ..node
        };
        self.editor.insert_node(self.at.0, self.at.1, node);
    }

    /// Inserts an operator for the first output of the old node, with its name.
    pub(super) fn end_with<'n>(
        &mut self,
        op_type: &str,
        inputs: impl IntoIterator<Item = &'n Name>,
        attributes: Vec<Attribute>,
    ) {
        let node = Node::new(op_type).on(inputs.into_iter().cloned());
        let output = self.node.output(0).cloned();
        self.end(output, Node { attributes, ..node });
    }
}
