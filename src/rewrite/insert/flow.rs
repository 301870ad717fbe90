//! How data flows: what the positions that a preset names are recognised by. One pass each way, through
//! calls of functions as well.

mod ahead;
mod calls;
mod root;

use std::cell::Cell;

use crate::error::{Error, ErrorKind, Result};
use crate::hash::HashSet;
use crate::onnx::{AttributeValue, GraphId, GraphKind, Node, ValueId};
use crate::semantics::calls::Calls;
use crate::semantics::facts::Facts;
use crate::semantics::operator::{Layer, Role, Shape};
use crate::semantics::view::{NodeRef, ValueRef, View};

pub(super) use ahead::Ahead;
use calls::standing;
pub(super) use root::{Kind, Root, Source};

pub(super) struct Flow<'m> {
    pub view: View<'m>,
    pub calls: &'m Calls,
    pub facts: Facts<'m>,
    /// By value: whether it depends on the inputs of the model, and not only on their size.
    data: Vec<bool>,
    roots: Vec<Option<Root>>,
    /// By value: the place of its node in the order of all.
    places: Vec<u32>,
    /// By graph and node.
    ahead: Vec<Vec<Ahead>>,
    /// By function: what its body contains.
    inside: Vec<Ahead>,
    /// The steps that searches for branches may still take.
    steps: Cell<usize>,
}

/// The steps that searches for branches may take for each value. Branches that are nested, or begin at one value
/// far before, are searched several times.
const STEPS: usize = 1000;

impl<'m> Flow<'m> {
    /// # Errors
    /// The model is not sound.
    pub fn new(facts: Facts<'m>) -> Result<Self> {
        let view = facts.view();
        let (model, values) = (view.model, view.values);
        let order = model.check_order(values)?;
        let mut flow = Flow {
            view,
            calls: facts.calls(),
            facts,
            data: vec![false; values.len()],
            roots: vec![None; values.len()],
            places: vec![0; values.len()],
            ahead: vec![Vec::new(); model.graph_slots()],
            inside: vec![Ahead::default(); model.functions().len()],
            steps: Cell::new(STEPS.saturating_mul(values.len())),
        };
        for (id, graph) in model.graphs() {
            flow.ahead[id.0 as usize] = vec![Ahead::default(); graph.node_slots()];
            flow.enter(id);
        }
        for (place, &id) in order.iter().enumerate() {
            for output in view.node(id).produced() {
                flow.places[output.id.index()] = place as u32 + 1;
            }
        }
        let roots = standing(view, flow.calls, &order);
        for root in &roots {
            for &node in &root.nodes {
                flow.feed(node, root.runs);
            }
        }
        for root in roots.iter().rev() {
            for &node in &root.nodes {
                flow.root_outputs(node);
            }
            if let GraphKind::Function(index) = model.graph(root.graph).kind {
                for &node in &root.nodes {
                    let weights = flow.is_layer(node) || flow.inner(node).weights;
                    flow.inside[index].weights |= weights;
                    flow.inside[index].body |= flow.is_body(node);
                }
            }
        }
        for root in &roots {
            for &node in root.nodes.iter().rev() {
                flow.look_ahead(node);
            }
        }
        Ok(flow)
    }

    /// True of a value that depends on the inputs of the model, and not only on their size.
    pub fn is_data(&self, value: ValueRef<'_>) -> bool {
        self.data[value.id.index()]
    }

    /// Takes a step of a search, unless all are taken.
    pub fn may_search(&self) -> bool {
        let left = self.steps.get();
        self.steps.set(left.saturating_sub(1));
        left > 0
    }

    /// # Errors
    /// A search took all the steps that it may, and is not complete.
    pub fn is_searched(&self) -> Result<()> {
        let why = "analysis-limit: the search for the residual branches of this model took too many steps, so \
                   the positions of presets are not known; select values with --at, --name or --after";
        match self.steps.get() {
            0 => Err(Error::new(ErrorKind::Unsupported, why)),
            _ => Ok(()),
        }
    }

    /// The place of a value in an order in which it comes after all that it depends on.
    pub fn place(&self, value: ValueRef<'_>) -> u32 {
        self.places[value.id.index()]
    }

    /// Values, and all that depends on them in their graphs.
    pub fn downstream(&self, of: &HashSet<ValueId>) -> HashSet<ValueId> {
        let mut found = of.clone();
        let mut open: Vec<ValueId> = of.iter().copied().collect();
        while let Some(value) = open.pop() {
            let readers = self.view.value(value).readers();
            for output in readers.flat_map(|(node, _)| node.produced()) {
                if found.insert(output.id) {
                    open.push(output.id);
                }
            }
        }
        found
    }

