//! Facts about values by where they come from: initializers, inputs of graphs, and nodes that run graphs.

use crate::onnx::{Dimension, GraphKind, Producer, ValueType};
use crate::semantics::control_flow::{self, Formal, Loop, Outcome, State, branch_outputs};
use crate::semantics::view::{NodeRef, ValueRef};

use super::dim::{At, Dim, Shape, Symbol, axis_of};
use super::{About, Answer, Asking, Question};

/// Where an input of a graph comes from unchanged.
pub(super) enum Source {
    /// The same value, in a context.
    Value(At),
    /// A call leaves it out.
    Absent,
    /// An input of the model, or of a function that nothing calls.
    Input,
    Other,
}

impl<'m> Asking<'m> {
    pub(super) fn answer(&mut self, question: Question) -> Answer {
        let value = self.facts.view.value(question.at.1);
        match question.about {
            About::Shape => {
                let declared = self.declared(value);
                let shape = match self.produced(value) {
                    Some(shape) => completed(shape, declared),
                    None => declared.unwrap_or(Shape::Like(question.at)),
                };
                Answer::Shape(shape.named(question.at))
            }
            About::List => Answer::List(self.list_value(value)),
            About::Number => Answer::Number(self.number_value(value)),
        }
    }

    /// The shape that the file declares.
    fn declared(&self, value: ValueRef<'m>) -> Option<Shape> {
        let info = self.facts.declared(value.id)?;
        let (ValueType::Tensor { shape, .. } | ValueType::Sparse { shape, .. }) = info.value_type()
        else {
            return None;
        };
        let dims = shape?.into_iter().map(|dim| match dim {
            Dimension::Size(size) => Dim::Size(size),
            Dimension::Symbol(name) => self.facts.symbol(&name).dim(),
            Dimension::Unknown => Dim::Unknown,
        });
        Some(Shape::of(dims))
    }

    /// The shape that follows from where a value comes from.
    fn produced(&mut self, value: ValueRef<'m>) -> Option<Shape> {
        let graph = self.facts.view.model.graph(value.graph);
        match value.producer {
            Producer::Initializer(index) => Some(Shape::sizes(&graph.initializer(index).dims)),
            Producer::SparseInitializer(index) => Some(Shape::sizes(
                &graph.sparse_initializers()[index as usize].dims,
            )),
            Producer::Input(index) => self.formal_shape(value, index as usize),
            Producer::Node { .. } => {
                let (node, output) = value.producer()?;
                self.output_shape(value, node, output)
            }
            Producer::Gone => None,
        }
    }

    /// The shape of an input of a graph, by what is passed for it.
    fn formal_shape(&mut self, value: ValueRef<'m>, index: usize) -> Option<Shape> {
        if let Source::Value(at) = self.source(value) {
            return Some(self.shape_of(at));
        }
        let of = Loop::around(self.facts.view, value.graph)?;
        match of.formal(index) {
            // runtimes take one element as well as a scalar
            Formal::Iteration | Formal::Condition => {
                self.declared(value).is_none().then(Shape::scalar)
            }
            // the states of a Scan keep their shapes
            Formal::State(state) if !of.node.is("Loop") => {
                let at = self.here(state.input?);
                let shape = self.shape_of(at);
                if of.is_batched {
                    without(&shape, 0)
                } else {
                    Some(shape)
                }
            }
            Formal::State(state) => self.state_shape(of, state),
            Formal::Slice(input) => {
                let at = self.here(input?);
                let shape = self.shape_of(at);
                if of.is_batched {
                    return without(&without(&shape, 0)?, 0);
                }
                let place = of.scanned().position(|(_, formal)| formal == Some(value))?;
                let axes = of.node.ints("scan_input_axes");
                without(
                    &shape,
                    axes.map_or(Some(0), |axes| axes.get(place).copied())?,
                )
            }
        }
    }

    /// Where an input of a graph comes from unchanged.
    pub(super) fn source(&self, value: ValueRef<'m>) -> Source {
        let view = self.facts.view;
        let Producer::Input(index) = value.producer else {
            return Source::Other;
        };
        match view.model.graph(value.graph).kind {
            GraphKind::Function(function) => {
                let contexts = self.facts.memo.contexts.borrow();
                match contexts[self.cx].caller {
                    Some((caller, call)) => match view.values.input(call, index as usize) {
                        Some(passed) => Source::Value((caller, passed)),
                        None => Source::Absent,
                    },
                    None if self.facts.calls().is_reached(function) => Source::Other,
                    None => Source::Input,
                }
            }
            GraphKind::Attribute { .. } => {
                let of = Loop::around(view, value.graph);
                match of.map(|of| of.formal(index as usize)) {
                    Some(Formal::State(state)) if state.is_kept() => match state.input {
                        Some(input) => Source::Value(self.here(input)),
                        None => Source::Other,
                    },
                    _ => Source::Other,
                }
            }
            _ => Source::Input,
        }
    }

