//! The branches of residual sums: what is computed of a value and added to it.

use crate::hash::HashSet;
use crate::onnx::ValueId;
use crate::semantics::operator::{Layer, Operator, Role};
use crate::semantics::view::{NodeRef, ValueRef};

use super::super::flow::{Flow, Kind, Source};
use super::{dims, is_by_channel, is_pointwise, is_used_once, passes, readers, unmoved};

/// What a residual sum adds to the value from which it was computed.
#[derive(Clone, Copy, Debug)]
pub(in crate::rewrite::insert) struct Branch<'m> {
    /// The end of the branch: what is added.
    pub end: ValueRef<'m>,
    /// What it is added to.
    pub skip: ValueRef<'m>,
    /// What both were computed from: that itself, unless it was projected to the shape of the branch.
    pub start: ValueRef<'m>,
    /// The sum.
    pub sum: ValueRef<'m>,
    /// What is on the way.
    pub way: Way,
}

/// What is on the way from one value to another.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::rewrite::insert) struct Way {
    /// A layer with weights, or attention.
    pub layers: bool,
    /// A pool.
    pub pools: bool,
    /// A product of data with data.
    pub attends: bool,
    /// A convolution that looks at neighbours, except for those in `mixes`.
    pub spatial: bool,
    /// A convolution of single channels that follows a dense layer.
    pub mixes: bool,
    /// A smooth activation of a convolution.
    pub smooth: bool,
    /// An activation with an upper bound: ReLU6.
    pub bounded: bool,
}

impl<'m> Branch<'m> {
    /// All branches of a model.
    pub fn all(flow: &Flow<'m>) -> Vec<Branch<'m>> {
        let sums = flow
            .view
            .nodes()
            .filter(|&node| flow.is_sum_of_branches(node));
        sums.flat_map(|node| Branch::of(flow, node)).collect()
    }

    /// The branches that a node adds: several, if those of one value were added up before.
    fn of(flow: &Flow<'m>, node: NodeRef<'m>) -> Vec<Branch<'m>> {
        let (inputs, sum) = (flow.data_inputs(node), node.produced().next());
        let ([a, b], Some(sum)) = (&inputs[..], sum) else {
            return Vec::new();
        };
        let layered = |value, start| {
            let way = way(flow, value, start);
            way.filter(|way| way.layers || way.pools)
        };
        let (end, skip, start) = match (layered(*a, *b), layered(*b, *a)) {
            (Some(_), None) => (*a, *b, *b),
            (None, Some(_)) => (*b, *a, *a),
            (Some(_), Some(_)) => return Vec::new(),
            (None, None) => {
                let projected = |end, skip| {
                    let start = shortcut(flow, skip)?;
                    let deeper = shortcut(flow, end) != Some(start);
                    (deeper && layered(end, start).is_some()).then_some((end, skip, start))
                };
                match projected(*a, *b).or_else(|| projected(*b, *a)) {
                    Some(found) => found,
                    None => return Vec::new(),
                }
            }
        };
        let mut open = vec![end];
        let mut found = Vec::new();
        while let Some(end) = open.pop().filter(|end| is_used_once(*end)) {
            let together = flow.source(end).filter(|&sum| flow.is_sum_of_branches(sum));
            let parts = together
                .map(|sum| flow.data_inputs(sum))
                .unwrap_or_default();
            let ways = parts.iter().map(|&part| layered(part, start));
            match ways.collect::<Option<Vec<Way>>>() {
                Some(ways) if !ways.is_empty() && found.len() + open.len() < 4 => {
                    open.extend(parts)
                }
                _ => {
                    // scores of attention are no branch, whatever mask is added to them
                    let root = flow.root(ungated(flow, end));
                    let layer = matches!(root, Some(root) if root.is_of_layer());
                    let way = layered(end, start).filter(|way| layer || way.pools);
                    found.extend(way.map(|way| Branch {
                        end,
                        skip,
                        start,
                        sum,
                        way,
                    }));
                }
            }
        }
        found
    }

    /// True of a part of a transformer: attention, or layers that work on each position alone.
    pub fn is_block(&self) -> bool {
        self.way.attends || !self.way.spatial
    }

