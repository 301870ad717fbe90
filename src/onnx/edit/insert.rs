//! Inserting nodes with one output, and constants.

use crate::onnx::attribute::{Attribute, AttributeValue};
use crate::onnx::data_type::DataType;
use crate::onnx::graph::GraphKind;
use crate::onnx::ids::{GraphId, NodeId};
use crate::onnx::name::Name;
use crate::onnx::node::Node;
use crate::onnx::values::ValueId;

use super::{Editor, encode_tensor};

/// Where nodes are inserted: a graph, and the node they precede; at the end without one.
pub(crate) type At = (GraphId, Option<NodeId>);

/// Element type, shape and little-endian elements of a constant.
pub(crate) type Elements<'t> = (DataType, &'t [i64], &'t [u8]);

impl Attribute {
    /// The attribute `value` with a tensor.
    pub(crate) fn tensor((element, dims, bytes): Elements<'_>) -> Attribute {
        let tensor = encode_tensor(&Name::default(), element, dims, bytes);
        Attribute::new("value", AttributeValue::NewTensor(tensor))
    }
}

impl Node {
    /// The same node with these inputs.
    pub(crate) fn on(self, inputs: impl IntoIterator<Item = Name>) -> Node {
        let inputs = inputs.into_iter().collect();
        Node { inputs, ..self }
    }

    /// The same node with one more attribute.
    pub(crate) fn with(mut self, attribute: Attribute) -> Node {
        self.attributes.push(attribute);
        self
    }

    /// A `Cast` to an element type.
    pub(crate) fn cast(element: DataType) -> Node {
        let to = AttributeValue::Int(element.0.into());
        Node::new("Cast").with(Attribute::new("to", to))
    }
}

impl Editor<'_> {
    /// Inserts a node with one output. The output and the node get a fresh name made from a hint, which
    /// is returned.
    pub(crate) fn put(&mut self, at: At, hint: &str, node: Node) -> Name {
        let name = self.fresh_name(hint);
        self.put_as(at, name, node)
    }

    /// Inserts a node whose one output has this name, as has the node.
    pub(crate) fn put_as(&mut self, at: At, name: Name, node: Node) -> Name {
        let node = Node {
            name: name.clone(),
            outputs: [name.clone()].into_iter().collect(),
            ..node
        };
        self.insert_node(at.0, at.1, node);
        name
    }

    /// Inserts a `Constant` node.
    pub(crate) fn put_constant(&mut self, at: At, hint: &str, elements: Elements<'_>) -> Name {
        let constant = Node::new("Constant").with(Attribute::tensor(elements));
        self.put(at, hint, constant)
    }

    /// Adds a constant: an initializer, or a `Constant` node where there can be no initializer.
    pub(crate) fn add_constant(&mut self, at: At, hint: &str, elements: Elements<'_>) -> Name {
        if !self.takes_initializers(at.0) {
            return self.put_constant(at, hint, elements);
        }
        let name = self.fresh_name(hint);
        let (element, dims, bytes) = elements;
        self.add_initializer(at.0, &name, element, dims, bytes);
        name
    }

    /// False in functions, which have no initializers, and before IR version 4, when an initializer had
    /// to be a graph input as well.
    pub(crate) fn takes_initializers(&self, graph: GraphId) -> bool {
        let root = &self.model.graph(self.model.root(graph)).kind;
        self.model.ir_version >= 4 && !matches!(root, GraphKind::Function(_))
    }

    /// Lets an input of a node be the value that has this name in the node's graph.
    pub(crate) fn set_input_to(&mut self, node: NodeId, input: usize, name: &Name) {
        if let Some(value) = self.values.lookup(self.model, node.graph, name) {
            self.set_input(node, input, value);
        }
    }

    /// Gives an output of a node another name, so that a node inserted after it can take over the old
    /// one: the new name, where to insert, and the old name. `None` if the value is no output of the
    /// node.
    #[cfg(feature = "tract")]
    pub(crate) fn detach(&mut self, node: NodeId, value: ValueId) -> Option<(Name, At, Name)> {
        let name = self.values[value].name.clone();
        let outputs = &self.model.node(node).outputs;
        let output = outputs.iter().position(|output| *output == name)?;
        let detached = self.fresh_name(&format!("{name}/kept"));
        self.detach_output(node, output, &detached);
        Some((detached, (node.graph, self.node_behind(node)), name))
    }
}