    /// The shape of a state of a Loop that no step changes: with the shapes that the states have at
    /// first, a step gives the same again.
    fn state_shape(&mut self, of: Loop<'m>, state: State<'m>) -> Option<Shape> {
        let at = self.here(state.input?);
        let first = self.shape_of(at);
        first.rank()?;
        // a Loop in a Loop is looked at once
        if self.assumption.is_some() {
            return Some(first);
        }
        let assumed = self.facts.assume(self.cx, of.body);
        let mut keep = true;
        for other in of.states().filter(|state| !state.is_kept()) {
            let (Some(input), Some(next)) = (other.input, other.next) else {
                continue;
            };
            let at = self.here(input);
            let (before, after) = (self.shape_of(at), self.shape_of((assumed, next.id)));
            keep &= before.rank().is_none() || before == after;
        }
        keep.then_some(first)
    }

    /// The shape of an output of a node, through calls and graphs in attributes.
    fn output_shape(
        &mut self,
        value: ValueRef<'m>,
        node: NodeRef<'m>,
        output: usize,
    ) -> Option<Shape> {
        let own = self.here(value);
        if let Some(function) = node.callee() {
            let result = self.called(node, function, output)?;
            let shape = self.shape_of(result);
            return Some(shape.seen_from(own, |(cx, _)| cx == result.0));
        }
        if let Some(branches) = branch_outputs(node, output) {
            return self.branch_shape(own, node, branches);
        }
        if let Some(of) = Loop::of(node) {
            return self.loop_shape(own, of, output);
        }
        self.operator_shape(node, output)
    }

    fn branch_shape(
        &mut self,
        own: At,
        node: NodeRef<'m>,
        branches: [Option<ValueRef<'m>>; 2],
    ) -> Option<Shape> {
        let condition = self.here(node.input(0)?);
        let taken = self.number_of(condition).is_true();
        let [then, or] = branches;
        let graphs = control_flow::branches(node)?;
        let mut of = |branch: Option<ValueRef<'m>>| {
            let branch = branch?;
            let at = self.here(branch);
            let shape = self.shape_of(at);
            let view = self.facts.view;
            let inner = |(_, value)| {
                let graph = view.value(value).graph;
                graphs
                    .into_iter()
                    .any(|branch| view.is_within(graph, branch))
            };
            Some(shape.seen_from(own, inner))
        };
        match taken {
            Some(true) => of(then),
            Some(false) => of(or),
            None => {
                let (one, two) = (of(then)?, of(or)?);
                one.join(&two)
            }
        }
    }

    fn loop_shape(&mut self, own: At, of: Loop<'m>, output: usize) -> Option<Shape> {
        let view = self.facts.view;
        match of.outcome(output) {
            Outcome::State(state) if state.is_kept() || !of.node.is("Loop") => {
                let at = self.here(state.input?);
                Some(self.shape_of(at))
            }
            Outcome::State(state) => self.state_shape(of, state),
            Outcome::Stack(next) => {
                let at = self.here(next?);
                let inner = |(_, value)| view.is_within(view.value(value).graph, of.body);
                let shape = self.shape_of(at).seen_from(own, inner);
                let steps = if of.is_batched { 2 } else { 1 };
                let dims = shape.dims()?.iter().map(|&dim| match dim.symbol() {
                    // the axes of the result count from one further on
                    Some(Symbol::Axis(at, _)) if at == own => Dim::Unknown,
                    _ => dim,
                });
                let mut dims: Vec<Dim> = dims.collect();
                let axes = of.node.ints("scan_output_axes");
                let place = output - of.states().count();
                let axis = match axes.and_then(|axes| axes.get(place)) {
                    Some(&axis) => axis_of(axis, dims.len() + 1)?,
                    None => 0,
                };
                dims.splice(axis..axis, std::iter::repeat_n(Dim::Unknown, steps));
                Some(Shape::of(dims))
            }
        }
    }
}

/// A shape without one of its axes.
fn without(shape: &Shape, axis: i64) -> Option<Shape> {
    let mut dims = shape.to_vec()?;
    dims.remove(axis_of(axis, dims.len())?);
    Some(Shape::of(dims))
}

/// What a rule leaves open, as declared.
fn completed(shape: Shape, declared: Option<Shape>) -> Shape {
    let Some(declared) = declared else {
        return shape;
    };
    match (&shape, &declared) {
        (Shape::Like(_), _) => declared,
        (Shape::Dims(dims), Shape::Dims(told)) if dims.len() == told.len() => {
            let pairs = dims.iter().zip(told.iter());
            Shape::of(pairs.map(|(&dim, &told)| match (dim, told) {
                (Dim::Size(_), _) => dim,
                (Dim::Unknown, told) | (_, told @ Dim::Size(_)) => told,
                _ => dim,
            }))
        }
        _ => shape,
    }
}
