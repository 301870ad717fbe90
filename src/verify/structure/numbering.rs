//! Numbering the values of one model.

use std::collections::{BTreeMap, BTreeSet};

use crate::hash::HashMap;

use crate::dropout::{self, Convention, Form, ScalarBytes};
use crate::error::{Error, Result};
use crate::onnx::{
    Graph, GraphId, GraphKind, Model, NodeId, Producer, SparseInitializer, Tensor, Value, ValueId,
    ValueType, Values,
};
use crate::semantics::view::View;

use crate::semantics::operator::Operator;

use super::Shared;
use super::apart::Apart;
use super::expression::{Expression, Tag};
use super::live::{Carried, Live};

/// The expressions of a model.
#[derive(Debug)]
pub(super) struct Numbering<'m> {
    pub model: &'m Model,
    pub(super) values: &'m Values,
    /// What counts when dropout takes its inference meaning.
    pub(super) live: Live,
    /// What is taken as equal.
    apart: Apart,
    /// `Dropout` operators that scale at inference, with the factor; `None`: not known.
    pub(super) classic: HashMap<NodeId, Option<ScalarBytes>>,
    numbers: Vec<Expression>,
    /// What each function computes, and whether it draws at random.
    functions: Vec<Option<(Expression, bool)>>,
    /// How many draws that look alike there were, in the graph or function at hand.
    draws: HashMap<Expression, u32>,
    /// Graphs in which something draws at random.
    pub(super) impure: Vec<bool>,
    /// The node an application was first met at.
    pub nodes: HashMap<Expression, NodeId>,
    /// What graphs inside attributes compute.
    pub bodies: HashMap<GraphId, Expression>,
    /// Functions that nothing calls: one of them may be missing in the other model.
    pub idle: BTreeSet<String>,
    /// What is to be equal: outputs of the main graph, of training graphs, of functions.
    pub results: BTreeMap<String, Expression>,
}

impl<'m> Numbering<'m> {
    /// Numbers every value of a model.
    pub fn new(
        model: &'m Model,
        values: &'m Values,
        (apart, convention): (Apart, Convention),
        shared: &mut Shared<'m>,
    ) -> Result<Self> {
        let order = model.check_order(values)?;
        let mut this = Numbering {
            model,
            values,
            live: Live::new(model, values)?,
            apart,
            classic: match convention {
                Convention::Inverted => HashMap::default(),
                Convention::Classic => classic(model, values)?,
            },
            numbers: vec![Expression::ABSENT; values.len()],
            functions: vec![None; model.functions().len()],
            draws: HashMap::default(),
            impure: vec![false; model.graph_slots()],
            nodes: HashMap::default(),
            bodies: HashMap::default(),
            idle: BTreeSet::new(),
            results: BTreeMap::new(),
        };
        let mut by_root: HashMap<GraphId, Vec<NodeId>> = HashMap::default();
        for id in order {
            by_root.entry(model.root(id.graph)).or_default().push(id);
        }
        let mut graphs: HashMap<GraphId, Vec<GraphId>> = HashMap::default();
        for (id, _) in model.graphs() {
            graphs.entry(model.root(id)).or_default().push(id);
        }
        for root in this.roots()? {
            // calls are told apart where they stand: what a function draws is its own
            this.draws.clear();
            for &graph in graphs.get(&root).into_iter().flatten() {
                this.leaves(graph, shared)?;
            }
            for &node in by_root.get(&root).into_iter().flatten() {
                this.node(node, shared)?;
            }
            this.root(root, shared)?;
        }
        this.bindings(shared);
        Ok(this)
    }

