//! Operators that draw random numbers, and the outputs of the model that depend on them.

use crate::onnx::{NodeId, ValueId, contains};

use super::operator::{Distribution, Operator, Role};
use super::view::{NodeRef, View};

/// Parts of the names of random operators. Exporters leave operators of their own framework in the
/// default domain where ONNX has none: `StatelessRandomUniformV2`, `TruncatedNormal`.
const NAMES: [&[u8]; 4] = [b"Random", b"TruncatedNormal", b"Bernoulli", b"Multinomial"];

/// The functions of PyTorch that draw, as the attribute `operator` of an ATen node names them.
const ATEN: [&[u8]; 11] = [
    b"bernoulli",
    b"multinomial",
    b"normal",
    b"poisson",
    b"rand",
    b"rand_like",
    b"randint",
    b"randint_like",
    b"randn",
    b"randn_like",
    b"uniform",
];

/// True of an operator that draws random numbers, and of an unknown one that is named like one.
pub(crate) fn draws(node: NodeRef<'_>) -> bool {
    if node.op_type == "ATen" {
        let operator = node.string("operator");
        return operator.is_some_and(|name| ATEN.contains(&name));
    }
    let name = node.op_type.as_bytes();
    let is_named = || NAMES.into_iter().any(|part| contains(name, part));
    node.in_default_domain() && is_named() && node.callee().is_none()
}

/// How the numbers are distributed that a node draws; `None` if it draws none, or it is not known how.
pub(crate) fn distribution(node: NodeRef<'_>) -> Option<Distribution> {
    match (node.operator().map(|operator| operator.role), node.op()) {
        (Some(Role::Draw(distribution)), _) => Some(distribution),
        // as tf2onnx writes draws of Keras 3, in the default domain
        (_, "StatelessRandomUniformV2") => Some(Distribution::Uniform),
        (_, "StatelessRandomNormalV2") => Some(Distribution::Normal),
        (_, "StatelessRandomBinomial") => Some(Distribution::Bernoulli),
        _ => None,
    }
}

/// The reason why no runtime loads a node that draws.
pub(crate) fn unloadable(node: NodeRef<'_>) -> Option<&'static str> {
    if !draws(node) {
        return None;
    }
    if node.in_default_domain() && !Operator::is_standard(node.get()) {
        return Some("is not an ONNX operator, so no runtime loads the model");
    }
    let takes_none = matches!(node.op(), "RandomUniform" | "RandomNormal");
    let has_input = node.get().inputs.iter().any(|input| !input.is_empty());
    (takes_none && has_input).then_some("takes no input in ONNX, so no runtime loads the model")
}

/// The outputs of the main graph that a value may influence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reached {
    Nothing,
    Output(ValueId),
    Several,
}

impl Reached {
    fn with(self, other: Reached) -> Reached {
        match (self, other) {
            (Reached::Nothing, one) | (one, Reached::Nothing) => one,
            (one, two) if one == two => one,
            _ => Reached::Several,
        }
    }
}

/// The outputs that each node may influence: those of the graphs around it and of the calls of its
/// function included. A node with graphs, and a call, passes every input on to every output.
pub(crate) struct Reach<'m> {
    view: View<'m>,
    values: Vec<Reached>,
    open: Vec<ValueId>,
}

impl<'m> Reach<'m> {
    /// Linear in the size of the model: what a value reaches grows at most twice.
    pub fn new(view: View<'m>) -> Self {
        let mut reach = Reach {
            view,
            values: vec![Reached::Nothing; view.values.len()],
            open: Vec::new(),
        };
        for output in view.graph_outputs(view.model.main()).flatten() {
            reach.add(output.id, Reached::Output(output.id));
        }
        while let Some(value) = reach.open.pop() {
            let reached = reach.values[value.index()];
            if let Some(node) = view.value(value).node() {
                reach.enter(node, reached);
            }
        }
        reach
    }

    /// What the outputs of a node reach.
    pub fn of(&self, node: NodeId) -> Reached {
        let outputs = self.view.node(node).outputs().flatten();
        let reached = outputs.map(|output| self.values[output.id.index()]);
        reached.fold(Reached::Nothing, Reached::with)
    }

    /// Passes what the outputs of a node reach to its inputs and to the results of its graphs.
    fn enter(&mut self, node: NodeRef<'m>, reached: Reached) {
        let functions = self.view.model.functions();
        let body = node.callee().map(|function| functions[function].body);
        let inputs = node.inputs().flatten();
        let bodies = node.bodies().chain(body);
        let results = bodies.flat_map(|graph| self.view.graph_outputs(graph).flatten());
        for value in inputs.chain(results).collect::<Vec<_>>() {
            self.add(value.id, reached);
        }
    }

    fn add(&mut self, value: ValueId, reached: Reached) {
        let known = &mut self.values[value.index()];
        let both = known.with(reached);
        if both != *known {
            *known = both;
            self.open.push(value);
        }
    }
}
