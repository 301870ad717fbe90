//! A model as it is read: nodes and values that know their neighbours.
//!
//! A [`View`] is a model with the index of its values. [`NodeRef`] and [`ValueRef`] are its nodes and
//! values; all three are copied freely and borrow from the model. Edits go by [`NodeId`] and
//! [`ValueId`], which outlive a view.

use std::fmt;
use std::ops::Deref;

use crate::onnx::{
    AttributeValue, DataType, Editor, GraphId, GraphKind, Model, Name, Node, NodeId, Producer,
    Tensor, Use, Value, ValueId, Values,
};

use super::operator::{Operator, schema};

/// A model and the index of its values.
#[derive(Clone, Copy, Debug)]
pub(crate) struct View<'m> {
    pub model: &'m Model,
    pub values: &'m Values,
}

/// A node of a model.
#[derive(Clone, Copy)]
pub(crate) struct NodeRef<'m> {
    view: View<'m>,
    pub id: NodeId,
}

/// A value of a model.
#[derive(Clone, Copy)]
pub(crate) struct ValueRef<'m> {
    view: View<'m>,
    pub id: ValueId,
}

impl<'m> View<'m> {
    pub fn new(model: &'m Model, values: &'m Values) -> Self {
        View { model, values }
    }

    pub fn node(self, id: NodeId) -> NodeRef<'m> {
        NodeRef { view: self, id }
    }

    pub fn value(self, id: ValueId) -> ValueRef<'m> {
        ValueRef { view: self, id }
    }

    /// The nodes of all graphs, in file order.
    pub fn nodes(self) -> impl Iterator<Item = NodeRef<'m>> {
        self.model.nodes().map(move |(id, _)| self.node(id))
    }

    /// The nodes of one graph, without those of the graphs inside it.
    pub fn nodes_of(self, graph: GraphId) -> impl DoubleEndedIterator<Item = NodeRef<'m>> {
        let nodes = self.model.graph(graph).nodes();
        nodes.map(move |(index, _)| self.node(NodeId { graph, index }))
    }

    /// All values, in the order of their graphs.
    pub fn all_values(self) -> impl Iterator<Item = ValueRef<'m>> {
        self.values.ids().map(move |id| self.value(id))
    }

    /// The value that a name means in a graph: its own, or one of a graph around it.
    pub fn lookup(self, graph: GraphId, name: &Name) -> Option<ValueRef<'m>> {
        let id = self.values.lookup(self.model, graph, name)?;
        Some(self.value(id))
    }

    /// The inputs of a graph; `None` where the index has no such value.
    pub fn graph_inputs(self, graph: GraphId) -> impl Iterator<Item = Option<ValueRef<'m>>> {
        let infos = self.model.graph(graph).inputs.iter();
        infos.map(move |info| self.lookup(graph, &info.name))
    }

    /// The outputs of a graph; `None` where nothing defines the name.
    pub fn graph_outputs(self, graph: GraphId) -> impl Iterator<Item = Option<ValueRef<'m>>> {
        let infos = self.model.graph(graph).outputs.iter();
        infos.map(move |info| self.lookup(graph, &info.name))
    }

    /// An input of a graph.
    pub fn graph_input(self, graph: GraphId, input: usize) -> Option<ValueRef<'m>> {
        self.lookup(graph, &self.model.graph(graph).inputs.get(input)?.name)
    }

    /// What a graph gives at an output.
    pub fn graph_output(self, graph: GraphId, output: usize) -> Option<ValueRef<'m>> {
        self.lookup(graph, &self.model.graph(graph).outputs.get(output)?.name)
    }

    /// True of a graph and of those in the attributes of its nodes, however deep.
    pub fn is_within(self, mut graph: GraphId, outer: GraphId) -> bool {
        while graph != outer {
            match self.owner(graph) {
                Some(node) => graph = node.graph(),
                None => return false,
            }
        }
        true
    }

    /// The node whose attribute holds a graph; `None` of the main graph, functions and training graphs.
    pub fn owner(self, graph: GraphId) -> Option<NodeRef<'m>> {
        match self.model.graph(graph).kind {
            GraphKind::Attribute { node, .. } => Some(self.node(node)),
            _ => None,
        }
    }

    /// The function whose body contains a graph, by index.
    pub fn function_of(self, graph: GraphId) -> Option<usize> {
        match self.model.graph(self.model.root(graph)).kind {
            GraphKind::Function(function) => Some(function),
            _ => None,
        }
    }
}