    /// Main and training graphs and functions, a function before those that call it.
    fn roots(&self) -> Result<Vec<GraphId>> {
        let model = self.model;
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

    /// Inputs and initializers of a graph.
    fn leaves(&mut self, id: GraphId, shared: &mut Shared<'m>) -> Result<()> {
        let graph = self.model.graph(id);
        let count = graph.inputs.len();
        let kept = match self.live.carried(id) {
            Some(carried) => carried.kept(carried.before, count),
            None => (0..count).collect(),
        };
        for (index, input) in kept.into_iter().enumerate() {
            let input = &graph.inputs[input];
            let Some(value) = self.values.lookup(self.model, id, &input.name) else {
                continue;
            };
            if let Some(number) = self.apart.value(value) {
                self.numbers[value.index()] = shared.expressions.number(Tag::Weights, &[number]);
                continue;
            }
            let default = match self.values[value] {
                Value {
                    initializer: Some(index),
                    ..
                } => self.tensor(graph.initializer(index), shared)?,
                Value {
                    sparse: Some(index),
                    ..
                } => self.sparse(&graph.sparse_initializers()[index as usize], shared)?,
                _ => Expression::ABSENT,
            };
            self.numbers[value.index()] = match graph.kind {
                GraphKind::Attribute { .. } | GraphKind::Function(_) => {
                    let depth = self.model.depth(id) as u32;
                    shared
                        .expressions
                        .number(Tag::Formal, &[depth, index as u32])
                }
                _ => {
                    let name = shared.expressions.string(input.name.as_bytes());
                    let number = shared.expressions.number(Tag::Input, &[name, default.0]);
                    if let ValueType::Tensor { shape, .. } = input.value_type()
                        && shape.is_some_and(|dims| dims.is_empty())
                    {
                        shared.scalars.insert(number);
                    }
                    number
                }
            };
        }
        for (_, tensor) in graph.initializers() {
            let value = self.values.lookup(self.model, id, &tensor.name);
            if let Some(value) = value
                && matches!(self.values[value].producer, Producer::Initializer(_))
            {
                self.numbers[value.index()] = match self.apart.value(value) {
                    Some(number) => shared.expressions.number(Tag::Weights, &[number]),
                    None => self.tensor(tensor, shared)?,
                };
            }
        }
        for sparse in graph.sparse_initializers() {
            let value = self.values.lookup(self.model, id, &sparse.values.name);
            if let Some(value) = value
                && matches!(self.values[value].producer, Producer::SparseInitializer(_))
            {
                self.numbers[value.index()] = self.sparse(sparse, shared)?;
            }
        }
        Ok(())
    }

    pub(super) fn tensor(
        &mut self,
        tensor: &'m Tensor,
        shared: &mut Shared<'m>,
    ) -> Result<Expression> {
        let mut words = Vec::new();
        self.tensor_words(&mut words, tensor, shared)?;
        let constant = shared.expressions.number(Tag::Constant, &words);
        if tensor.dims.is_empty() {
            shared.scalars.insert(constant);
        }
        Ok(constant)
    }

    pub(super) fn tensor_words(
        &mut self,
        words: &mut Vec<u32>,
        tensor: &'m Tensor,
        shared: &mut Shared<'m>,
    ) -> Result<()> {
        words.extend([tensor.data_type.0 as u32, tensor.dims.len() as u32]);
        for &dim in &tensor.dims {
            push_long(words, dim as u64);
        }
        words.push(shared.contents.number(self.model, tensor)?);
        Ok(())
    }

    pub(super) fn sparse(
        &mut self,
        sparse: &'m SparseInitializer,
        shared: &mut Shared<'m>,
    ) -> Result<Expression> {
        let mut words = vec![sparse.dims.len() as u32];
        for &dim in &sparse.dims {
            push_long(&mut words, dim as u64);
        }
        self.tensor_words(&mut words, &sparse.values, shared)?;
        self.tensor_words(&mut words, &sparse.indices, shared)?;
        Ok(shared.expressions.number(Tag::Sparse, &words))
    }

    pub(super) fn input(&self, id: NodeId, input: usize) -> Expression {
        let value = self.values.input(id, input);
        value.map_or(Expression::ABSENT, |value| self.numbers[value.index()])
    }

    /// As [`Numbering::input`], but for weights with a factor, which are what they are in the other
    /// model.
    fn argument(&self, id: NodeId, input: usize, shared: &mut Shared<'m>) -> Expression {
        match self.apart.weights(id, input) {
            Some(number) => shared.expressions.number(Tag::Weights, &[number]),
            None => self.input(id, input),
        }
    }

    pub(super) fn value(&self, value: ValueId) -> Expression {
        self.numbers[value.index()]
    }

    pub(super) fn set_output(&mut self, id: NodeId, output: usize, number: Expression) {
        if let Some(value) = self.values.output(self.model, id, output) {
            self.numbers[value.index()] = number;
        }
    }

    fn node(&mut self, id: NodeId, shared: &mut Shared<'m>) -> Result<()> {
        if let Some(data) = self.apart.factor(id) {
            let data = self.input(id, data);
            self.set_output(id, 0, data);
            return Ok(());
        }
        let output = self.values.output(self.model, id, 0);
        if let Some(number) = output.and_then(|output| self.apart.value(output)) {
            let number = shared.expressions.number(Tag::Weights, &[number]);
            self.set_output(id, 0, number);
            return Ok(());
        }
        if !self.live.exits.is_empty() {
            self.exits(id, shared)?;
        }
        if !self.live.counts(self.model, self.values, id) {
            return Ok(());
        }
        let node = self.model.node(id);
        let callee = self.model.callee(node);
        if callee.is_none() && node.in_default_domain() && self.known(id, node, shared)? {
            return Ok(());
        }
        let body = node.attribute("body").map(|a| a.graphs());
        let carried = match body {
            Some(&[body]) => self.live.carried(body),
            _ => None,
        };
        let places = |before: fn(&Carried) -> usize, count| match carried {
            Some(carried) => carried.kept(before(carried), count),
            None => (0..count).collect(),
        };
        let inputs = places(|carried| carried.before, node.inputs.len());
        let outputs = places(|_| 0, node.outputs.len());
        let takes = |input: usize| callee.is_none_or(|f| self.live.takes(f, input));
        let inputs = inputs.into_iter().map(|input| match takes(input) {
            true => self.argument(id, input, shared),
            false => Expression::ABSENT,
        });
        let mut inputs: Vec<Expression> = inputs.collect();
        if let Some(operator) = Operator::of(self.model, id) {
            let by_shape = inputs.iter_mut().enumerate();
            let by_shape = by_shape.filter(|(input, _)| !operator.reads_values(*input));
            by_shape.for_each(|(_, x)| *x = shared.shape_of(*x));
        }
        let factors = match inputs[..] {
            [x, y] if node.is("Mul") || node.is("Div") => [(x, y), (y, x)],
            _ => [(Expression::ABSENT, Expression::ABSENT); 2],
        };
        let mut factors = factors.into_iter();
        let scales = factors.find(|(_, factor)| shared.scalars.contains(factor));
        let (mut number, impure) = self.application(id, inputs, &outputs, shared)?;
        if impure {
            self.impure[id.graph.0 as usize] = true;
            let count = self.draws.entry(number).or_insert(0);
            *count += 1;
            let draw = [number.0, *count];
            number = shared.expressions.number(Tag::Draw, &draw);
            self.nodes.entry(number).or_insert(id);
        }
        for (place, output) in outputs.into_iter().enumerate() {
            let value = self.values.output(self.model, id, output);
            if value.is_some_and(|value| !self.live.exits.contains_key(&value)) {
                let words = [number.0, place as u32];
                let number = shared.expressions.number(Tag::Output, &words);
                self.set_output(id, output, number);
                if let Some((data, _)) = scales {
                    shared.scaled(number, data);
                }
            }
        }
        Ok(())
    }

    /// The application of a node's operator to these inputs, for these of its outputs, and whether it
    /// draws at random.
    pub(super) fn application(
        &mut self,
        id: NodeId,
        mut inputs: Vec<Expression>,
        outputs: &[usize],
        shared: &mut Shared<'m>,
    ) -> Result<(Expression, bool)> {
        let node = self.model.node(id);
        let mut words = vec![
            shared.expressions.string(node.op_type.as_bytes()),
            match node.in_default_domain() {
                true => shared.expressions.string(b""),
                false => shared.expressions.string(node.domain.as_bytes()),
            },
            shared.expressions.string(node.overload.as_bytes()),
        ];
        // a Split has as many parts as outputs, and what other domains do is not known
        let counted = node.is("Split") || !node.in_default_domain();
        let named = |&output: &usize| counted || !node.outputs[output].is_empty();
        words.push((outputs.iter().rposition(named)).map_or(0, |last| last as u32 + 1));
        let mut impure = false;
        let callee = self.model.callee(node);
        match callee.and_then(|function| self.functions[function]) {
            Some((body, draws)) => {
                words.extend([1, body.0]);
                impure |= draws;
            }
            None => {
                let domain = node.domain.as_str().unwrap_or_default();
                let version = self.model.opset(id.graph, domain).unwrap_or(0);
                words.push(0);
                push_long(&mut words, version as u64);
                impure |= !node.in_default_domain() || node.draws();
            }
        }
        while inputs.last() == Some(&Expression::ABSENT) {
            inputs.pop();
        }
        words.push(inputs.len() as u32);
        words.extend(inputs.iter().map(|input| input.0));
        let attributes = node.attributes.iter().filter(|a| !self.apart.has(id, a));
        let attributes = attributes.collect();
        impure |= self.sorted_attributes(&mut words, attributes, shared)?;
        let number = shared.expressions.number(Tag::Apply, &words);
        self.nodes.entry(number).or_insert(id);
        Ok((number, impure))
    }

    fn outputs(&self, id: GraphId, graph: &Graph) -> Vec<Expression> {
        let outputs = graph.outputs.iter();
        outputs
            .map(|info| self.values.lookup(self.model, id, &info.name))
            .map(|value| value.map_or(Expression::ABSENT, |value| self.numbers[value.index()]))
            .collect()
    }

    /// What a graph computes from its inputs (and from what it captures).
    pub(super) fn body(&mut self, id: GraphId, shared: &mut Shared<'m>) -> Expression {
        let graph = self.model.graph(id);
        let outputs = self.outputs(id, graph);
        let (mut inputs, mut kept) = (graph.inputs.len(), (0..outputs.len()).collect());
        if let Some(carried) = self.live.carried(id) {
            inputs = carried.kept(carried.before, inputs).len();
            kept = carried.kept(carried.condition, outputs.len());
        }
        let mut words = vec![inputs as u32];
        let kept: Vec<usize> = kept;
        words.extend(kept.into_iter().map(|output| outputs[output].0));
        let body = shared.expressions.number(Tag::Body, &words);
        self.bodies.insert(id, body);
        body
    }

    /// Takes down what a main graph, training graph or function computes.
    fn root(&mut self, id: GraphId, shared: &mut Shared<'m>) -> Result<()> {
        let graph = self.model.graph(id);
        let scope = self.model.scope(id);
        if let GraphKind::Function(index) = graph.kind {
            let mut words = vec![self.body(id, shared).0];
            let defaults = &self.model.functions()[index].defaults;
            self.attributes(&mut words, defaults, shared)?;
            let body = shared.expressions.number(Tag::Function, &words);
            self.functions[index] = Some((body, self.impure[id.0 as usize]));
            if !self.live.called.contains(&index) {
                self.idle.insert(scope.clone());
            }
            self.results.insert(scope, body);
            return Ok(());
        }
        for (info, number) in graph.outputs.iter().zip(self.outputs(id, graph)) {
            let place = match graph.kind {
                GraphKind::Main => format!("output `{}`", info.name),
                _ => format!("{scope}: output `{}`", info.name),
            };
            self.results.insert(place, number);
        }
        Ok(())
    }

    /// Takes down what training assigns to what: by name, as both are outputs and initializers.
    fn bindings(&mut self, shared: &mut Shared<'m>) {
        for (index, training) in self.model.training().iter().enumerate() {
            for (pair, names) in training.bound.chunks(2).enumerate() {
                let words: Vec<u32> = (names.iter())
                    .map(|name| shared.expressions.string(name.as_bytes()))
                    .collect();
                let number = shared.expressions.number(Tag::Binding, &words);
                let place = format!("training_info[{index}]: binding {pair}");
                self.results.insert(place, number);
            }
        }
    }
}

/// `Dropout` operators with a rate that is not 0.
fn classic(model: &Model, values: &Values) -> Result<HashMap<NodeId, Option<ScalarBytes>>> {
    let sites = dropout::find_in(View::new(model, values))?.into_iter();
    let operators = sites.filter(|site| site.form == Form::Operator && site.rate != Some(0.0));
    let factors = operators.map(|site| (site.nodes[0], site.classic_factor(model, values)));
    Ok(factors.collect())
}

pub(super) fn push_long(words: &mut Vec<u32>, value: u64) {
    words.extend([value as u32, (value >> 32) as u32]);
}
