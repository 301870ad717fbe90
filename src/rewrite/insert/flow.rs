//! Where data flows: what the positions that a preset names are told from. One pass each way.

use crate::error::Result;
use crate::onnx::{GraphKind, Model, Node, NodeId, Producer, Use, ValueId, Values};

/// Functions that are not linear, element by element.
const ACTIVATIONS: &[&str] = &[
    "Celu",
    "Clip",
    "Elu",
    "Erf",
    "Gelu",
    "HardSigmoid",
    "HardSwish",
    "LeakyRelu",
    "Mish",
    "PRelu",
    "Relu",
    "Selu",
    "Sigmoid",
    "Softplus",
    "Softsign",
    "Swish",
    "Tanh",
    "ThresholdedRelu",
];

/// Operators that work element by element, or channel by channel, on what a layer computes.
const ELEMENTWISE: &[&str] = &[
    "Add",
    "BatchNormalization",
    "Cast",
    "Div",
    "Exp",
    "Identity",
    "InstanceNormalization",
    "Log",
    "Max",
    "Min",
    "Mul",
    "Neg",
    "Pow",
    "Sqrt",
    "Sub",
    "Sum",
];

/// Operators that make layers of more than a dense head.
const BODY: &[&str] = &[
    "Attention",
    "Conv",
    "ConvTranspose",
    "GRU",
    "LSTM",
    "Loop",
    "MultiHeadAttention",
    "RNN",
    "Scan",
];

/// The layer that a value is an elementwise function of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Root {
    pub layer: NodeId,
    /// True once an activation came between.
    pub activated: bool,
}

/// What comes behind a node.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Ahead {
    /// A layer with weights.
    pub weights: bool,
    /// A layer that is not dense, a sum of two branches, or something nobody knows.
    pub body: bool,
}

pub(super) struct Flow<'m> {
    pub model: &'m Model,
    pub values: &'m Values,
    /// By value: whether it depends on what the model is fed.
    data: Vec<bool>,
    roots: Vec<Option<Root>>,
    /// By graph and node.
    ahead: Vec<Vec<Ahead>>,
}

impl<'m> Flow<'m> {
    /// # Errors
    /// The model is not sound.
    pub fn new(model: &'m Model, values: &'m Values) -> Result<Self> {
        let order = model.check_order(values)?;
        let mut flow = Flow {
            model,
            values,
            data: vec![false; values.len()],
            roots: vec![None; values.len()],
            ahead: vec![Vec::new(); model.graph_slots()],
        };
        for (id, graph) in model.graphs() {
            flow.ahead[id.0 as usize] = vec![Ahead::default(); graph.node_slots()];
            for info in &graph.inputs {
                if let Some(value) = values.lookup(model, id, &info.name) {
                    let main = graph.kind == GraphKind::Main;
                    flow.data[value.index()] = !main || values[value].initializer.is_none();
                }
            }
        }
        for &id in &order {
            flow.forward(id);
        }
        for &id in order.iter().rev() {
            flow.ahead[id.graph.0 as usize][id.index as usize] = flow.behind(id);
        }
        Ok(flow)
    }

    /// True of a value that depends on what the model is fed.
    pub fn is_data(&self, value: ValueId) -> bool {
        self.data[value.index()]
    }

    /// The layer that a value is an elementwise function of.
    pub fn root(&self, value: ValueId) -> Option<Root> {
        self.roots[value.index()]
    }

    pub fn ahead(&self, id: NodeId) -> Ahead {
        self.ahead[id.graph.0 as usize][id.index as usize]
    }

    /// The inputs of a node that are data.
    pub fn data_inputs(&self, id: NodeId) -> Vec<ValueId> {
        let inputs = 0..self.model.node(id).inputs.len();
        let inputs = inputs.filter_map(|input| self.values.input(id, input));
        inputs.filter(|&value| self.is_data(value)).collect()
    }

    /// True of a dense layer: a product of data and weights.
    pub fn is_dense(&self, id: NodeId) -> bool {
        let node = self.model.node(id);
        (node.is("Gemm") || node.is("MatMul")) && self.has_weights(id)
    }

    /// True of a layer with weights.
    pub fn is_layer(&self, id: NodeId) -> bool {
        let node = self.model.node(id);
        let body = BODY.iter().any(|op| node.is(op)) && !node.is("Loop") && !node.is("Scan");
        self.is_dense(id) || (body && self.has_weights(id))
    }

