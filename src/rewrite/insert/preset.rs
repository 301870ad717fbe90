//! Positions that have names: where a network of a known kind usually has dropout.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use crate::error::{Error, ErrorKind, Result};
use crate::hash::HashSet;
use crate::onnx::{GraphKind, NodeId, ValueId};

use super::flow::Flow;

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
                Preset::Head => activation(flow, id, true),
                Preset::Conv => activation(flow, id, false),
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
            let why = format!("`{text}` is no preset: they are {}", words.join(", "));
            Error::new(ErrorKind::Usage, why)
        })
    }
}

/// The last value of an activation: of a dense layer of the head, or of a convolution.
fn activation(flow: &Flow<'_>, id: NodeId, head: bool) -> Option<ValueId> {
    let value = flow.outputs(id).next()?;
    let root = flow.root(value).filter(|root| root.activated)?;
    let layer = flow.model.node(root.layer);
    let wanted = match head {
        true => flow.is_dense(root.layer),
        false => layer.is("Conv") || layer.is("ConvTranspose"),
    };
    let ahead = flow.ahead(id);
    if !wanted || !ahead.weights || (head && ahead.body) {
        return None;
    }
    // a gate or a sum of parts is not over before its last operator
    let goes_on = flow.users(value).any(|user| {
        let mut made = flow.outputs(user);
        made.any(|made| {
            let next = flow.root(made);
            next.is_some_and(|next| next.layer == root.layer) && !flow.is_layer(user)
        })
    });
    (!goes_on).then_some(value)
}

/// A softmax that a product with data follows.
fn attention(flow: &Flow<'_>, id: NodeId) -> Option<ValueId> {
    const LAYOUT: &[&str] = &[
        "Cast",
        "Dropout",
        "Identity",
        "Reshape",
        "Squeeze",
        "Transpose",
        "Unsqueeze",
        "Where",
    ];
    if !flow.model.node(id).is("Softmax") {
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
            LAYOUT.iter().any(|op| node.is(op))
        });
        at = flow.outputs(moved?).next()?;
    }
    None
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
                || flow.model.callee(flow.model.node(maker)).is_some();
            open.extend(flow.data_inputs(maker));
        }
    }
    found && layers
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
    let known = &flow.values[table];
    let formal = matches!(flow.model.graph(known.graph).kind, GraphKind::Function(_));
    let tensor = flow
        .model
        .graph(known.graph)
        .initializer(known.initializer?);
    let weights = tensor.data_type.is_float() && tensor.dims.len() == 2;
    (!formal && weights && flow.is_data(rows)).then(|| flow.outputs(id).next())?
}
