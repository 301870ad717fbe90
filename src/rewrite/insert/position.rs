//! The positions where a network of a known kind usually has dropout.

use crate::hash::HashSet;
use crate::onnx::{Tensor, ValueId};
use crate::semantics::operator::Operator;
use crate::semantics::view::{NodeRef, ValueRef};

use super::flow::{Flow, Kind, Root, Source};

/// How far back the start of a branch is searched, in values.
const BRANCH: usize = 400;

/// How many nodes may move a softmax about before it is used.
const MOVES: usize = 8;

/// True of a node that passes its data through, possibly with different axes or element type.
fn passes(node: NodeRef<'_>) -> bool {
    node.operator().is_some_and(Operator::passes)
}

/// True of a value with one use.
fn is_used_once(value: ValueRef<'_>) -> bool {
    let mut uses = value.uses();
    uses.next().is_some() && uses.next().is_none()
}

/// The nodes that read a value.
fn readers<'m>(value: ValueRef<'m>) -> impl Iterator<Item = NodeRef<'m>> {
    value.readers().map(|(node, _)| node)
}

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
                !same && way(flow, value, other).is_some()
            })
    };
    let mut readers = readers(value).peekable();
    readers.peek().is_some() && readers.all(weighs)
}

/// A softmax that a product with data follows.
pub(super) fn attention<'m>(flow: &Flow<'m>, node: NodeRef<'m>) -> Option<ValueRef<'m>> {
    if !is_softmax(node) {
        return None;
    }
    let value = node.produced().next()?;
    let mut at = value;
    for _ in 0..MOVES {
        if readers(at).any(|reader| flow.is_product_of_data(reader)) {
            return Some(value);
        }
        let moves = |node: &NodeRef<'_>| passes(*node) || matches!(node.op(), "Dropout" | "Where");
        at = readers(at).find(moves)?.produced().next()?;
    }
    None
}

/// True of a softmax, also where it is written as exponentials over their sum.
fn is_softmax(node: NodeRef<'_>) -> bool {
    if node.op() == "Softmax" {
        return true;
    }
    let (Some(above), Some(below)) = (node.input(0), node.input(1)) else {
        return false;
    };
    let exponential = above.node().is_some_and(|node| node.op() == "Exp");
    let sum = below.node().filter(|node| node.op() == "ReduceSum");
    node.op() == "Div" && exponential && sum.is_some_and(|sum| sum.input(0) == Some(above))
}

/// The branch of a sum: it is computed, by a layer, from what it is added to.
pub(super) fn residual<'m>(flow: &Flow<'m>, node: NodeRef<'m>) -> Option<ValueRef<'m>> {
    if !flow.is_sum_of_branches(node) {
        return None;
    }
    let [a, b] = flow.data_inputs(node)[..] else {
        return None;
    };
    let computed_from = |value, start| way(flow, value, start) == Some(true);
    let branch = match (computed_from(a, b), computed_from(b, a)) {
        (true, false) => a,
        (false, true) => b,
        _ => return None,
    };
    is_used_once(branch).then_some(branch)
}

/// If a value is computed from another: whether there is a layer or attention on the way.
fn way<'m>(flow: &Flow<'m>, value: ValueRef<'m>, start: ValueRef<'m>) -> Option<bool> {
    let mut seen: HashSet<ValueId> = HashSet::default();
    let mut open = vec![value];
    let (mut found, mut layers) = (false, false);
    while let Some(value) = open.pop() {
        if value == start {
            found = true;
            continue;
        }
        if seen.len() > BRANCH || !seen.insert(value.id) {
            continue;
        }
        if let Some(producer) = value.node() {
            layers |= flow.is_layer(producer)
                || flow.is_product_of_data(producer)
                || producer.callee().is_some();
            open.extend(flow.data_inputs(producer));
        }
    }
    found.then_some(layers)
}

/// Rows looked up in a table of weights, and the sum of such rows.
pub(super) fn embedding<'m>(flow: &Flow<'m>, node: NodeRef<'m>) -> Option<ValueRef<'m>> {
    let mut value = looked_up(flow, node)?;
    for _ in 0..MOVES {
        let Some(reader) = readers(value).next().filter(|_| is_used_once(value)) else {
            break;
        };
        let inputs = flow.data_inputs(reader);
        let others = inputs.iter().filter(|&&input| input != value);
        let mut producers = others.map(|other| other.node());
        let of_embeddings = |producer: Option<NodeRef<'m>>| {
            producer.is_some_and(|producer| {
                looked_up(flow, producer).is_some() || is_sum(flow, producer)
            })
        };
        let sum = reader.op() == "Add" && producers.all(of_embeddings);
        let scaled = reader.op() == "Mul" && inputs.len() == 1;
        match reader.produced().next() {
            Some(next) if sum || scaled => value = next,
            _ => break,
        }
    }
    Some(value)
}

/// True of a sum or a scale of rows that are looked up.
fn is_sum<'m>(flow: &Flow<'m>, node: NodeRef<'m>) -> bool {
    let inputs = || flow.data_inputs(node).into_iter();
    let mut producers = inputs().filter_map(ValueRef::node);
    matches!(node.op(), "Add" | "Mul")
        && producers.any(|producer| looked_up(flow, producer).is_some())
}

/// The rows that a node looks up in a table of weights of two dimensions.
fn looked_up<'m>(flow: &Flow<'m>, node: NodeRef<'m>) -> Option<ValueRef<'m>> {
    if node.op() != "Gather" {
        return None;
    }
    let (table, rows) = (node.input(0)?, node.input(1)?);
    let found = !flow.is_data(table) && is_table(flow, table) && flow.is_data(rows);
    found.then(|| node.produced().next())?
}

/// True of weights of two dimensions, however they are stored.
fn is_table<'m>(flow: &Flow<'m>, mut value: ValueRef<'m>) -> bool {
    let stored = |tensor: &Tensor| tensor.data_type.is_float() && tensor.dims.len() == 2;
    for _ in 0..MOVES {
        if let Some(index) = value.initializer {
            return stored(flow.view.model.graph(value.graph).initializer(index));
        }
        let next = match value.node() {
            None => flow.passed(value),
            Some(node) if node.op() == "Constant" => {
                let mut attributes = node.get().attributes.iter();
                return attributes.any(|a| a.tensors().into_iter().any(stored));
            }
            Some(node) => node
                .input(0)
                .filter(|_| matches!(node.op(), "Identity" | "Cast")),
        };
        match next {
            Some(next) => value = next,
            None => return false,
        }
    }
    false
}