    /// True if it mixes the channels of images by a convolution.
    pub fn is_of_images(&self, flow: &Flow<'m>) -> bool {
        self.nodes(flow).into_iter().any(|node| {
            let mixes = node.op() == "Conv" && !is_by_channel(flow, node);
            let weights = node.input(1).filter(|_| mixes);
            let weights = weights.and_then(|weights| dims(flow, weights));
            weights.is_some_and(|dims| dims.len() == 4)
        })
    }

    /// The nodes on the way, and those of the other data that come in there.
    pub fn nodes(&self, flow: &Flow<'m>) -> Vec<NodeRef<'m>> {
        between(flow, self.end, self.start).unwrap_or_default()
    }

    /// True of attention, and of more than one layer.
    pub fn is_composed(&self, flow: &Flow<'m>) -> bool {
        let layers = || {
            self.nodes(flow)
                .into_iter()
                .filter(|&node| flow.is_layer(node))
        };
        self.way.attends || layers().nth(1).is_some()
    }

    /// Its end; of a sum of a part of the channels, the value that the part is of.
    pub fn whole(&self) -> ValueRef<'m> {
        let whole = whole(self.end);
        match is_used_once(whole) {
            true => self.end,
            false => whole,
        }
    }

    /// The output of its last layer, with its bias, before it is scaled or normalized.
    pub fn projection(&self, flow: &Flow<'m>) -> Option<ValueRef<'m>> {
        let last = self.last(flow).filter(|_| self.is_block())?;
        if flow.root(self.end)?.activated {
            return Some(unmoved(flow, self.end));
        }
        let mut value = last.produced().next()?;
        let (mut at, root) = (value, flow.root(value)?);
        while at != self.end && is_used_once(at) {
            let Some(reader) = readers(at).next() else {
                break;
            };
            let next = reader.produced().next()?;
            let biased = reader.op() == "Add" && flow.root(next) == Some(root);
            match (passes(reader), biased) {
                (true, _) => {}
                (false, true) => return Some(next),
                (false, false) => break,
            }
            at = next;
        }
        if at == self.end {
            value = unmoved(flow, at);
        }
        Some(value)
    }

    /// What the activation between its last two layers gives.
    pub fn hidden(&self, flow: &Flow<'m>) -> Option<ValueRef<'m>> {
        let last = self.last(flow).filter(|_| self.is_block())?;
        let hidden = flow.data_inputs(last).first().copied()?;
        let activated = |value: ValueRef<'m>| {
            let root = flow.root(value)?;
            let layer = |node| is_pointwise(flow, node) || self.way.mixes;
            let layer = matches!(root.source, Source::Layer(id, _) if layer(flow.view.node(id)));
            layer.then_some(root.activated)
        };
        if let Some(between) = activated(hidden) {
            return between.then(|| unmoved(flow, hidden));
        }
        let gate = flow.source(hidden).filter(|node| node.op() == "Mul")?;
        let parts = flow.data_inputs(gate);
        let are: Option<Vec<bool>> = parts.iter().map(|&part| activated(part)).collect();
        let place = are?.iter().position(|&activated| activated)?;
        // a part that gates another of the same activation: what both are parts of
        let of = whole(parts[place]);
        let own = |&part: &ValueRef<'m>| part != parts[place] && between(flow, part, of).is_some();
        match of != parts[place] && parts.iter().any(own) {
            true => Some(of),
            false => Some(unmoved(flow, hidden)),
        }
    }

    /// Its last layer, if that works on each position alone.
    fn last(&self, flow: &Flow<'m>) -> Option<NodeRef<'m>> {
        let last = flow.source(ungated(flow, self.end))?;
        is_pointwise(flow, last).then_some(last)
    }
}

/// The value that a value is a part of.
fn whole(value: ValueRef<'_>) -> ValueRef<'_> {
    let part = value
        .node()
        .filter(|node| matches!(node.op(), "Slice" | "Split"));
    part.and_then(|part| part.input(0)).unwrap_or(value)
}

/// What is weighed, of a value that weighs itself by a gate.
fn ungated<'m>(flow: &Flow<'m>, end: ValueRef<'m>) -> ValueRef<'m> {
    let gate = flow.source(end).filter(|node| node.op() == "Mul");
    match gate.map(|gate| flow.data_inputs(gate)).unwrap_or_default()[..] {
        [data, gate] | [gate, data] if between(flow, gate, data).is_some() => data,
        _ => end,
    }
}

/// What a convolution of single positions was given, if a value is its plain result; what a value is a part of, or
/// scaled by channel.
fn shortcut<'m>(flow: &Flow<'m>, value: ValueRef<'m>) -> Option<ValueRef<'m>> {
    let simple =
        |node: &NodeRef<'m>| node.op() == "Mul" || node.operator().is_some_and(Operator::selects);
    let simple = value.node().filter(simple);
    if let Some([data]) = simple.map(|node| flow.data_inputs(node)).as_deref() {
        return Some(*data);
    }
    let plain = flow.root(value).is_some_and(|root| !root.activated);
    let layer = flow
        .source(value)
        .filter(|layer| plain && layer.op() == "Conv")?;
    let data = flow.data_inputs(layer).first().copied();
    data.filter(|_| is_pointwise(flow, layer))
}

/// If a value is computed from another: what is on the way.
pub(super) fn way<'m>(flow: &Flow<'m>, value: ValueRef<'m>, start: ValueRef<'m>) -> Option<Way> {
    let mut way = Way::default();
    for node in between(flow, value, start)? {
        let role = node.operator().map(|operator| operator.role);
        let attends = flow.is_product_of_data(node) || role == Some(Role::Layer(Layer::Attention));
        let layer = flow.layer(node);
        let neighbours = layer == Some(Kind::Convolution) && !is_pointwise(flow, node);
        let inside = flow.source(value) != Some(node);
        let mixes = neighbours && inside && follows_dense(flow, node);
        way.attends |= attends;
        way.layers |= layer.is_some() || attends || node.callee().is_some();
        way.pools |= role == Some(Role::Pool);
        way.spatial |= neighbours && !mixes;
        way.mixes |= mixes;
        way.smooth |= is_smooth(flow, node);
        way.bounded |= node.op() == "Clip";
    }
    Some(way)
}

/// The nodes between a value and another that it is computed from, and those of the other data that come in
/// on the way.
pub(super) fn between<'m>(
    flow: &Flow<'m>,
    value: ValueRef<'m>,
    start: ValueRef<'m>,
) -> Option<Vec<NodeRef<'m>>> {
    let mut seen: HashSet<ValueId> = HashSet::default();
    let (mut found, mut nodes, mut open) = (false, Vec::new(), vec![value]);
    while let Some(value) = open.pop() {
        found |= value == start;
        let before = value == start || flow.place(value) < flow.place(start);
        if before || !seen.insert(value.id) {
            continue;
        }
        if let Some(producer) = value.node().filter(|_| flow.may_search()) {
            nodes.push(producer);
            open.extend(flow.data_inputs(producer));
        }
    }
    found.then_some(nodes)
}