impl Editor<'_> {
    /// The model as it is now.
    pub(crate) fn view(&self) -> View<'_> {
        View::new(self.model(), self.values())
    }
}

impl Deref for NodeRef<'_> {
    type Target = Node;

    fn deref(&self) -> &Node {
        self.get()
    }
}

impl<'m> NodeRef<'m> {
    /// The node, for as long as the model lives.
    pub fn get(self) -> &'m Node {
        self.view.model.node(self.id)
    }

    pub fn view(self) -> View<'m> {
        self.view
    }

    pub fn graph(self) -> GraphId {
        self.id.graph
    }

    /// The operator it applies; `None` if it is unknown.
    pub fn operator(self) -> Option<&'static Operator> {
        Operator::of(self.view.model, self.id)
    }

    /// True if it applies the operator of ONNX of this name, also where it is of another domain.
    pub fn applies(self, name: &str) -> bool {
        self.operator()
            .is_some_and(|operator| operator.name == name)
    }

    /// True of an unknown operator of another domain than the default one: it may do more than compute what is
    /// used.
    pub fn is_opaque(self) -> bool {
        !self.in_default_domain() && self.callee().is_none() && self.operator().is_none()
    }

    /// The integers that a QuantizeLinear makes, or that a DequantizeLinear takes.
    pub fn quantized_type(self) -> Option<DataType> {
        let stored = match self.applies("QuantizeLinear") {
            true => self.output(0),
            false => self.input(0),
        };
        stored.and_then(|value| value.element_type())
    }

    /// The version of its operator by the opset of a graph: the opset since which it has computed the same, or
    /// that of the graph if it is unknown.
    pub fn version_in(self, graph: GraphId) -> i64 {
        let domain = self.domain.as_str().unwrap_or_default();
        let opset = self.view.model.opset(graph, domain).unwrap_or(0);
        schema::same_since(self.op(), opset).unwrap_or(opset)
    }

    /// The model's own function that it calls, by index.
    pub fn callee(self) -> Option<usize> {
        self.view.model.callee(self.get())
    }

    /// The name of its operator; empty in other domains than the default one.
    pub fn op(self) -> &'m str {
        let node = self.get();
        let name = node.op_type.as_str().filter(|_| node.in_default_domain());
        name.unwrap_or_default()
    }

    /// The value at an input; `None` if absent or undefined. Its name is `get().input(…)`.
    pub fn input(self, input: usize) -> Option<ValueRef<'m>> {
        let id = self.view.values.input(self.id, input)?;
        Some(self.view.value(id))
    }

    /// The values at its inputs, in order; `None` where one is absent or undefined.
    pub fn inputs(
        self,
    ) -> impl DoubleEndedIterator<Item = Option<ValueRef<'m>>> + ExactSizeIterator {
        (0..self.get().inputs.len()).map(move |input| self.input(input))
    }

    /// The values at its inputs that are there, each with its position.
    pub fn given(self) -> impl DoubleEndedIterator<Item = (usize, ValueRef<'m>)> {
        let inputs = self.inputs().enumerate();
        inputs.filter_map(|(input, value)| Some((input, value?)))
    }

    /// The values at its outputs that are there.
    pub fn produced(self) -> impl DoubleEndedIterator<Item = ValueRef<'m>> {
        self.outputs().flatten()
    }

    /// The value at an output; `None` if absent.
    pub fn output(self, output: usize) -> Option<ValueRef<'m>> {
        let id = self.view.values.output(self.view.model, self.id, output)?;
        Some(self.view.value(id))
    }

    /// The values at its outputs, in order; `None` where one is absent.
    pub fn outputs(
        self,
    ) -> impl DoubleEndedIterator<Item = Option<ValueRef<'m>>> + ExactSizeIterator {
        (0..self.get().outputs.len()).map(move |output| self.output(output))
    }

    /// Integers of an attribute; `None` if there is no such attribute.
    pub fn ints(self, name: &str) -> Option<&'m [i64]> {
        self.get().ints(name)
    }

    /// A string attribute; `None` if there is no such attribute.
    pub fn string(self, name: &str) -> Option<&'m [u8]> {
        self.get().string(name)
    }

    /// The graphs in its attributes.
    pub fn bodies(self) -> impl Iterator<Item = GraphId> + 'm {
        let attributes = self.get().attributes.iter();
        attributes.flat_map(|attribute| attribute.graphs().iter().copied())
    }

    /// The graph in an attribute of this name.
    pub fn body(self, name: &str) -> Option<GraphId> {
        match self.get().attribute(name)?.graphs() {
            &[body] => Some(body),
            _ => None,
        }
    }

    /// Its scope and label, for messages.
    pub fn place(self) -> String {
        self.view.model.place(self.id)
    }

    /// Its name, or what distinguishes it from others, for messages.
    pub fn label(self) -> Name {
        self.view.model.label(self.id)
    }
}

