//! Where values come from: data or weights, with a draw on the way or without.

use std::cell::OnceCell;

use crate::hash::HashSet;
use crate::onnx::{GraphKind, Model, Name, Producer, Tensor, Use, ValueId};
use crate::semantics::control_flow::Loop;
use crate::semantics::facts::Facts;
use crate::semantics::operator::{Operator, Shape};
use crate::semantics::view::{NodeRef, ValueRef, View};

/// What depends on the inputs of a model, and on its draws. Each is found in one pass, when it is first
/// asked for.
#[derive(Debug)]
pub(crate) struct Origins<'m> {
    facts: Facts<'m>,
    view: View<'m>,
    data: OnceCell<Vec<bool>>,
    open: OnceCell<Vec<bool>>,
    drawn: OnceCell<Vec<bool>>,
}

impl<'m> Origins<'m> {
    pub fn new(facts: Facts<'m>) -> Self {
        Origins {
            facts,
            view: facts.view(),
            data: OnceCell::new(),
            open: OnceCell::new(),
            drawn: OnceCell::new(),
        }
    }

    /// True of a value that depends on an input of the model: no weight, whatever is done to it.
    pub fn is_data(&self, value: ValueId) -> bool {
        let data = self.data.get_or_init(|| {
            let fed = self.fed().filter(|value| value.initializer.is_none());
            reached(self.facts, fed, |_| true)
        });
        data[value.index()]
    }

    /// True of a value that may differ between runs: it depends on an input of the model, perhaps on one
    /// with a default, or on a draw.
    pub fn is_open(&self, value: ValueId) -> bool {
        let open = self.open.get_or_init(|| {
            let constant = lists_constants(self.view.model);
            let fed = self.fed();
            let fed = fed.filter(|value| !constant || value.initializer.is_none());
            let drawn = self.facts.draws().flat_map(|node| node.outputs().flatten());
            reached(self.facts, fed.chain(drawn), |_| true)
        });
        open[value.index()]
    }

    /// The inputs of the model, and of functions that nothing calls.
    fn fed(&self) -> impl Iterator<Item = ValueRef<'m>> {
        let view = self.view;
        let calls = self.facts.calls();
        view.all_values().filter(move |value| {
            let input = matches!(value.producer, Producer::Input(_));
            input
                && match view.model.graph(value.graph).kind {
                    GraphKind::Function(function) => !calls.is_reached(function),
                    GraphKind::Attribute { .. } => false,
                    _ => true,
                }
        })
    }

    /// True of a value that a draw may have made, through operators that compute it element by element.
    pub fn is_drawn(&self, value: ValueId) -> bool {
        use Shape::{Conv, ConvTranspose, Gemm, MatMul};
        let layer = |op: &Operator| matches!(op.shape, Conv | ConvTranspose | Gemm | MatMul);
        let drawn = self.drawn.get_or_init(|| {
            let drawn = self.facts.draws().flat_map(|node| node.outputs().flatten());
            reached(self.facts, drawn, |node| {
                !node.operator().is_some_and(layer)
            })
        });
        drawn[value.index()]
    }
}

/// True of a model that lists its constants as inputs as well: it had to before IR version 4, and some
/// exporters list all of them ever since. Callers do not replace such constants.
pub(super) fn lists_constants(model: &Model) -> bool {
    let graph = model.graph(model.main());
    let inputs: HashSet<&Name> = graph.inputs.iter().map(|input| &input.name).collect();
    let constants = || graph.initializers().map(|(_, tensor)| tensor);
    let is_weight = |tensor: &Tensor| tensor.elements().is_none_or(|count| count > 1);
    let all = || constants().all(|tensor| inputs.contains(&tensor.name));
    model.ir_version < 4 || constants().any(is_weight) && all()
}

/// The values that depend on some values, through nodes for which `through` holds. By index.
fn reached<'m>(
    facts: Facts<'m>,
    starts: impl Iterator<Item = ValueRef<'m>>,
    through: impl Fn(NodeRef<'m>) -> bool,
) -> Vec<bool> {
    let (view, calls) = (facts.view(), facts.calls());
    let mut reached = vec![false; view.values.len()];
    let mut open: Vec<ValueRef<'m>> = starts.collect();
    while let Some(value) = open.pop() {
        if std::mem::replace(&mut reached[value.id.index()], true) {
            continue;
        }
        for at in value.uses() {
            match at {
                Use::Input { node, input } => {
                    let (node, input) = (view.node(node), input as usize);
                    if let Some(function) = node.callee() {
                        let body = view.model.functions()[function].body;
                        open.extend(view.graph_input(body, input));
                    } else if let Some(formal) = Loop::of(node).and_then(|of| of.formal_of(input)) {
                        open.push(formal);
                    } else if through(node) {
                        open.extend(node.outputs().flatten());
                        let bodies = node.bodies();
                        open.extend(bodies.flat_map(|body| view.graph_inputs(body)).flatten());
                    }
                }
                Use::Output { graph, output } => {
                    let output = output as usize;
                    if let GraphKind::Function(function) = view.model.graph(graph).kind {
                        let calls = calls.of(function).iter();
                        open.extend(calls.filter_map(|&call| view.node(call).output(output)));
                    } else if let Some(of) = Loop::around(view, graph) {
                        open.extend(of.after(output));
                    } else if let Some(node) = view.owner(graph) {
                        open.extend(node.output(output));
                    }
                }
                Use::Annotation(_) | Use::Binding(_) | Use::Attribute(_) => {}
            }
        }
    }
    reached
}
