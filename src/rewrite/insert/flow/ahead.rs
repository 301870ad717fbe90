//! What is downstream of a node.

use crate::onnx::{GraphKind, Use};
use crate::semantics::operator::{Control, Layer, Operator, Role};
use crate::semantics::view::{NodeRef, ValueRef};

use super::{Flow, Kind};

/// What is downstream of a node.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::rewrite::insert) struct Ahead {
    /// A layer with weights.
    pub weights: bool,
    /// A layer that is not dense, a sum of two branches, or something unknown.
    pub body: bool,
    /// A pool, or something that makes images larger.
    pub resized: bool,
}

impl<'m> Flow<'m> {
    pub fn ahead(&self, node: NodeRef<'_>) -> Ahead {
        self.ahead[node.id.graph.0 as usize][node.id.index as usize]
    }

    /// True of an output of a function that is called: the call has it as well.
    pub fn is_returned(&self, value: ValueRef<'m>) -> bool {
        value.uses().any(|at| match at {
            Use::Output { graph, .. } => self.calls_of(graph).next().is_some(),
            _ => false,
        })
    }

    /// What the function that a node calls contains.
    pub(super) fn inner(&self, node: NodeRef<'m>) -> Ahead {
        let callee = node.callee();
        callee.map_or(Ahead::default(), |index| self.inside[index])
    }

    /// Finds what is downstream of a node, given that of the nodes after it.
    pub(super) fn look_ahead(&mut self, node: NodeRef<'m>) {
        let mut ahead = Ahead::default();
        for at in node.produced().flat_map(ValueRef::uses) {
            self.add_use(&mut ahead, at);
        }
        let (graph, index) = (node.id.graph.0 as usize, node.id.index as usize);
        self.ahead[graph][index] = ahead;
    }

    fn add_use(&self, ahead: &mut Ahead, at: Use) {
        let model = self.view.model;
        match at {
            Use::Input { node, .. } => {
                let node = self.view.node(node);
                let (next, inner) = (self.ahead(node), self.inner(node));
                ahead.weights |= next.weights || inner.weights || self.is_layer(node);
                ahead.body |= next.body || self.is_body(node);
                ahead.resized |= next.resized || resizes(node);
            }
            Use::Output { graph, .. } => match model.graph(graph).kind {
                GraphKind::Attribute { node, .. } => {
                    let node = self.view.node(node);
                    let next = self.ahead(node);
                    ahead.weights |= next.weights;
                    ahead.body |= next.body || self.is_body(node);
                }
                GraphKind::Function(_) => {
                    // the last layer of one call is not the last of all
                    let mut nexts = self.calls_of(graph).map(|call| self.ahead(call)).peekable();
                    let called = nexts.peek().is_some();
                    let (mut all, mut body) = (called, !called);
                    for next in nexts {
                        all &= next.weights;
                        body |= next.body;
                    }
                    ahead.weights |= all;
                    ahead.body |= body;
                }
                _ => {}
            },
            Use::Annotation(_) | Use::Binding(_) | Use::Attribute(_) => {}
        }
    }

    pub(super) fn is_body(&self, node: NodeRef<'m>) -> bool {
        let body = |op: &Operator| match op.role {
            Role::Layer(Layer::Dense) => false,
            Role::Layer(_) => self.layer(node) != Some(Kind::Dense),
            Role::Control(control) => matches!(control, Control::Loop | Control::Scan),
            _ => false,
        };
        node.operator().is_some_and(body)
            || self.is_product_of_data(node)
            || self.inner(node).body
            || self.is_sum_of_branches(node)
    }
}

fn resizes(node: NodeRef<'_>) -> bool {
    node.operator().is_some_and(Operator::reduces) || matches!(node.op(), "Resize" | "Upsample")
}