impl Deref for ValueRef<'_> {
    type Target = Value;

    fn deref(&self) -> &Value {
        self.get()
    }
}

impl<'m> ValueRef<'m> {
    /// The value, for as long as the index lives.
    pub fn get(self) -> &'m Value {
        &self.view.values[self.id]
    }

    pub fn view(self) -> View<'m> {
        self.view
    }

    /// The node that produces it; `None` of inputs and initializers.
    pub fn node(self) -> Option<NodeRef<'m>> {
        self.producer().map(|(node, _)| node)
    }

    /// The node that produces it, and at which output. Other producers are in `get().producer`.
    pub fn producer(self) -> Option<(NodeRef<'m>, usize)> {
        match self.get().producer {
            Producer::Node { node, output } => Some((self.view.node(node), output as usize)),
            _ => None,
        }
    }

    /// Its current uses.
    pub fn uses(self) -> impl Iterator<Item = Use> + 'm {
        self.view.values.uses(self.id)
    }

    /// The nodes that read it and at which input; a node that reads it twice is there twice.
    pub fn readers(self) -> impl Iterator<Item = (NodeRef<'m>, usize)> {
        self.uses().filter_map(move |at| match at {
            Use::Input { node, input } => Some((self.view.node(node), input as usize)),
            _ => None,
        })
    }

    pub fn is_used(self) -> bool {
        self.view.values.is_used(self.id)
    }

    /// Its tensor, if it is an initializer that no input can replace.
    pub fn initializer(self) -> Option<&'m Tensor> {
        match self.get().producer {
            Producer::Initializer(index) => {
                Some(self.view.model.graph(self.get().graph).initializer(index))
            }
            _ => None,
        }
    }

    /// Its tensor, if it is a constant: an initializer that no input can replace, or that of a `Constant`.
    pub fn constant(self) -> Option<&'m Tensor> {
        if let Some(tensor) = self.initializer() {
            return Some(tensor);
        }
        let node = self.node().filter(|node| node.is("Constant"))?;
        match &node.get().attribute("value")?.value {
            AttributeValue::Tensor(tensor) => Some(tensor),
            _ => None,
        }
    }

    /// The index of the initializer that it is, or that is the default of an input.
    pub fn initializer_index(self) -> Option<u32> {
        match self.get().producer {
            Producer::Input(_) | Producer::Initializer(_) => self.get().initializer,
            _ => None,
        }
    }

    /// True of an initializer that no input can replace, sparse or not.
    pub fn is_weight(self) -> bool {
        let producer = self.get().producer;
        matches!(
            producer,
            Producer::Initializer(_) | Producer::SparseInitializer(_)
        )
    }

    /// True of a weight, and of the output of a `Constant`: the elements are in the file.
    pub fn is_in_file(self) -> bool {
        self.is_weight() || self.node().is_some_and(|node| node.is("Constant"))
    }

    /// The element type of a tensor, see [`Model::element_type`].
    pub fn element_type(self) -> Option<DataType> {
        self.view.model.element_type(self.view.values, self.id)
    }
}

impl PartialEq for ValueRef<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id
    }
}

impl Eq for ValueRef<'_> {}

impl PartialEq for NodeRef<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id
    }
}

impl Eq for NodeRef<'_> {}

impl fmt::Debug for NodeRef<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.place())
    }
}

impl fmt::Debug for ValueRef<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`", self.get().name)
    }
}
