//! Whether a graph runs: branches that are never taken, functions that are never called.

use crate::hash::HashMap;
use crate::onnx::GraphId;
use crate::semantics::control_flow::branches;
use crate::semantics::operator::{Control, Role};
use crate::semantics::view::NodeRef;

use super::{ContextId, Facts, Known, Number, Origin};

/// Whether a graph runs when the model does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Runs {
    /// It is in a branch that is never taken, in a loop without iterations, or in a function that is
    /// never called.
    Never,
    /// It is in a branch, and each run decides whether to take it.
    Sometimes,
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