    /// The inputs of a node that are data.
    pub fn data_inputs(&self, node: NodeRef<'m>) -> Vec<ValueRef<'m>> {
        let given = node.given().map(|(_, value)| value);
        given.filter(|&value| self.is_data(value)).collect()
    }

    /// The kind of layer that a node is: a product of data and weights, or a call that ends in one.
    pub fn layer(&self, node: NodeRef<'m>) -> Option<Kind> {
        if let Some(body) = self.body(node) {
            return match self.end(body)?.source {
                Source::Layer(_, kind) => Some(kind),
                Source::Formal(..) | Source::Other(_) => None,
            };
        }
        let kind = match node.operator()?.role {
            Role::Layer(Layer::Dense) if contracts(&node) => Kind::Dense,
            Role::Layer(Layer::Convolution) if self.is_pooled(node) => Kind::Dense,
            Role::Layer(Layer::Convolution) => Kind::Convolution,
            Role::Layer(Layer::Attention | Layer::Recurrent) => Kind::Other,
            _ => return None,
        };
        let mut given = node.given();
        let weights = given.any(|(_, value)| !self.is_data(value));
        (weights && !self.data_inputs(node).is_empty()).then_some(kind)
    }

    /// True of a convolution of what was pooled to one element: it is as dense as a product.
    fn is_pooled(&self, convolution: NodeRef<'m>) -> bool {
        let data = convolution.input(0);
        let Some(before) = data.and_then(|data| self.source(data)) else {
            return false;
        };
        let shape = before.operator().map(|operator| operator.shape);
        let pools = matches!(shape, Some(Shape::GlobalPool | Shape::Reduce));
        pools || before.op() == "Conv" && self.layer(before) == Some(Kind::Dense)
    }

    /// True of a layer with weights.
    pub fn is_layer(&self, node: NodeRef<'m>) -> bool {
        self.layer(node).is_some()
    }

    /// True of a product of data with data, as in attention.
    pub fn is_product_of_data(&self, node: NodeRef<'m>) -> bool {
        let operator = node.operator();
        let dense = operator.is_some_and(|op| op.role == Role::Layer(Layer::Dense));
        let is_data = |input| node.input(input).is_some_and(|value| self.is_data(value));
        dense && contracts(&node) && is_data(0) && is_data(1)
    }

    /// The calls of the function with this body.
    fn calls_of(&self, body: GraphId) -> impl DoubleEndedIterator<Item = NodeRef<'m>> {
        let calls = match self.view.model.graph(body).kind {
            GraphKind::Function(index) => self.calls.of(index),
            _ => &[],
        };
        let view = self.view;
        calls.iter().map(move |&call| view.node(call))
    }

    /// The body of the function that a node calls.
    pub fn body(&self, node: NodeRef<'m>) -> Option<GraphId> {
        let index = node.callee()?;
        Some(self.view.model.functions()[index].body)
    }

    /// The inputs of a graph.
    fn enter(&mut self, id: GraphId) {
        let kind = &self.view.model.graph(id).kind;
        for (place, value) in self.view.graph_inputs(id).enumerate() {
            let Some(value) = value else { continue };
            let index = value.id.index();
            self.data[index] = match kind {
                GraphKind::Main => value.initializer.is_none(),
                // what calls pass
                GraphKind::Function(index) => !self.calls.is_reached(*index),
                _ => true,
            };
            let source = match kind {
                GraphKind::Function(_) => Source::Formal(id, place),
                _ => Source::Other(value.id),
            };
            let function = matches!(source, Source::Formal(..));
            self.roots[index] = (function || self.data[index]).then_some(Root {
                source,
                activated: false,
            });
        }
    }

    /// Whether the outputs of a node are data, and what it passes to a function.
    fn feed(&mut self, node: NodeRef<'m>, runs: bool) {
        let sized = node.operator().is_some_and(|op| !op.reads_values(0));
        let inner = || node.bodies().any(|graph| self.touches_data(graph));
        let data = !sized && (!self.data_inputs(node).is_empty() || inner());
        for output in node.produced() {
            self.data[output.id.index()] = data;
        }
        if let Some(body) = self.body(node).filter(|_| runs) {
            for (formal, passed) in self.view.graph_inputs(body).zip(node.inputs()) {
                if let (Some(passed), Some(formal)) = (passed, formal) {
                    self.data[formal.id.index()] |= self.is_data(passed);
                }
            }
        }
    }

    /// True if something in a graph depends on the inputs of the model.
    fn touches_data(&self, graph: GraphId) -> bool {
        let mut nodes = self.view.nodes_of(graph);
        nodes.any(|node| node.produced().any(|value| self.is_data(value)))
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
