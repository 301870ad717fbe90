//! What the first block of a transformer is given, and rows that are looked up.

use crate::hash::HashSet;
use crate::onnx::{DataType, ValueId};
use crate::semantics::operator::{Layer, Role};
use crate::semantics::view::{NodeRef, ValueRef};

use super::super::flow::{Flow, Kind, Source};
use super::{Branch, MOVES, dims, is_used_once, readers, unmoved};

/// What the first block of each stream is given (true); where there is none, the rows that are looked up.
pub(super) fn embeddings<'m>(
    flow: &Flow<'m>,
    branches: &[Branch<'m>],
) -> Vec<(ValueRef<'m>, bool)> {
    let blocks = branches.iter().filter(|branch| branch.is_block());
    let sums: HashSet<ValueId> = blocks.map(|branch| branch.sum.id).collect();
    let later = flow.downstream(&sums);
    let first = |branch: &&Branch<'m>| branch.way.attends && !later.contains(&branch.skip.id);
    let starts = branches.iter().filter(first).map(|branch| branch.skip);
    let starts: Vec<_> = starts
        .filter(|&start| flow.source(start).is_some())
        .collect();
    match starts.is_empty() {
        false => {
            let sums: HashSet<ValueId> = starts
                .iter()
                .filter_map(|&start| Some(flow.source(start)?.produced().next()?.id))
                .collect();
            let places = branches.iter().filter(|branch| !branch.is_block());
            let places = places.filter(|branch| sums.contains(&branch.sum.id));
            let projected = places.filter_map(|branch| projected(flow, branch));
            let starts = starts.iter().map(|&start| embedded(flow, start));
            starts.chain(projected).map(|value| (value, true)).collect()
        }
        true => {
            let nodes = flow.view.nodes();
            let rows = nodes.filter_map(|node| rows(flow, node).or_else(|| stacked(flow, node)));
            // normalized as in a transformer
            let normalized = |value: ValueRef<'m>| {
                let operator = value.node().and_then(NodeRef::operator);
                operator.is_some_and(|operator| operator.role == Role::Normalisation)
            };
            rows.map(|value| (value, normalized(value))).collect()
        }
    }
}

/// What a recurrent layer reads of another.
fn stacked<'m>(flow: &Flow<'m>, node: NodeRef<'m>) -> Option<ValueRef<'m>> {
    let recurs = |node: NodeRef<'m>| {
        let role = node.operator().map(|operator| operator.role);
        role == Some(Role::Layer(Layer::Recurrent))
    };
    let given = flow.data_inputs(node).into_iter().filter(|_| recurs(node));
    let mut given = given.filter(|&value| flow.source(value).is_some_and(recurs));
    given.next().map(|value| unmoved(flow, value))
}

/// What the stream of a transformer starts with: before a layer that only changes how wide it is.
fn embedded<'m>(flow: &Flow<'m>, start: ValueRef<'m>) -> ValueRef<'m> {
    let widened = flow.root(start).and_then(|root| match root.source {
        Source::Layer(layer, Kind::Dense) if !root.activated => {
            let data = flow.data_inputs(flow.view.node(layer)).first().copied()?;
            is_of_rows(flow, data).then_some(data)
        }
        _ => None,
    });
    unmoved(flow, widened.unwrap_or(start))
}

/// What a convolution gives positions to, before they are added: speech that was projected.
fn projected<'m>(flow: &Flow<'m>, places: &Branch<'m>) -> Option<ValueRef<'m>> {
    let layer = flow.root(places.skip)?;
    matches!(layer.source, Source::Layer(_, Kind::Dense)).then(|| unmoved(flow, places.skip))
}

/// True of rows that are looked up, or of a sum of them.
fn is_of_rows<'m>(flow: &Flow<'m>, value: ValueRef<'m>) -> bool {
    let node = flow.source(value);
    node.is_some_and(|node| looked_up(flow, node).is_some() || is_sum(flow, node))
}

/// Rows looked up in a table of weights, and the sum of such rows.
fn rows<'m>(flow: &Flow<'m>, node: NodeRef<'m>) -> Option<ValueRef<'m>> {
    let mut value = looked_up(flow, node)?;
    for _ in 0..MOVES {
        let Some(reader) = readers(value).next().filter(|_| is_used_once(value)) else {
            break;
        };
        let inputs = flow.data_inputs(reader);
        let mut others = inputs.iter().filter(|&&input| input != value);
        let sum = reader.op() == "Add" && others.all(|&other| is_of_rows(flow, other));
        let scaled = reader.op() == "Mul" && inputs.len() == 1;
        let role = reader.operator().map(|operator| operator.role);
        let normalized = role == Some(Role::Normalisation);
        match reader.produced().next() {
            Some(next) if sum || scaled || normalized => value = next,
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
pub(super) fn looked_up<'m>(flow: &Flow<'m>, node: NodeRef<'m>) -> Option<ValueRef<'m>> {
    if node.op() != "Gather" {
        return None;
    }
    let (table, rows) = (node.input(0)?, node.input(1)?);
    let is_float = || table.element_type().is_some_and(DataType::is_float);
    let of_rows = || is_float() && dims(flow, table).is_some_and(|dims| dims.len() == 2);
    let found = !flow.is_data(table) && flow.is_data(rows) && of_rows();
    found.then(|| node.produced().next())?
}
