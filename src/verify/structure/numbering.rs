//! Numbering the values of one model: equal numbers are equal expressions.

use std::collections::{BTreeMap, BTreeSet};

use crate::dropout::Side;
use crate::dropout::{ScalarBytes, Site};
use crate::error::{Error, Result};
use crate::hash::HashMap;
use crate::onnx::{DataType, GraphId, NodeId, ValueId};
use crate::semantics::facts::Facts;
use crate::semantics::view::{NodeRef, View};

use super::allowed::Exceptions;
use super::expression::{Expression, Tag};
use super::reachable::Reachable;
use super::shared::Shared;
use super::states::States;

/// The expressions of a model.
#[derive(Debug)]
pub(super) struct Numbering<'m> {
    pub view: View<'m>,
    pub facts: Facts<'m>,
    numbers: Vec<Expression>,
    /// Values that an output depends on.
    live: Vec<bool>,
    /// By number, the node at which an application occurs first.
    nodes: Vec<Option<NodeId>>,
    /// What graphs in attributes compute.
    pub bodies: HashMap<GraphId, Expression>,
    /// Functions: one may be missing in the other model, as what calls of it compute is compared.
    pub functions: BTreeSet<String>,
    /// What has to be equal: outputs of the main graph, of training graphs, of functions.
    pub results: BTreeMap<String, Expression>,
}

impl Numbering<'_> {
    /// True if an output depends on a value.
    pub fn is_live(&self, value: ValueId) -> bool {
        self.live[value.index()]
    }

    /// The node at which an application occurs first.
    pub fn node(&self, application: Expression) -> Option<NodeId> {
        self.nodes.get(application.0 as usize).copied().flatten()
    }

    /// Notes that a node is an application.
    pub fn applied(&mut self, application: Expression, node: NodeId) {
        let index = application.0 as usize;
        if index >= self.nodes.len() {
            self.nodes.resize(index + 1, None);
        }
        self.nodes[index].get_or_insert(node);
    }

    /// The number of a value.
    pub fn value(&self, value: ValueId) -> Expression {
        self.numbers[value.index()]
    }
}

/// A numbering in the making.
pub(super) struct Builder<'s, 'm> {
    pub(super) view: View<'m>,
    pub(super) shared: &'s mut Shared<'m>,
    pub(super) numbering: Numbering<'m>,
    pub(super) reachable: Reachable<'m>,
    pub(super) exceptions: Exceptions,
    /// `Dropout` operators that scale at inference, with the factor; `None` if it is unknown.
    pub(super) classic: HashMap<NodeId, Option<ScalarBytes>>,
    /// What each function computes, and whether it draws at random.
    pub(super) functions: Vec<Option<(Expression, bool)>>,
    /// The number of draws so far that look alike, in the current graph or function.
    draws: HashMap<Expression, u32>,
    /// Graphs in which a node draws at random.
    pub(super) impure: Vec<bool>,
}

