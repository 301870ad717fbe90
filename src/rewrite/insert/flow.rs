//! Where data flows: what the positions that a preset names are told from. One pass each way, through
//! calls of functions as well.

mod calls;

use crate::error::Result;
use crate::onnx::{
    Attribute, AttributeValue, DataType, GraphId, GraphKind, Model, Node, NodeId, Producer, Use,
    ValueId, Values,
};

use crate::semantics::calls::Calls;
use crate::semantics::operator::{Control, Elements, Layer, Operator, Role};

use calls::standing;

/// What a value is an elementwise function of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Root {
    pub source: Source,
    /// True once an activation came between.
    pub activated: bool,
}

/// A layer, or what a function is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Source {
    /// A layer with weights, or the call of a function that has one at its end.
    Layer(NodeId, Kind),
    /// A formal input of the function, by position.
    Formal(GraphId, usize),
}

/// The kind of a layer with weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Dense,
    Convolution,
    Other,
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
    pub calls: Calls,
    /// By value: whether it depends on what the model is fed, and not only on its size.
    data: Vec<bool>,
    roots: Vec<Option<Root>>,
    /// By graph and node.
    ahead: Vec<Vec<Ahead>>,
    /// By function: what stands in it.
    inside: Vec<Ahead>,
}

impl<'m> Flow<'m> {
    /// # Errors
    /// The model is not sound.
    pub fn new(model: &'m Model, values: &'m Values) -> Result<Self> {
        let order = model.check_order(values)?;
        let mut flow = Flow {
            model,
            values,
            calls: Calls::new(model),
            data: vec![false; values.len()],
            roots: vec![None; values.len()],
            ahead: vec![Vec::new(); model.graph_slots()],
            inside: vec![Ahead::default(); model.functions.len()],
        };
        for (id, graph) in model.graphs() {
            flow.ahead[id.0 as usize] = vec![Ahead::default(); graph.node_slots()];
            flow.enter(id);
        }
        let roots = standing(model, &flow.calls, &order);
        for root in &roots {
            for &id in &root.nodes {
                flow.feed(id, root.runs);
            }
        }
        for root in roots.iter().rev() {
            for &id in &root.nodes {
                flow.root_outputs(id);
            }
            if let GraphKind::Function(index) = model.graph(root.graph).kind {
                for &id in &root.nodes {
                    flow.inside[index].weights |= flow.is_layer(id) || flow.inner(id).weights;
                    flow.inside[index].body |= flow.is_body(id);
                }
            }
        }
        for root in &roots {
            for &id in root.nodes.iter().rev() {
                flow.ahead[id.graph.0 as usize][id.index as usize] = flow.behind(id);
            }
        }
        Ok(flow)
    }

    /// True of a value that depends on what the model is fed, and not only on its size.
    pub fn is_data(&self, value: ValueId) -> bool {
        self.data[value.index()]
    }

    pub fn element_type(&self, value: ValueId) -> Option<DataType> {
        self.model.element_type(self.values, value)
    }

    /// What a value is an elementwise function of.
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

    /// The kind of layer that a node is: a product of data and weights, or a call that ends in one.
    pub fn layer(&self, id: NodeId) -> Option<Kind> {
        let node = self.model.node(id);
        if let Some(body) = self.body(node) {
            return match self.end(body)?.source {
                Source::Layer(_, kind) => Some(kind),
                Source::Formal(..) => None,
            };
        }
        let kind = match Operator::of(self.model, id)?.role {
            Role::Layer(Layer::Dense) if contracts(node) => Kind::Dense,
            Role::Layer(Layer::Convolution) => Kind::Convolution,
            Role::Layer(Layer::Attention | Layer::Recurrent) => Kind::Other,
            _ => return None,
        };
        self.has_weights(id).then_some(kind)
    }

    /// True of a layer with weights.
    pub fn is_layer(&self, id: NodeId) -> bool {
        self.layer(id).is_some()
    }

    /// True of a product of data with data, as in attention.
    pub fn is_product_of_data(&self, id: NodeId) -> bool {
        let dense = |op: &Operator| op.role == Role::Layer(Layer::Dense);
        let product = Operator::of(self.model, id).is_some_and(dense);
        let is_data = |input| {
            let value = self.values.input(id, input);
            value.is_some_and(|value| self.is_data(value))
        };
        product && contracts(self.model.node(id)) && [0, 1].into_iter().all(is_data)
    }

