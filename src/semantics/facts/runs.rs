//! Whether a graph runs: branches that are never taken, functions that are never called.

use crate::hash::{HashMap, HashSet};
use crate::onnx::{GraphId, GraphKind, Producer, ValueId};
use crate::semantics::control_flow::branches;
use crate::semantics::operator::{Control, Role};
use crate::semantics::view::{NodeRef, ValueRef};

use super::{ContextId, Facts, Known, Number, Origin};

/// Whether a graph runs when the model does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Runs {
    /// It is in a branch that is never taken, in a loop without iterations, or in a function that is
    /// never called.
    Never,
    /// It is in a branch, and what a run is given decides whether to take it.
    Sometimes,
    /// It is in a branch, and a draw alone decides whether to take it.
    Drawn,
    Always,
}

impl<'m> Facts<'m> {
    /// Whether a graph runs, in any context.
    pub fn runs(self, graph: GraphId) -> Runs {
        let contexts = self.contexts(graph).into_iter();
        let runs = contexts.map(|cx| self.runs_in(cx, graph));
        runs.max().unwrap_or(Runs::Never)
    }

    /// Whether a graph runs in a context.
    pub fn runs_in(self, cx: ContextId, graph: GraphId) -> Runs {
        let all = self.memo.runs.get_or_init(|| self.runs_of_contexts());
        let around = all.get(&cx).copied().unwrap_or(Runs::Never);
        around.min(self.runs_within(cx, graph))
    }

    /// Whether each context is entered.
    fn runs_of_contexts(self) -> HashMap<ContextId, Runs> {
        let mut all = HashMap::from_iter([(ContextId::OUTSIDE, Runs::Always)]);
        for &(caller, call, entered) in self.entered() {
            let around = all.get(&caller).copied().unwrap_or(Runs::Never);
            let runs = around.min(self.runs_within(caller, call.graph));
            let known = all.entry(entered).or_insert(runs);
            *known = runs.max(*known);
        }
        all
    }

    /// Whether a graph runs, if the function around it does.
    fn runs_within(self, cx: ContextId, mut graph: GraphId) -> Runs {
        let mut runs = Runs::Always;
        while let Some(node) = self.view.owner(graph) {
            runs = runs.min(self.runs_body(cx, node, graph));
            graph = node.graph();
        }
        runs
    }

    /// Whether a node runs one of its bodies, if it runs itself.
    fn runs_body(self, cx: ContextId, node: NodeRef<'m>, body: GraphId) -> Runs {
        let input = |input| {
            let value = node.input(input)?;
            self.number_in(cx, value.id).ok()
        };
        if let Some(branches) = branches(node) {
            return match input(0).and_then(constant) {
                Some(number) if branches[usize::from(number == 0.0)] == body => Runs::Always,
                Some(_) => Runs::Never,
                None if self.is_drawn(cx, node.input(0)) => Runs::Drawn,
                None => Runs::Sometimes,
            };
        }
        let is_loop = |role| matches!(role, Role::Control(Control::Loop));
        let iterates = node
            .operator()
            .is_some_and(|operator| is_loop(operator.role));
        let zero = |place| {
            input(place)
                .and_then(constant)
                .is_some_and(|number| number <= 0.0)
        };
        match iterates && (zero(0) || zero(1)) {
            true => Runs::Never,
            false => Runs::Always,
        }
    }
}

/// A value in a context.
type At<'m> = (ContextId, ValueRef<'m>);

impl<'m> Facts<'m> {
    /// True of a value that draws decide on, and nothing that a run is given.
    pub fn is_drawn(self, cx: ContextId, value: Option<ValueRef<'m>>) -> bool {
        let mut open: Vec<At<'m>> = value.map(|value| (cx, value)).into_iter().collect();
        let mut seen: HashSet<(ContextId, ValueId)> = HashSet::default();
        let mut drawn = false;
        while let Some((cx, value)) = open.pop() {
            if !seen.insert((cx, value.id)) || self.is_constant(cx, value) {
                continue;
            }
            let Some((node, output)) = value.producer() else {
                let around = self.arguments(cx, value);
                if around.is_empty() {
                    return false; // the model, or a step of a loop, is given it
                }
                open.extend(around);
                continue;
            };
            if node.callee().is_some() {
                open.extend(self.returned(cx, node, output));
                continue;
            }
            drawn |= node.draws();
            let reads = |input| node.operator().is_none_or(|op| op.reads_values(input));
            let read = node.given().filter(|&(input, _)| reads(input));
            open.extend(read.map(|(_, value)| (cx, value)));
            let results = node
                .bodies()
                .flat_map(|body| self.view.graph_output(body, output));
            open.extend(results.map(|result| (cx, result)));
        }
        drawn
    }

    fn is_constant(self, cx: ContextId, value: ValueRef<'m>) -> bool {
        let stored = value.initializer_index().is_some()
            && !matches!(value.get().producer, Producer::Input(_));
        stored
            || self
                .number_in(cx, value.id)
                .ok()
                .and_then(constant)
                .is_some()
    }

    /// What calls pass for an input of a function.
    fn arguments(self, cx: ContextId, formal: ValueRef<'m>) -> Vec<At<'m>> {
        let graph = self.view.model.graph(formal.get().graph);
        let (Producer::Input(place), GraphKind::Function(_)) = (formal.get().producer, &graph.kind)
        else {
            return Vec::new();
        };
        let entered = self.entered().iter().filter(|(.., entered)| *entered == cx);
        let passed = entered.filter_map(|&(caller, call, _)| {
            Some((caller, self.view.node(call).input(place as usize)?))
        });
        passed.collect()
    }

    /// What a call returns, in the contexts that it enters.
    fn returned(self, cx: ContextId, call: NodeRef<'m>, output: usize) -> Vec<At<'m>> {
        let entered = self.entered().iter();
        let by = entered.filter(|(caller, by, _)| (*caller, *by) == (cx, call.id));
        let body = call
            .callee()
            .map(|function| self.view.model.functions()[function].body);
        let result = body.and_then(|body| self.view.graph_output(body, output));
        let results = by.filter_map(|&(.., entered)| Some((entered, result?)));
        results.collect()
    }
}

/// The number, if it is the same in every run.
fn constant(known: Known) -> Option<f64> {
    match known {
        Known::Number(Number {
            value,
            origin: Origin::Constant,
            ..
        }) => Some(value),
        _ => None,
    }
}