impl<'s, 'm> Builder<'s, 'm> {
    /// Numbers every value of a model.
    pub fn build(
        side: Side<'m>,
        exceptions: Exceptions,
        shared: &'s mut Shared<'m>,
    ) -> Result<Numbering<'m>> {
        let view = side.view;
        let order = view.model.check_order(view.values)?;
        let mut builder = Builder {
            view,
            shared,
            numbering: Numbering {
                view,
                facts: side.facts,
                numbers: vec![Expression::ABSENT; view.values.len()],
                live: Vec::new(),
                nodes: Vec::new(),
                bodies: HashMap::default(),
                functions: BTreeSet::new(),
                results: BTreeMap::new(),
            },
            reachable: Reachable::new(view, side.sites, &exceptions),
            exceptions,
            classic: classic(view, side.sites),
            functions: vec![None; view.model.functions().len()],
            draws: HashMap::default(),
            impure: vec![false; view.model.graph_slots()],
        };
        builder.number(order)?;
        builder.numbering.live = builder.reachable.into_values();
        Ok(builder.numbering)
    }

    fn number(&mut self, mut order: Vec<NodeId>) -> Result<()> {
        let model = self.view.model;
        let roots = self.roots()?;
        let mut places = vec![None; model.graph_slots()];
        for (place, root) in roots.iter().enumerate() {
            places[root.0 as usize] = Some(place);
        }
        let place = |id: &NodeId| places[model.root(id.graph).0 as usize];
        order.sort_by_key(place);
        let mut graphs: HashMap<GraphId, Vec<GraphId>> = HashMap::default();
        for (id, _) in model.graphs() {
            graphs.entry(model.root(id)).or_default().push(id);
        }
        for (at, root) in roots.into_iter().enumerate() {
            // a function's draws are its own: its calls are told apart by the caller
            self.draws.clear();
            for &graph in graphs.get(&root).into_iter().flatten() {
                self.inputs_and_initializers(graph)?;
            }
            let first = order.partition_point(|id| place(id) < Some(at));
            for id in order[first..]
                .iter()
                .take_while(|&id| place(id) == Some(at))
            {
                self.node(self.view.node(*id))?;
            }
            self.root(root)?;
        }
        self.bindings();
        Ok(())
    }

    /// Main and training graphs and functions, a function before those that call it.
    fn roots(&self) -> Result<Vec<GraphId>> {
        let model = self.view.model;
        let called = model.call_order();
        let called = called.map_err(|flaw| Error::model(flaw.why).at(flaw.place))?;
        let bodies = called.into_iter().map(|f| model.functions()[f].body);
        let mut order: Vec<GraphId> = bodies.collect();
        order.push(model.main());
        for training in model.training() {
            order.extend(training.initialization);
            order.extend(training.algorithm);
        }
        Ok(order)
    }

    pub(super) fn set(&mut self, value: ValueId, number: Expression) {
        self.numbering.numbers[value.index()] = number;
    }

    pub(super) fn set_output(&mut self, node: NodeRef<'_>, output: usize, number: Expression) {
        if let Some(value) = node.output(output) {
            self.set(value.id, number);
        }
    }

    pub(super) fn input(&self, node: NodeRef<'_>, input: usize) -> Expression {
        let value = node.input(input);
        value.map_or(Expression::ABSENT, |value| self.numbering.value(value.id))
    }

    fn node(&mut self, node: NodeRef<'m>) -> Result<()> {
        if self.excepted(node) {
            return Ok(());
        }
        if !self.reachable.junctions.is_empty() {
            self.junctions(node)?;
        }
        if !self.reachable.has_node(node) {
            return Ok(());
        }
        if self.passes(node) || (node.callee().is_none() && self.simplified(node)?) {
            return Ok(());
        }
        let states = (node.body("body")).and_then(|body| self.reachable.states(body));
        let (count, results) = (node.inputs.len(), node.outputs.len());
        let places = states.map_or_else(|| (0..count).collect(), |states| states.inputs(count));
        let outputs =
            states.map_or_else(|| (0..results).collect(), |s: &States| s.outputs(results));
        let inputs = self.arguments(node, places);
        let scaled = self.scaled(node, &inputs);
        let (mut number, impure) = self.application(node, inputs, &outputs)?;
        if impure {
            self.impure[node.graph().0 as usize] = true;
            number = self.draw(node, number);
        }
        for (place, output) in outputs.into_iter().enumerate() {
            let value = node.output(output);
            let value = value.filter(|value| !self.reachable.junctions.contains_key(&value.id));
            if let Some(value) = value {
                let number = self.shared.expressions.output(number, place);
                self.set(value.id, number);
                if let Some(data) = scaled {
                    self.shared.set_scaled(number, data);
                }
            }
        }
        Ok(())
    }

    /// Numbers the outputs of a call whose function passes its inputs through. False of other nodes.
    fn passes(&mut self, node: NodeRef<'m>) -> bool {
        let Some(function) = node.callee() else {
            return false;
        };
        let body = self.view.model.functions()[function].body;
        let formals = self.view.graph_inputs(body);
        let formals = formals.map(|formal| formal.map(|formal| self.numbering.value(formal.id)));
        let formals: Vec<Option<Expression>> = formals.collect();
        let passed = node
            .outputs()
            .zip(self.view.graph_outputs(body))
            .filter_map(|(value, output)| {
                let value = value.filter(|value| self.reachable.has(value.id))?;
                let output = output.map(|output| self.numbering.value(output.id));
                let place = formals
                    .iter()
                    .position(|formal| formal.is_some() && *formal == output);
                Some((value.id, place))
            });
        let passed: Vec<(ValueId, Option<usize>)> = passed.collect();
        let inputs = passed
            .iter()
            .filter_map(|(value, place)| Some((*value, self.input(node, (*place)?))));
        let inputs: Vec<(ValueId, Expression)> = inputs.collect();
        if inputs.is_empty() || inputs.len() < passed.len() {
            return false;
        }
        inputs
            .into_iter()
            .for_each(|(value, number)| self.set(value, number));
        true
    }

    /// Numbers the output of a factor that may be missing, and of scaled weights. False of other nodes.
    fn excepted(&mut self, node: NodeRef<'m>) -> bool {
        if let Some(data) = self.exceptions.factor(node.id) {
            let data = self.input(node, data);
            self.set_output(node, 0, data);
            return true;
        }
        let weights = node.output(0);
        let weights = weights.and_then(|weights| self.exceptions.value(weights.id));
        if let Some(number) = weights {
            let number = self.shared.expressions.number(Tag::Weights, &[number]);
            self.set_output(node, 0, number);
        }
        weights.is_some()
    }

    /// The expressions of some inputs of a node: as far as it depends on them.
    fn arguments(&mut self, node: NodeRef<'m>, places: Vec<usize>) -> Vec<Expression> {
        let callee = node.callee();
        let operator = node.operator();
        let runs = self.reachable.layers.get(&node.id).copied();
        let argument = |input: usize| {
            if let (Some(runs), 0) = (runs, input) {
                return self.scalar(DataType::BOOL, vec![runs.into()]);
            }
            if callee.is_some_and(|function| !self.reachable.has_formal(function, input)) {
                return Expression::ABSENT;
            }
            let number = match self.exceptions.weights(node.id, input) {
                Some(number) => self.shared.expressions.number(Tag::Weights, &[number]),
                None => self.input(node, input),
            };
            match operator {
                Some(operator) if !operator.reads_values(input) => self.shared.shape_of(number),
                _ => number,
            }
        };
        places.into_iter().map(argument).collect()
    }

    /// The data of a product or quotient by a scalar.
    fn scaled(&self, node: NodeRef<'_>, inputs: &[Expression]) -> Option<Expression> {
        let &[x, y] = inputs else { return None };
        let product = node.is("Mul") || node.is("Div");
        let mut pairs = [(x, y), (y, x)].into_iter().filter(|_| product);
        let scaled = pairs.find(|(_, factor)| self.shared.scalars.contains(factor));
        scaled.map(|(data, _)| data)
    }

    /// One of several applications that look alike but draw on their own.
    fn draw(&mut self, node: NodeRef<'_>, application: Expression) -> Expression {
        let count = self.draws.entry(application).or_insert(0);
        *count += 1;
        let words = [application.0, *count];
        let number = self.shared.expressions.number(Tag::Draw, &words);
        self.numbering.applied(number, node.id);
        number
    }
}

/// The factors of classic `Dropout` operators.
fn classic(view: View<'_>, sites: &[Site]) -> HashMap<NodeId, Option<ScalarBytes>> {
    let operators = sites.iter().filter(|site| site.is_classic());
    let mut factors: HashMap<NodeId, Option<ScalarBytes>> = HashMap::default();
    for site in operators {
        let factor = site.classic_factor(view);
        let known = factors
            .entry(site.nodes[0])
            .or_insert_with(|| factor.clone());
        // the calls of a function may set it differently
        if *known != factor {
            *known = None;
        }
    }
    factors
}
