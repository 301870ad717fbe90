//! After activations of layers.

use crate::semantics::view::{NodeRef, ValueRef};

use super::super::flow::{Flow, Kind, Root, Source};
use super::branch::between;
use super::{passes, readers};

/// The output of the activation of a layer: of a dense one of the head, or of a convolution. A gate or a
/// sum of parts is not over before its last operator; a normalisation after it belongs to it.
pub(super) fn activation<'m>(
    flow: &Flow<'m>,
    node: NodeRef<'m>,
    wanted: Kind,
) -> Option<ValueRef<'m>> {
    let value = node.produced().next()?;
    let root = flow.root(value).filter(|root| root.activated)?;
    let ahead = flow.ahead(node);
    let head = wanted == Kind::Dense;
    let layer = matches!(root.source, Source::Layer(_, kind) if kind == wanted);
    if !layer || !ahead.weights || (head && ahead.body) {
        return None;
    }
    let continues = readers(value).any(|reader| {
        let mut roots = reader.produced().map(|next| flow.root(next));
        !flow.is_layer(reader) && roots.any(|next| next.is_some_and(|n| n.source == root.source))
    });
    if continues || flow.is_returned(value) || gates_its_source(flow, value, root) {
        return None;
    }
    Some(passed_on(flow, value))
}

/// The value that is passed on, possibly with a different type or axes.
fn passed_on<'m>(flow: &Flow<'m>, mut value: ValueRef<'m>) -> ValueRef<'m> {
    while let Some(producer) = value.node()
        && passes(producer)
        && let Some(data) = producer.input(0)
        && flow.root(data).is_some_and(|root| root.activated)
    {
        value = data;
    }
    value
}

/// True of a value that only weighs that from which it is computed, as in squeeze and excitation.
fn gates_its_source<'m>(flow: &Flow<'m>, value: ValueRef<'m>, root: Root) -> bool {
    let weighs = |reader: NodeRef<'m>| {
        let others = flow.data_inputs(reader).into_iter();
        let mut others = others.filter(|&other| other != value);
        reader.op() == "Mul"
            && others.any(|other| {
                let same = flow.root(other).is_some_and(|o| o.source == root.source);
                !same && between(flow, value, other).is_some()
            })
    };
    let mut readers = readers(value).peekable();
    readers.peek().is_some() && readers.all(weighs)
}
