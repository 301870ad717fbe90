//! Positions that have names: where a network of a known kind usually has dropout.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use crate::error::{Error, ErrorKind, Result};
use crate::hash::HashSet;
use crate::onnx::{NodeId, Tensor, ValueId};

use super::flow::{Flow, Kind, Root, Source};

/// A position that has a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Preset {
    /// After each activation of the dense layers at the end, never after the output layer.
    Head,
    /// After each activation of a convolution.
    Conv,
    /// After the softmax of attention.
    Attention,
    /// The branch, before it is added to what it was computed from.
    Residual,
    /// After embeddings are looked up, and added up if they are.
    Embedding,
}

/// How far back the start of a branch is looked for, in values.
const BRANCH: usize = 400;

/// How many nodes may move a softmax about before it is used.
const MOVES: usize = 8;

impl Preset {
    /// All of them.
    pub const ALL: &[Preset] = &[
        Preset::Head,
        Preset::Conv,
        Preset::Attention,
        Preset::Residual,
        Preset::Embedding,
    ];

    /// Its name.
    pub fn word(self) -> &'static str {
        match self {
            Preset::Head => "head",
            Preset::Conv => "conv",
            Preset::Attention => "attention",
            Preset::Residual => "residual",
            Preset::Embedding => "embedding",
        }
    }

    /// The rate that is usual there. Sources: Srivastava et al. 2014 (0.5 for hidden units), Park and
    /// Kwak 2016 (0.1 for convolutions), Vaswani et al. 2017 (0.1 in a transformer).
    pub fn usual_rate(self) -> f64 {
        match self {
            Preset::Head => 0.5,
            _ => 0.1,
        }
    }

    /// The values at this position.
    pub(super) fn values(self, flow: &Flow<'_>) -> BTreeSet<ValueId> {
        let nodes = flow.model.nodes().map(|(id, _)| id);
        nodes
            .filter_map(|id| match self {
                Preset::Head => activation(flow, id, Kind::Dense),
                Preset::Conv => activation(flow, id, Kind::Convolution),
                Preset::Attention => attention(flow, id),
                Preset::Residual => residual(flow, id),
                Preset::Embedding => embedding(flow, id),
            })
            .collect()
    }
}

impl fmt::Display for Preset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

impl FromStr for Preset {
    type Err = Error;

    fn from_str(text: &str) -> Result<Preset> {
        let found = Preset::ALL.iter().find(|preset| preset.word() == text);
        found.copied().ok_or_else(|| {
            let words: Vec<_> = Preset::ALL.iter().map(|preset| preset.word()).collect();
            let why = format!(
                "unknown preset `{text}`; the presets are {}",
                words.join(", ")
            );
            Error::new(ErrorKind::Usage, why)
        })
    }
}

/// What an activation makes of a layer: of a dense one of the head, or of a convolution. A gate or a sum
/// of parts is not over before its last operator; a normalisation behind it belongs to it.
fn activation(flow: &Flow<'_>, id: NodeId, wanted: Kind) -> Option<ValueId> {
    let value = flow.outputs(id).next()?;
    let root = flow.root(value).filter(|root| root.activated)?;
    let ahead = flow.ahead(id);
    let head = wanted == Kind::Dense;
    let layer = matches!(root.source, Source::Layer(_, kind) if kind == wanted);
    if !layer || !ahead.weights || (head && ahead.body) {
        return None;
    }
    let goes_on = flow.users(value).any(|user| {
        let mut made = flow.outputs(user);
        made.any(|made| {
            let next = flow.root(made);
            next.is_some_and(|next| next.source == root.source) && !flow.is_layer(user)
        })
    });
    if goes_on || flow.is_handed_out(value) || gates_its_source(flow, value, root) {
        return None;
    }
    Some(passed_on(flow, value))
}

/// The value that is passed on, possibly with a different type or axes.
fn passed_on(flow: &Flow<'_>, value: ValueId) -> ValueId {
    let mut value = value;
    while let Some(maker) = flow.maker(value)
        && flow.passes(maker)
        && let Some(data) = flow.values.input(maker, 0)
        && flow.root(data).is_some_and(|root| root.activated)
    {
        value = data;
    }
    value
}

/// True of what only weighs that from which it is computed, as in squeeze and excitation.
fn gates_its_source(flow: &Flow<'_>, value: ValueId, root: Root) -> bool {
    let weighs = |user: NodeId| {
        let others = flow.data_inputs(user).into_iter();
        let mut others = others.filter(|&other| other != value);
        flow.model.node(user).is("Mul")
            && others.any(|other| {
                let same = flow.root(other).is_some_and(|o| o.source == root.source);
                !same && way(flow, value, other).is_some()
            })
    };
    let mut users = flow.users(value).peekable();
    users.peek().is_some() && users.all(weighs)
}

/// A softmax that a product with data follows.
fn attention(flow: &Flow<'_>, id: NodeId) -> Option<ValueId> {
    if !is_softmax(flow, id) {
        return None;
    }
    let value = flow.outputs(id).next()?;
    let mut at = value;
    for _ in 0..MOVES {
        if flow.users(at).any(|user| flow.is_product_of_data(user)) {
            return Some(value);
        }
        let moved = flow.users(at).find(|&user| {
            let node = flow.model.node(user);
            flow.passes(user) || node.is("Dropout") || node.is("Where")
        });
        at = flow.outputs(moved?).next()?;
    }
    None
}

