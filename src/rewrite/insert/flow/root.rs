//! What a value is an elementwise function of.

use crate::onnx::{GraphId, NodeId};
use crate::semantics::operator::{Elements, Role};
use crate::semantics::view::{NodeRef, ValueRef};

use super::Flow;

/// What a value is an elementwise function of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::rewrite::insert) struct Root {
    pub source: Source,
    /// True once an activation came between.
    pub activated: bool,
}

/// A layer, or what a function is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::rewrite::insert) enum Source {
    /// A layer with weights, or the call of a function that ends in one.
    Layer(NodeId, Kind),
    /// A formal input of the function, by position.
    Formal(GraphId, usize),
}

/// The kind of a layer with weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::rewrite::insert) enum Kind {
    Dense,
    Convolution,
    Other,
}

impl<'m> Flow<'m> {
    /// What a value is an elementwise function of.
    pub fn root(&self, value: ValueRef<'_>) -> Option<Root> {
        self.roots[value.id.index()]
    }

    /// The root of the first output of a function.
    pub(super) fn end(&self, body: GraphId) -> Option<Root> {
        self.root(self.view.graph_outputs(body).next()??)
    }

    /// Finds the root of the first output of a node; the others have none.
    pub(super) fn root_outputs(&mut self, node: NodeRef<'m>) {
        let called = self.body(node).map(|body| self.end(body));
        let root = match (self.layer(node), called) {
            (Some(kind), called) => Some(Root {
                source: Source::Layer(node.id, kind),
                activated: called.flatten().is_some_and(|end| end.activated),
            }),
            (None, Some(end)) => end.and_then(|end| self.through_call(node, end)),
            (None, None) => self.elementwise(node),
        };
        for (place, output) in node.produced().enumerate() {
            self.roots[output.id.index()] = root.filter(|_| place == 0);
        }
    }

    /// The root of the output of a call that ends in a function of what it was given.
    fn through_call(&self, call: NodeRef<'m>, end: Root) -> Option<Root> {
        let Source::Formal(_, place) = end.source else {
            return None;
        };
        let given = call.input(place)?;
        let root = self.root(given).filter(|_| self.is_data(given))?;
        Some(Root {
            activated: root.activated || end.activated,
            ..root
        })
    }

    /// The root of a node that works elementwise or per channel on values with one common root.
    fn elementwise(&self, node: NodeRef<'m>) -> Option<Root> {
        let operator = node.operator()?;
        let activation = operator.role == Role::Activation;
        match operator.role {
            Role::Dropout | Role::Draw(_) => return None,
            Role::Normalisation => {}
            _ if operator.elements == Elements::Map || operator.passes() => {}
            _ => return None,
        }
        let mut roots = self.data_inputs(node).into_iter().map(|of| self.root(of));
        let first = roots.next()??;
        let mut activated = first.activated || activation;
        for root in roots {
            let root = root.filter(|root| root.source == first.source)?;
            activated |= root.activated;
        }
        Some(Root { activated, ..first })
    }

    /// True of a sum of two things that are not functions of the same layer.
    pub fn is_sum_of_branches(&self, node: NodeRef<'m>) -> bool {
        let sum = node.op() == "Add" || node.op() == "Sum" && node.inputs().len() == 2;
        match self.data_inputs(node)[..] {
            [a, b] if sum => {
                let source = |value| self.root(value).map(|root| root.source);
                a != b && (source(a).is_none() || source(a) != source(b))
            }
            _ => false,
        }
    }
}
