//! What a value is an elementwise function of.

use crate::onnx::{GraphId, NodeId, ValueId};
use crate::semantics::operator::{Elements, Operator, Role, Shape};
use crate::semantics::view::{NodeRef, ValueRef};

use super::Flow;

/// How many nodes after a mean are searched for what it normalizes.
const STATISTIC: usize = 12;

/// What a value is an elementwise function of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::rewrite::insert) struct Root {
    pub source: Source,
    /// True once an activation came between.
    pub activated: bool,
}

/// A layer, or something else that data begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::rewrite::insert) enum Source {
    /// A layer with weights, or the call of a function that ends in one.
    Layer(NodeId, Kind),
    /// A formal input of the function, by position.
    Formal(GraphId, usize),
    /// An input of the model, or what a node makes of several values or elements: a sum, a pool.
    Other(ValueId),
}

/// The kind of a layer with weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::rewrite::insert) enum Kind {
    Dense,
    Convolution,
    Other,
}

impl Root {
    /// True of a function of what a layer gives.
    pub fn is_of_layer(self) -> bool {
        matches!(self.source, Source::Layer(..))
    }
}

impl<'m> Flow<'m> {
    /// What a value is an elementwise function of; `None` if it is not data.
    pub fn root(&self, value: ValueRef<'_>) -> Option<Root> {
        self.roots[value.id.index()]
    }

    /// The node that a value is an elementwise function of.
    pub fn source(&self, value: ValueRef<'m>) -> Option<NodeRef<'m>> {
        match self.root(value)?.source {
            Source::Layer(node, _) => Some(self.view.node(node)),
            Source::Other(value) => self.view.value(value).node(),
            Source::Formal(..) => None,
        }
    }

    /// The root of the first output of a function.
    pub(super) fn end(&self, body: GraphId) -> Option<Root> {
        self.root(self.view.graph_outputs(body).next()??)
    }

    /// Finds the roots of the outputs of a node.
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
        for output in node.produced() {
            let begins = Root {
                source: Source::Other(output.id),
                activated: false,
            };
            let data = self.is_data(output);
            self.roots[output.id.index()] = data.then(|| root.unwrap_or(begins));
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
        // an operator that is not known is taken for an activation
        let role = node
            .operator()
            .map_or(Role::Activation, |operator| operator.role);
        let maps = |operator: &Operator| match operator.role {
            Role::Dropout | Role::Draw(_) | Role::Control(_) => false,
            Role::Normalisation => true,
            _ => operator.elements == Elements::Map || self.keeps(node, operator),
        };
        if !node.operator().is_none_or(maps) {
            return None;
        }
        let mut roots = self.data_inputs(node).into_iter().map(|of| self.root(of));
        let first = roots.next()??;
        let mut activated = first.activated || role == Role::Activation;
        for root in roots {
            let root = root.filter(|root| root.source == first.source)?;
            activated |= root.activated;
        }
        Some(Root { activated, ..first })
    }

    /// True of a node that gives elements of its data, or statistics with which the data are normalized.
    fn keeps(&self, node: NodeRef<'m>, operator: &Operator) -> bool {
        let first = || node.input(0).is_some_and(|value| self.is_data(value));
        let repeated = node.op() == "Expand";
        let chosen = (operator.passes() || operator.selects() || repeated) && first();
        let joined = || {
            operator.shape == Shape::Concat && node.given().all(|(_, value)| self.is_data(value))
        };
        chosen || joined() || self.is_statistic(node)
    }

    /// True of a mean, a sum of squares or the like with which its data are normalized after it.
    fn is_statistic(&self, node: NodeRef<'m>) -> bool {
        let shape = node.operator().map(|operator| operator.shape);
        let data = node
            .input(0)
            .filter(|_| matches!(shape, Some(Shape::Reduce | Shape::GlobalPool)));
        let Some(root) = data.and_then(|data| self.root(data)) else {
            return false;
        };
        let mut open: Vec<NodeRef<'m>> = vec![node];
        for _ in 0..STATISTIC {
            let Some(node) = open.pop() else {
                return false;
            };
            for (reader, input) in node.produced().flat_map(ValueRef::readers) {
                let maps = reader
                    .operator()
                    .is_some_and(|op| op.elements == Elements::Map || reader.op() == "Expand");
                let mut others = reader.given().filter(|&(other, _)| other != input);
                let same = |value| {
                    self.root(value)
                        .is_some_and(|other| other.source == root.source)
                };
                if maps && others.any(|(_, value)| same(value)) {
                    return true;
                }
                open.extend(Some(reader).filter(|_| maps));
            }
        }
        false
    }

    /// True of a sum of two things that are not functions of the same layer.
    pub fn is_sum_of_branches(&self, node: NodeRef<'m>) -> bool {
        let sum = node.op() == "Add" || node.op() == "Sum" && node.inputs().len() == 2;
        match self.data_inputs(node)[..] {
            [a, b] if sum => {
                let source = |value| self.root(value).map(|root| root.source);
                a != b && source(a) != source(b)
            }
            _ => false,
        }
    }
}
