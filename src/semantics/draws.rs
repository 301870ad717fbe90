//! Operators that draw random numbers, and the outputs of the model that depend on them.

use crate::error::Result;
use crate::onnx::{NodeId, Producer, ValueId, numbers};

use super::control_flow::{Formal, Loop, Outcome, results};
use super::operator::{Distribution, Operator, Role};
use super::view::{NodeRef, ValueRef, View};

/// Parts of the names of random operators, in small letters. Exporters leave operators of their own framework
/// where ONNX has none: `StatelessRandomUniformV2`, `TruncatedNormal`, `aten_randn_like`.
const PARTS: [&str; 9] = [
    "random",
    "bernoulli",
    "multinomial",
    "truncatednormal",
    "truncated_normal",
    "gaussiannoise",
    "gaussian_noise",
    "gumbel",
    "rand_like",
];

/// Whole names, without `aten_` before them and the `_` of an operation in place after them.
const NAMES: [&str; 22] = [
    "binomial",
    "cauchy",
    "exponential",
    "fractional_max_pool2d",
    "fractional_max_pool3d",
    "geometric",
    "log_normal",
    "normal",
    "normal_functional",
    "poisson",
    "rand",
    "randint",
    "randint_like",
    "randn",
    "randn_like",
    "randperm",
    "rngbitgenerator",
    "rrelu",
    "rrelu_with_noise",
    "uniform",
    "_sample_dirichlet",
    "_standard_gamma",
];

/// Operators of ONNX Runtime that draw: generation that samples its tokens.
const MICROSOFT: [&str; 1] = ["Sampling"];

/// Probabilities of more bytes are not read.
const LARGEST: u64 = 1 << 16;

impl NodeRef<'_> {
    /// True of an operator that draws random numbers, and of an unknown one that is named like one, whatever
    /// the graphs inside it do.
    pub(crate) fn draws(self) -> bool {
        if let Some(operator) = self.operator() {
            return matches!(operator.role, Role::Draw(_));
        }
        if self.callee().is_some() {
            return false;
        }
        let name = match self.op_type == "ATen" {
            true => self.string("operator").unwrap_or_default(),
            false => self.op_type.as_bytes(),
        };
        let own = self.domain == "com.microsoft" && MICROSOFT.iter().any(|op| self.op_type == *op);
        own || is_named_random(&String::from_utf8_lossy(name).to_lowercase())
    }
}

fn is_named_random(name: &str) -> bool {
    let name = name.strip_prefix("aten::").unwrap_or(name);
    let name = name.strip_prefix("aten_").unwrap_or(name);
    let whole = name.strip_suffix('_').unwrap_or(name);
    NAMES.contains(&whole) || PARTS.iter().any(|part| name.contains(part))
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

/// The value that holds what a node draws: of a Dropout that tosses a coin, its mask, or what it makes of a
/// constant.
pub(crate) fn drawn(node: NodeRef<'_>) -> Option<ValueRef<'_>> {
    let mask = || node.output(1).filter(|mask| mask.is_used());
    let dropout = node
        .operator()
        .is_some_and(|operator| operator.role == Role::Dropout);
    dropout.then(mask).flatten().or_else(|| node.output(0))
}

/// The probability of the second of two classes that a Multinomial draws from; `None` if there are more, or
/// if their logarithms are no constant or differ between rows.
///
/// # Errors
/// The constant cannot be read.
pub(crate) fn second_of_two(node: NodeRef<'_>) -> Result<Option<f64>> {
    let tensor = node.input(0).and_then(|value| value.initializer());
    let Some(tensor) = tensor.filter(|tensor| tensor.dims.last() == Some(&2)) else {
        return Ok(None);
    };
    let bytes = node.view().model.small_elements(tensor, LARGEST)?;
    let numbers = bytes.and_then(|bytes| numbers(tensor.data_type, &bytes));
    Ok(numbers.and_then(|numbers| {
        let (rows, _) = numbers.as_chunks::<2>();
        let (&first, others) = rows.split_first()?;
        let [zero, one] = first;
        let share = 1.0 / (1.0 + (zero - one).exp());
        others.iter().all(|row| *row == first).then_some(share)
    }))
}

/// The reason why no runtime loads a node, which draws.
pub(crate) fn unloadable(node: NodeRef<'_>) -> Option<&'static str> {
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

/// The outputs that each node may influence by its values, not only by their shape: those of the graphs around
/// it and of the calls of its function included. A Loop or Scan passes each state on to itself; another node with
/// graphs, and a call, passes every input on to every output.
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
        for node in view.nodes().filter(|node| node.is_opaque()) {
            for (_, value) in node.given() {
                reach.add(value.id, Reached::Several);
            }
        }
        while let Some(value) = reach.open.pop() {
            let reached = reach.values[value.index()];
            match view.value(value).producer() {
                Some((node, output)) => reach.enter(node, output, reached),
                None => reach.enter_step(view.value(value), reached),
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

    /// Passes what an output of a node reaches to its inputs and to the results of its graphs.
    fn enter(&mut self, node: NodeRef<'m>, output: usize, reached: Reached) {
        if let Some(of) = Loop::of(node) {
            let results = match of.outcome(output) {
                Outcome::State(state) => [state.input, state.next],
                Outcome::Stack(result) => [result, None],
            };
            self.add_all(results.into_iter().chain(of.deciding()), reached);
            return;
        }
        let operator = node.operator();
        let reads = |input| operator.is_none_or(|operator| operator.reads_values(input));
        let inputs = node.given().filter(|&(input, _)| reads(input));
        let inputs = inputs.map(|(_, value)| value);
        let results = results(node, output).filter_map(|(.., value)| value);
        for value in inputs.chain(results).collect::<Vec<_>>() {
            self.add(value.id, reached);
        }
    }

    /// Passes what an input of the body of a loop reaches to what it is: in the first step, and in others.
    fn enter_step(&mut self, formal: ValueRef<'m>, reached: Reached) {
        let Producer::Input(place) = formal.get().producer else {
            return;
        };
        let Some(around) = Loop::around(self.view, formal.get().graph) else {
            return;
        };
        match around.formal(place as usize) {
            Formal::State(state) => self.add_all([state.input, state.next], reached),
            Formal::Slice(whole) => self.add_all([whole], reached),
            Formal::Iteration | Formal::Condition => self.add_all(around.deciding(), reached),
        }
    }

    fn add_all(
        &mut self,
        values: impl IntoIterator<Item = Option<ValueRef<'m>>>,
        reached: Reached,
    ) {
        for value in values.into_iter().flatten() {
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