    /// True of a product of data with data, as in attention.
    pub fn is_product_of_data(&self, id: NodeId) -> bool {
        self.model.node(id).is("MatMul") && self.data_inputs(id).len() == 2
    }

    /// The nodes that use a value.
    pub fn users(&self, value: ValueId) -> impl Iterator<Item = NodeId> + '_ {
        self.values.uses(value).filter_map(|at| match at {
            Use::Input { node, .. } => Some(node),
            _ => None,
        })
    }

    /// The values that a node makes.
    pub fn outputs(&self, id: NodeId) -> impl Iterator<Item = ValueId> + '_ {
        let outputs = 0..self.model.node(id).outputs.len();
        outputs.filter_map(move |output| self.values.output(self.model, id, output))
    }

    /// The node that makes a value.
    pub fn maker(&self, value: ValueId) -> Option<NodeId> {
        match self.values[value].producer {
            Producer::Node { node, .. } => Some(node),
            _ => None,
        }
    }

    fn has_weights(&self, id: NodeId) -> bool {
        let inputs = 0..self.model.node(id).inputs.len();
        let mut inputs = inputs.filter_map(|input| self.values.input(id, input));
        !self.data_inputs(id).is_empty() && inputs.any(|value| !self.is_data(value))
    }

    fn forward(&mut self, id: NodeId) {
        let node = self.model.node(id);
        let inputs = self.data_inputs(id);
        let mut inner = node.attributes.iter().flat_map(|a| a.graphs());
        let data = !inputs.is_empty() || inner.any(|&graph| self.touches_data(graph));
        let root = match self.is_layer(id) {
            true => Some(Root {
                layer: id,
                activated: false,
            }),
            false => self.elementwise(node, &inputs),
        };
        let outputs: Vec<ValueId> = self.outputs(id).collect();
        for (place, output) in outputs.into_iter().enumerate() {
            self.data[output.index()] = data;
            self.roots[output.index()] = root.filter(|_| place == 0);
        }
    }

    /// True if something in a graph depends on what the model is fed.
    fn touches_data(&self, graph: crate::onnx::GraphId) -> bool {
        let nodes = self.model.graph(graph).nodes();
        let mut nodes = nodes.map(|(index, _)| NodeId { graph, index });
        nodes.any(|id| self.outputs(id).any(|value| self.is_data(value)))
    }

    fn elementwise(&self, node: &Node, inputs: &[ValueId]) -> Option<Root> {
        let activation = ACTIVATIONS.iter().any(|op| node.is(op));
        if !activation && !ELEMENTWISE.iter().any(|op| node.is(op)) {
            return None;
        }
        let mut roots = inputs.iter().map(|&input| self.root(input));
        let first = roots.next()??;
        let mut activated = first.activated || activation;
        for root in roots {
            let root = root.filter(|root| root.layer == first.layer)?;
            activated |= root.activated;
        }
        Some(Root {
            layer: first.layer,
            activated,
        })
    }

    fn behind(&self, id: NodeId) -> Ahead {
        let mut ahead = Ahead::default();
        for at in self.outputs(id).flat_map(|value| self.values.uses(value)) {
            match at {
                Use::Input { node, .. } => {
                    let next = self.ahead(node);
                    ahead.weights |= next.weights || self.is_layer(node);
                    ahead.body |= next.body || self.is_body(node);
                }
                Use::Output { graph, .. } => match self.model.graph(graph).kind {
                    GraphKind::Attribute { node, .. } => {
                        let next = self.ahead(node);
                        ahead.weights |= next.weights;
                        ahead.body |= next.body || self.is_body(node);
                    }
                    GraphKind::Function(_) => ahead.body = true,
                    _ => {}
                },
                Use::Annotation(_) | Use::Binding(_) => {}
            }
        }
        ahead
    }

    fn is_body(&self, id: NodeId) -> bool {
        let node = self.model.node(id);
        BODY.iter().any(|op| node.is(op))
            || self.is_product_of_data(id)
            || self.model.callee(node).is_some()
            || self.is_sum_of_branches(id)
    }

    /// True of a sum of two things that are not functions of the same layer.
    pub fn is_sum_of_branches(&self, id: NodeId) -> bool {
        let node = self.model.node(id);
        let sum = node.is("Add") || (node.is("Sum") && node.inputs.len() == 2);
        match self.data_inputs(id)[..] {
            [a, b] if sum => {
                let layer = |value| self.root(value).map(|root| root.layer);
                a != b && (layer(a).is_none() || layer(a) != layer(b))
            }
            _ => false,
        }
    }
}