/// True of a softmax, also where it is written as exponentials over their sum.
fn is_softmax(flow: &Flow<'_>, id: NodeId) -> bool {
    let node = flow.model.node(id);
    let made_by = |value: Option<ValueId>, op: &str| {
        let maker = value.and_then(|value| flow.maker(value));
        maker.filter(|&maker| flow.model.node(maker).is(op))
    };
    let (above, below) = (flow.values.input(id, 0), flow.values.input(id, 1));
    let over = node.is("Div") && made_by(above, "Exp").is_some();
    let sum = made_by(below, "ReduceSum").filter(|_| over);
    node.is("Softmax") || sum.is_some_and(|sum| flow.values.input(sum, 0) == above)
}

/// The branch of a sum: it is computed, by a layer, from what it is added to.
fn residual(flow: &Flow<'_>, id: NodeId) -> Option<ValueId> {
    if !flow.is_sum_of_branches(id) {
        return None;
    }
    let [a, b] = flow.data_inputs(id)[..] else {
        return None;
    };
    let branch = match (computed_from(flow, a, b), computed_from(flow, b, a)) {
        (true, false) => a,
        (false, true) => b,
        _ => return None,
    };
    let mut uses = flow.values.uses(branch);
    let alone = uses.next().is_some() && uses.next().is_none();
    alone.then_some(branch)
}

/// True if a value is computed from another, with a layer or attention on the way.
fn computed_from(flow: &Flow<'_>, value: ValueId, start: ValueId) -> bool {
    way(flow, value, start) == Some(true)
}

/// If a value is computed from another: whether there is a layer or attention on the way.
fn way(flow: &Flow<'_>, value: ValueId, start: ValueId) -> Option<bool> {
    let mut seen: HashSet<ValueId> = HashSet::default();
    let mut open = vec![value];
    let (mut found, mut layers) = (false, false);
    while let Some(value) = open.pop() {
        if value == start {
            found = true;
            continue;
        }
        if seen.len() > BRANCH || !seen.insert(value) {
            continue;
        }
        if let Some(maker) = flow.maker(value) {
            layers |= flow.is_layer(maker)
                || flow.is_product_of_data(maker)
                || flow.body(flow.model.node(maker)).is_some();
            open.extend(flow.data_inputs(maker));
        }
    }
    found.then_some(layers)
}

/// Rows looked up in a table of weights, and the sum of such rows.
fn embedding(flow: &Flow<'_>, id: NodeId) -> Option<ValueId> {
    let mut value = looked_up(flow, id)?;
    let mut left = MOVES;
    while left > 0 {
        left -= 1;
        let mut uses = flow.values.uses(value);
        let (Some(_), None) = (uses.next(), uses.next()) else {
            break;
        };
        let Some(user) = flow.users(value).next() else {
            break;
        };
        let node = flow.model.node(user);
        let inputs = flow.data_inputs(user);
        let others = inputs.iter().filter(|&&input| input != value);
        let mut makers = others.map(|&other| flow.maker(other));
        let of_embeddings = |maker: Option<NodeId>| {
            maker.is_some_and(|maker| looked_up(flow, maker).is_some() || is_sum(flow, maker))
        };
        let sum = node.is("Add") && makers.all(of_embeddings);
        let scaled = node.is("Mul") && inputs.len() == 1;
        match flow.outputs(user).next() {
            Some(next) if sum || scaled => value = next,
            _ => break,
        }
    }
    Some(value)
}

fn is_sum(flow: &Flow<'_>, id: NodeId) -> bool {
    let node = flow.model.node(id);
    (node.is("Add") || node.is("Mul")) && {
        let makers = flow.data_inputs(id).into_iter().map(|v| flow.maker(v));
        let mut makers = makers.flatten();
        makers.any(|maker| looked_up(flow, maker).is_some())
    }
}

/// What a node looks up in a table of weights of two dimensions.
fn looked_up(flow: &Flow<'_>, id: NodeId) -> Option<ValueId> {
    if !flow.model.node(id).is("Gather") {
        return None;
    }
    let (table, rows) = (flow.values.input(id, 0)?, flow.values.input(id, 1)?);
    (is_table(flow, table) && flow.is_data(rows)).then(|| flow.outputs(id).next())?
}

/// True of weights of two dimensions, however they are stored.
fn is_table(flow: &Flow<'_>, value: ValueId) -> bool {
    let mut at = value;
    for _ in 0..MOVES {
        let known = &flow.values[at];
        let stored = |tensor: &Tensor| tensor.data_type.is_float() && tensor.dims.len() == 2;
        if let Some(index) = known.initializer {
            return !flow.is_data(value)
                && stored(flow.model.graph(known.graph).initializer(index));
        }
        let next = match flow.maker(at) {
            None => flow.passed(at),
            Some(maker) => {
                let node = flow.model.node(maker);
                if node.is("Constant") {
                    return node
                        .attributes
                        .iter()
                        .any(|a| a.tensors().into_iter().any(stored));
                }
                let same = node.is("Identity") || node.is("Cast");
                flow.values.input(maker, 0).filter(|_| same)
            }
        };
        match next {
            Some(next) => at = next,
            None => return false,
        }
    }
    false
}
