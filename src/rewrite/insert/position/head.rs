//! Before and between the layers at the end of a model.

use crate::hash::HashSet;
use crate::onnx::ValueId;
use crate::semantics::operator::{Control, Operator, Role, Shape};
use crate::semantics::view::{NodeRef, ValueRef};

use super::super::flow::{Flow, Kind, Source};
use super::embedding::looked_up;
use super::{dims, is_pointwise, unmoved};

/// What the first of the last layers reads: pooled or flattened features, those of one position, or of each.
/// `sums`: the residual ones.
pub(super) fn head<'m>(
    flow: &Flow<'m>,
    node: NodeRef<'m>,
    sums: &HashSet<ValueId>,
) -> Option<ValueRef<'m>> {
    let ahead = flow.ahead(node);
    let features = flow.data_inputs(node).first().copied()?;
    let root = flow.root(features)?;
    let last = match flow.layer(node)? {
        Kind::Dense => !ahead.body,
        // what is computed for each position at a lower resolution, or mixed for each before
        Kind::Convolution => {
            let mixed = || {
                flow.source(features)
                    .is_some_and(|layer| is_pointwise(flow, layer))
            };
            is_pointwise(flow, node) && !ahead.body && !ahead.weights && (ahead.resized || mixed())
        }
        Kind::Other => false,
    };
    let dense = matches!(root.source, Source::Layer(_, Kind::Dense));
    let found = last && !dense && !is_of_words(flow, node) && are_features(flow, features, sums);
    // each position of a stream goes to the output layer
    let each = ahead.weights && is_of_each(flow, features);
    let used = node.produced().any(ValueRef::is_used);
    (found && !each && used).then(|| unmoved(flow, features))
}

/// True of a layer as wide as the largest table of rows that are looked up: it predicts words.
pub(super) fn is_of_words<'m>(flow: &Flow<'m>, node: NodeRef<'m>) -> bool {
    let tables = flow
        .view
        .nodes()
        .filter(|&node| looked_up(flow, node).is_some());
    let rows = tables.filter_map(|node| dims(flow, node.input(0)?)?.first().copied());
    let Some(words) = rows.max() else {
        return false;
    };
    let mut given = node.given();
    given.any(|(_, value)| {
        !flow.is_data(value)
            && dims(flow, value).is_some_and(|of| of.len() == 2 && of.contains(&words))
    })
}

/// True of a stream of which no position is selected, and that is not flattened.
fn is_of_each<'m>(flow: &Flow<'m>, mut value: ValueRef<'m>) -> bool {
    while let Some(node) = value.node()
        && !flow.is_sum_of_branches(node)
    {
        let operator = node.operator();
        let flat =
            operator.is_some_and(|op| op.shape == Shape::Reshape || op.shape == Shape::Flatten);
        if flat
            || !operator.is_some_and(Operator::passes) && operator.is_some_and(Operator::selects)
        {
            return false;
        }
        match flow.data_inputs(node)[..] {
            [data]
                if flow.root(data).map(|root| root.source)
                    == flow.root(value).map(|root| root.source) =>
            {
                value = data
            }
            _ => return false,
        }
    }
    true
}

/// True of a value that a normalization precedes.
fn is_normalized<'m>(flow: &Flow<'m>, mut value: ValueRef<'m>) -> bool {
    while let Some(node) = value.node() {
        if node
            .operator()
            .is_some_and(|op| op.role == Role::Normalisation)
        {
            return true;
        }
        match flow.data_inputs(node).first() {
            Some(&data) => value = data,
            None => return false,
        }
    }
    false
}

/// True of what a body of layers computes, not of inputs or rows that are looked up.
fn are_features<'m>(flow: &Flow<'m>, value: ValueRef<'m>, sums: &HashSet<ValueId>) -> bool {
    let Some(root) = flow.root(value) else {
        return false;
    };
    let Some(node) = flow.source(value) else {
        // given as an input: one position that is selected of a stream
        return !is_of_each(flow, value) && is_normalized(flow, value);
    };
    if let Source::Layer(_, kind) = root.source {
        return kind != Kind::Dense;
    }
    let operator = node.operator();
    let steps = |op: &Operator| matches!(op.role, Role::Control(Control::Loop | Control::Scan));
    let pools = operator.is_some_and(|op| op.reduces() || steps(op));
    let parts = || flow.data_inputs(node).into_iter();
    match node.op() {
        "Concat" => parts().all(|part| are_features(flow, part, sums)),
        _ => pools || node.produced().any(|sum| sums.contains(&sum.id)),
    }
}