    /// True of a node that passes its data through, possibly with different axes or element type.
    pub fn passes(&self, id: NodeId) -> bool {
        Operator::of(self.model, id).is_some_and(Operator::passes)
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

    /// The calls of the function with this body.
    pub fn calls_of(&self, body: GraphId) -> &[NodeId] {
        match self.model.graph(body).kind {
            GraphKind::Function(index) => self.calls.of(index),
            _ => &[],
        }
    }

    /// True of what a function that is called hands out: the call hands it on.
    pub fn is_handed_out(&self, value: ValueId) -> bool {
        self.values.uses(value).any(|at| match at {
            Use::Output { graph, .. } => !self.calls_of(graph).is_empty(),
            _ => false,
        })
    }

    /// What the first call of its function passes for a formal input.
    pub fn passed(&self, value: ValueId) -> Option<ValueId> {
        let known = &self.values[value];
        let &call = self.calls_of(known.graph).first()?;
        let inputs = &self.model.graph(known.graph).inputs;
        let place = inputs.iter().position(|info| info.name == known.name)?;
        self.values.input(call, place)
    }

    /// The body of the function that a node calls.
    pub fn body(&self, node: &Node) -> Option<GraphId> {
        let index = self.model.callee(node)?;
        Some(self.model.functions[index].body)
    }

    fn inner(&self, id: NodeId) -> Ahead {
        let callee = self.model.callee(self.model.node(id));
        callee.map_or(Ahead::default(), |index| self.inside[index])
    }

    /// The root of the first output of a function.
    fn end(&self, body: GraphId) -> Option<Root> {
        let output = self.model.graph(body).outputs.first()?;
        self.root(self.values.lookup(self.model, body, &output.name)?)
    }

    fn has_weights(&self, id: NodeId) -> bool {
        let inputs = 0..self.model.node(id).inputs.len();
        let mut inputs = inputs.filter_map(|input| self.values.input(id, input));
        !self.data_inputs(id).is_empty() && inputs.any(|value| !self.is_data(value))
    }

    /// The inputs of a graph.
    fn enter(&mut self, id: GraphId) {
        let graph = self.model.graph(id);
        for (place, info) in graph.inputs.iter().enumerate() {
            let Some(value) = self.values.lookup(self.model, id, &info.name) else {
                continue;
            };
            let index = value.index();
            self.data[index] = match graph.kind {
                GraphKind::Main => self.values[value].initializer.is_none(),
                // what calls pass
                GraphKind::Function(index) => !self.calls.is_reached(index),
                _ => true,
            };
            if let GraphKind::Function(_) = graph.kind {
                self.roots[index] = Some(Root {
                    source: Source::Formal(id, place),
                    activated: false,
                });
            }
        }
    }

    /// Whether what a node makes is data, and what it passes to a function.
    fn feed(&mut self, id: NodeId, runs: bool) {
        let node = self.model.node(id);
        let mut inner = node.attributes.iter().flat_map(Attribute::graphs);
        let sized = Operator::of(self.model, id).is_some_and(|op| !op.reads_values(0));
        let data = !sized
            && (!self.data_inputs(id).is_empty() || inner.any(|&graph| self.touches_data(graph)));
        let outputs: Vec<ValueId> = self.outputs(id).collect();
        for output in outputs {
            self.data[output.index()] = data;
        }
        if let Some(body) = self.body(node).filter(|_| runs) {
            for (place, info) in self.model.graph(body).inputs.iter().enumerate() {
                let passed = self.values.input(id, place);
                let formal = self.values.lookup(self.model, body, &info.name);
                if let (Some(passed), Some(formal)) = (passed, formal) {
                    self.data[formal.index()] |= self.is_data(passed);
                }
            }
        }
    }

    /// True if something in a graph depends on what the model is fed.
    fn touches_data(&self, graph: GraphId) -> bool {
        let nodes = self.model.graph(graph).nodes();
        let mut nodes = nodes.map(|(index, _)| NodeId { graph, index });
        nodes.any(|id| self.outputs(id).any(|value| self.is_data(value)))
    }

    fn root_outputs(&mut self, id: NodeId) {
        let node = self.model.node(id);
        let called = self.body(node).map(|body| self.end(body));
        let root = match (self.layer(id), called) {
            (Some(kind), called) => Some(Root {
                source: Source::Layer(id, kind),
                activated: called.flatten().is_some_and(|end| end.activated),
            }),
            (None, Some(end)) => end.and_then(|end| self.carried(id, end)),
            (None, None) => self.elementwise(id, &self.data_inputs(id)),
        };
        let outputs: Vec<ValueId> = self.outputs(id).collect();
        for (place, output) in outputs.into_iter().enumerate() {
            self.roots[output.index()] = root.filter(|_| place == 0);
        }
    }

    /// The root of what a call hands on that ends in a function of what it was given.
    fn carried(&self, call: NodeId, end: Root) -> Option<Root> {
        let Source::Formal(_, place) = end.source else {
            return None;
        };
        let given = self.values.input(call, place)?;
        let root = self.root(given).filter(|_| self.is_data(given))?;
        Some(Root {
            activated: root.activated || end.activated,
            ..root
        })
    }

    /// The root of a node that works elementwise or per channel on values with one common root.
    fn elementwise(&self, id: NodeId, inputs: &[ValueId]) -> Option<Root> {
        let operator = Operator::of(self.model, id)?;
        let activation = operator.role == Role::Activation;
        match operator.role {
            Role::Dropout | Role::Draw(_) => return None,
            Role::Normalisation => {}
            _ if operator.elements == Elements::Map || operator.passes() => {}
            _ => return None,
        }
        let mut roots = inputs.iter().map(|&input| self.root(input));
        let first = roots.next()??;
        let mut activated = first.activated || activation;
        for root in roots {
            let root = root.filter(|root| root.source == first.source)?;
            activated |= root.activated;
        }
        Some(Root { activated, ..first })
    }

    fn behind(&self, id: NodeId) -> Ahead {
        let mut ahead = Ahead::default();
        for at in self.outputs(id).flat_map(|value| self.values.uses(value)) {
            match at {
                Use::Input { node, .. } => {
                    let (next, inner) = (self.ahead(node), self.inner(node));
                    ahead.weights |= next.weights || inner.weights || self.is_layer(node);
                    ahead.body |= next.body || self.is_body(node);
                }
                Use::Output { graph, .. } => match self.model.graph(graph).kind {
                    GraphKind::Attribute { node, .. } => {
                        let next = self.ahead(node);
                        ahead.weights |= next.weights;
                        ahead.body |= next.body || self.is_body(node);
                    }
                    GraphKind::Function(index) => {
                        // the last layer of one call is not the last of all
                        let calls = self.calls.of(index);
                        let mut nexts = calls.iter().map(|&call| self.ahead(call));
                        ahead.weights |= !calls.is_empty() && nexts.all(|next| next.weights);
                        ahead.body |=
                            calls.is_empty() || calls.iter().any(|&call| self.ahead(call).body);
                    }
                    _ => {}
                },
                Use::Annotation(_) | Use::Binding(_) | Use::Attribute(_) => {}
            }
        }
        ahead
    }

    fn is_body(&self, id: NodeId) -> bool {
        let body = |op: &Operator| match op.role {
            Role::Layer(layer) => layer != Layer::Dense,
            Role::Control(control) => matches!(control, Control::Loop | Control::Scan),
            _ => false,
        };
        Operator::of(self.model, id).is_some_and(body)
            || self.is_product_of_data(id)
            || self.inner(id).body
            || self.is_sum_of_branches(id)
    }

    /// True of a sum of two things that are not functions of the same layer.
    pub fn is_sum_of_branches(&self, id: NodeId) -> bool {
        let node = self.model.node(id);
        let sum = node.is("Add") || (node.is("Sum") && node.inputs.len() == 2);
        match self.data_inputs(id)[..] {
            [a, b] if sum => {
                let source = |value| self.root(value).map(|root| root.source);
                a != b && (source(a).is_none() || source(a) != source(b))
            }
            _ => false,
        }
    }
}

/// False of an Einsum that sums over no index which both of its inputs have.
fn contracts(node: &Node) -> bool {
    if !node.is("Einsum") {
        return true;
    }
    let Some(AttributeValue::String(equation)) = node.attribute("equation").map(|a| &a.value)
    else {
        return false;
    };
    let equation = String::from_utf8_lossy(equation);
    let (inputs, output) = equation.split_once("->").unwrap_or((&equation, ""));
    match inputs.split_once(',') {
        Some((a, b)) => {
            let mut indices = a.chars().filter(|c| c.is_ascii_alphabetic());
            indices.any(|index| b.contains(index) && !output.contains(index))
        }
        None => false,
    }
}