/// True of a convolution that works on each channel of what a dense layer gives.
fn follows_dense<'m>(flow: &Flow<'m>, node: NodeRef<'m>) -> bool {
    let data = flow.data_inputs(node).first().copied();
    let before = data.and_then(|data| flow.source(data));
    let dense =
        |before: NodeRef<'m>| before.op() != "Conv" && flow.layer(before) == Some(Kind::Dense);
    is_by_channel(flow, node) && before.is_some_and(dense)
}

/// True of an activation that is not made of pieces of lines; of a gate it is not.
fn is_smooth<'m>(flow: &Flow<'m>, node: NodeRef<'m>) -> bool {
    let smooth = ["Sigmoid", "Erf", "Gelu", "Swish", "Tanh", "Elu", "Mish"];
    let data = node.input(0).filter(|_| smooth.contains(&node.op()));
    let own =
        |reader: NodeRef<'m>| data.is_some_and(|data| reader.inputs().any(|of| of == Some(data)));
    let gates = node.op() == "Sigmoid" && !node.produced().flat_map(readers).any(own);
    let data = data.filter(|_| !gates);
    let source = data.and_then(|data| flow.source(data));
    source.is_some_and(|source| match flow.layer(source) {
        Some(Kind::Convolution) => true,
        Some(Kind::Dense) => source.op() != "Conv",
        _ => false,
    })
}
