//! Which positions are usual: those where networks that are built like this one have dropout.

use crate::hash::HashSet;
use crate::onnx::ValueId;
use crate::semantics::batch_norm::is_batch_norm;
use crate::semantics::operator::{Layer, Operator, Role, Shape};
use crate::semantics::view::{NodeRef, ValueRef};

use super::super::flow::{Flow, Kind, Source};
use super::attention::{attention, scores};
use super::branch::{Branch, between};
use super::embedding::looked_up;
use super::head::is_of_words;
use super::{MOVES, dims, is_by_channel, passes, readers, unmoved};

/// How far back the product is searched that gives scores, in nodes.
const SCORES: usize = 32;

/// How a model is built.
#[derive(Debug, Default)]
pub(super) struct Style {
    /// Queries of one stream are multiplied by keys of another: an encoder and a decoder.
    crosses: bool,
    /// One layer computes queries and keys.
    fused: bool,
    /// Queries are rotated by their position before they are multiplied by keys.
    rotary: bool,
    /// It is normalized without a mean.
    rms: bool,
    /// A dense layer adds a bias.
    biased: bool,
    /// What attention gives is normalized by batch after its last layer.
    batched: bool,
    /// Images pass residual branches of convolutions that mix channels as well as attention.
    hybrid: bool,
    /// It predicts words.
    words: bool,
    /// A convolution gives positions.
    convolved: bool,
    recurrent: bool,
    attends: bool,
    /// Rows are looked up in a table.
    looks_up: bool,
    /// Keys are computed from fewer positions than queries.
    reduced: bool,
    /// Positions are counted from the given tokens.
    counts: bool,
    /// GELU is a sigmoid, as where texts and images are compared.
    quick: bool,
    /// A convolution of single channels looks five elements wide.
    wide: bool,
}

impl Style {
    pub fn of<'m>(flow: &Flow<'m>, branches: &[Branch<'m>]) -> Style {
        let mut style = Style::default();
        for node in flow.view.nodes() {
            let role = node.operator().map(|operator| operator.role);
            style.recurrent |= role == Some(Role::Layer(Layer::Recurrent));
            style.rms |= is_root_mean_square(node);
            style.biased |= is_biased(flow, node);
            style.looks_up |= looked_up(flow, node).is_some();
            style.counts |= node.op() == "CumSum" && flow.data_inputs(node).len() == 1;
            style.quick |= is_quick(flow, node);
            style.wide |= is_wide(flow, node);
            let output = flow.is_layer(node) && !flow.ahead(node).weights;
            style.words |= output && is_of_words(flow, node);
            let product = attention(flow, node).and_then(|_| product(flow, scores(node)?));
            if let Some(product) = product {
                style.compare(flow, product);
            }
        }
        style.attends = branches.iter().any(|branch| branch.way.attends);
        let attend = || branches.iter().filter(|branch| branch.way.attends);
        style.batched = attend().any(|branch| is_of_batch(flow, branch));
        let given: HashSet<ValueId> = attend()
            .filter_map(|branch| begins(flow, branch.skip))
            .collect();
        let bodies = || branches.iter().filter(|branch| !branch.is_block());
        style.hybrid = style.attends && bodies().any(|body| body.is_of_images(flow));
        style.convolved = !style.hybrid && bodies().any(|body| given.contains(&body.sum.id));
        style
    }

    /// Queries and keys, the factors of a product.
    fn compare<'m>(&mut self, flow: &Flow<'m>, product: NodeRef<'m>) {
        let [queries, keys] = flow.data_inputs(product)[..] else {
            return;
        };
        self.rotary |= is_turned(flow, queries);
        // perhaps after a convolution of each channel
        let given = |value: ValueRef<'m>| {
            let layer = |value| flow.source(value).filter(|&node| flow.is_layer(node));
            let (mut found, mut of) = (layer(value)?, value);
            for _ in 0..2 {
                of = *flow.data_inputs(found).first()?;
                match layer(of).filter(|_| is_by_channel(flow, found)) {
                    Some(before) => found = before,
                    None => break,
                }
            }
            Some((found, of))
        };
        let (Some((one, queried)), Some((other, keyed))) = (given(queries), given(keys)) else {
            return;
        };
        self.fused |= one == other;
        let same = flow.root(queried).map(|root| root.source) == flow.root(keyed).map(|r| r.source);
        let reduced = between(flow, keyed, queried).is_some();
        self.reduced |= !same && reduced;
        self.crosses |= !same && !reduced;
    }

    /// True of models that are trained without dropout, except of attention.
    fn is_bare(&self) -> bool {
        let modern = self.rotary && (self.rms || !self.biased);
        modern || self.quick || self.batched
    }

    /// Where what attention gives is normalized by batch, nothing but whole branches is dropped.
    pub fn has_attention(&self) -> bool {
        !self.batched
    }

    pub fn has_residual<'m>(&self, flow: &Flow<'m>, branch: &Branch<'m>) -> bool {
        let usual = !is_of_batch(flow, branch) && branch.is_composed(flow);
        usual && !self.is_bare() && !self.is_of_normalized(flow, branch)
    }

    /// `stream`: whether it is what the first block of a transformer is given.
    pub fn has_embedding(&self, stream: bool) -> bool {
        !self.is_bare() && !self.hybrid && (stream || self.recurrent)
    }

    /// Classifiers of images with attention have none before a single layer, unless one layer computes queries
    /// and keys. Several layers have it between them, and before the first one only if that reads maps of features,
    /// or a position in models that count those from the tokens.
    pub fn has_head<'m>(&self, flow: &Flow<'m>, value: ValueRef<'m>) -> bool {
        let images = self.attends && !self.looks_up && !self.fused && !self.convolved;
        let Some(before) = flow
            .source(value)
            .filter(|&node| flow.layer(node).is_none())
        else {
            return true;
        };
        if is_last(flow, value) {
            return !images;
        }
        let shape = before.operator().map(|operator| operator.shape);
        let pools = matches!(shape, Some(Shape::GlobalPool | Shape::Reduce));
        let pooler = self.looks_up && !self.counts && is_before_tanh(flow, value);
        !pools && !pooler
    }

    /// The ends of stacks, normalized, in models of T5's kind.
    pub fn ends<'m>(&self, flow: &Flow<'m>, branches: &[Branch<'m>]) -> Vec<ValueRef<'m>> {
        if self.rotary || !self.rms || !self.attends {
            return Vec::new();
        }
        let skips = branches.iter().map(|branch| branch.skip);
        let continued: HashSet<ValueId> = skips.filter_map(|skip| begins(flow, skip)).collect();
        let sums = branches.iter().filter(|branch| branch.is_block());
        let is_last = |value| begins(flow, value).filter(|sum| !continued.contains(sum));
        let sums: HashSet<ValueId> = sums.map(|branch| branch.sum.id).collect();
        let values = flow.view.nodes().flat_map(NodeRef::produced);
        let of_last = values.filter(|&value| is_last(value).is_some_and(|sum| sums.contains(&sum)));
        let ends = of_last.filter(|&value| is_scaled(flow, value));
        ends.map(|value| unmoved(flow, value)).collect()
    }

    /// Models without attention, encoders with decoders, those of T5's kind, of speech, and of images with one layer for queries and keys, or
    /// with keys of fewer positions, have it; BERT's and GPT's kind do not. And where an activation ends the branch, dropout follows each.
    pub fn has_ffn<'m>(&self, flow: &Flow<'m>, branch: &Branch<'m>) -> bool {
        let twice = flow.root(branch.end).is_some_and(|root| root.activated);
        let speech = self.crosses || self.convolved;
        let fused = self.fused && !self.words;
        let images = fused || branch.way.mixes || self.reduced;
        let has = !self.attends && !self.looks_up
            || speech
            || self.rms && !self.rotary
            || images
            || twice;
        has && !self.batched && !is_of_batch(flow, branch)
    }

    /// True of a branch that is dropped as a whole: a pool, scaled by channel, normalized or rolled back at its end, or
    /// of convolutions with a smooth activation, or with ReLU6 if some are wide.
    pub fn is_deep<'m>(&self, flow: &Flow<'m>, branch: &Branch<'m>) -> bool {
        let activated = flow.root(branch.end).is_some_and(|root| root.activated);
        let smooth = branch.way.smooth || self.wide && branch.way.bounded;
        match branch.is_block() {
            true => {
                let pool = branch.way.pools && !branch.way.layers;
                pool || is_scaled(flow, branch.end) || is_rolled(flow, branch.end)
            }
            false => smooth && !activated,
        }
    }

    /// True of a branch without attention that ends in an activation: each of its layers is normalized first.
    pub fn is_of_normalized<'m>(&self, flow: &Flow<'m>, branch: &Branch<'m>) -> bool {
        let activated = flow.root(branch.end).is_some_and(|root| root.activated);
        !self.attends && activated && branch.hidden(flow).is_some()
    }

    /// What dense layers read in models with such branches.
    pub fn normalized<'m>(&self, flow: &Flow<'m>, branches: &[Branch<'m>]) -> Vec<ValueRef<'m>> {
        let mut branches = branches.iter();
        if !branches.any(|branch| self.is_of_normalized(flow, branch)) {
            return Vec::new();
        }
        let dense = flow.view.nodes().filter(|&node| flow.is_layer(node));
        let given = dense.filter_map(|node| flow.data_inputs(node).first().copied());
        let activated = |value| flow.root(value).is_some_and(|root| root.activated);
        let normalized = |&value: &ValueRef<'m>| activated(value) || is_scaled(flow, value);
        given.filter(normalized).collect()
    }
}

/// The sum, pool or the like that a value is an elementwise function of.
fn begins(flow: &Flow<'_>, value: ValueRef<'_>) -> Option<ValueId> {
    match flow.root(value)?.source {
        Source::Other(first) => Some(first),
        Source::Layer(..) | Source::Formal(..) => None,
    }
}

/// True of what the last layer reads.
fn is_last<'m>(flow: &Flow<'m>, mut value: ValueRef<'m>) -> bool {
    loop {
        let mut layers = readers(value).filter(|&node| flow.is_layer(node));
        if let Some(layer) = layers.next() {
            return !flow.ahead(layer).weights;
        }
        let moved = readers(value).find(|&node| passes(node));
        match moved.and_then(|node| node.produced().next()) {
            Some(next) => value = next,
            None => return false,
        }
    }
}

/// True of queries or keys that are turned by their position: a sum of parts of themselves.
fn is_turned<'m>(flow: &Flow<'m>, mut value: ValueRef<'m>) -> bool {
    while let Some(node) = value.node() {
        match (node.op(), &flow.data_inputs(node)[..]) {
            ("Add" | "Sub", [a, b]) => {
                let source = |value: &ValueRef<'m>| flow.root(*value).map(|root| root.source);
                return source(a) == source(b);
            }
            ("Concat", [first, _, ..]) => value = *first,
            (_, [data]) if !flow.is_layer(node) => value = *data,
            _ => return false,
        }
    }
    false
}

/// True of a value that is scaled by channel, or normalized.
fn is_scaled<'m>(flow: &Flow<'m>, end: ValueRef<'m>) -> bool {
    let end = unmoved(flow, end);
    // perhaps shifted after that
    let sum = end.node().filter(|node| node.op() == "Add");
    let end = match sum.map(|sum| flow.data_inputs(sum)).unwrap_or_default()[..] {
        [product] => product,
        _ => end,
    };
    let Some(node) = end.node() else {
        return false;
    };
    let weights = node.given().filter(|&(_, value)| !flow.is_data(value));
    let mut sizes =
        weights.filter_map(|(_, value)| Some(dims(flow, value)?.iter().product::<i64>()));
    let normalized = node
        .operator()
        .is_some_and(|op| op.role == Role::Normalisation);
    normalized || node.op() == "Mul" && sizes.any(|size| size > 1)
}

/// True of a branch that is normalized by batch at its end, by a node of its own or by one that an exporter
/// folded into its last convolution of images: nothing else normalizes it, and nothing scales it.
fn is_of_batch<'m>(flow: &Flow<'m>, branch: &Branch<'m>) -> bool {
    if unmoved(flow, branch.end).node().is_some_and(is_batch_norm) {
        return true;
    }
    let last = flow.source(branch.end).filter(|last| last.op() == "Conv");
    let weights = last.and_then(|last| dims(flow, last.input(1)?));
    let images = weights.is_some_and(|dims| dims.len() == 4);
    let normalizes = |node: NodeRef<'m>| {
        let normalizes = |op: &Operator| op.role == Role::Normalisation || op.reduces();
        node.operator().is_none_or(normalizes)
    };
    let folded = || !branch.nodes(flow).into_iter().any(normalizes);
    images && !is_scaled(flow, branch.end) && folded()
}

/// True of a dense layer with a bias.
fn is_biased<'m>(flow: &Flow<'m>, node: NodeRef<'m>) -> bool {
    let weights = |node: NodeRef<'m>| node.given().any(|(_, value)| !flow.is_data(value));
    let added = |value: ValueRef<'m>| {
        let mut sums = readers(value).filter(|reader| reader.op() == "Add");
        sums.any(weights)
    };
    let own = node.op() == "Gemm" && node.input(2).is_some();
    flow.layer(node) == Some(Kind::Dense) && (own || node.produced().any(added))
}

/// True of a value that is rolled back: its parts are joined in another order.
fn is_rolled<'m>(flow: &Flow<'m>, end: ValueRef<'m>) -> bool {
    let part = |value: ValueRef<'m>| {
        let slice = value.node().filter(|node| node.op() == "Slice")?;
        slice.input(0).map(|of| of.id)
    };
    let join = unmoved(flow, end).node();
    let join = join.filter(|node| node.op() == "Concat");
    match join.map(|join| flow.data_inputs(join)).unwrap_or_default()[..] {
        [a, b] => part(a).is_some() && part(a) == part(b),
        _ => false,
    }
}

/// True of what the first layer of a pooler reads: its activation is a hyperbolic tangent.
fn is_before_tanh<'m>(flow: &Flow<'m>, value: ValueRef<'m>) -> bool {
    let layer = readers(value).find(|&node| flow.is_layer(node));
    let mut at = layer.and_then(|layer| layer.produced().next());
    for _ in 0..MOVES {
        let Some(reader) = at.and_then(|at| readers(at).next()) else {
            return false;
        };
        if reader.op() == "Tanh" {
            return true;
        }
        let biased = reader.op() == "Add" || passes(reader);
        at = reader.produced().next().filter(|_| biased);
    }
    false
}

/// True of the sigmoid of a multiple of what a dense layer gives, which is multiplied by that.
fn is_quick<'m>(flow: &Flow<'m>, node: NodeRef<'m>) -> bool {
    let scaled = node.input(0).and_then(ValueRef::node);
    let scaled = scaled.filter(|scaled| node.op() == "Sigmoid" && scaled.op() == "Mul");
    let given = scaled.map(|scaled| flow.data_inputs(scaled));
    let ([data], Some(sigmoid)) = (&given.unwrap_or_default()[..], node.output(0)) else {
        return false;
    };
    let root = flow.root(*data).map(|root| root.source);
    let mut gates = readers(*data).filter(|gate| gate.op() == "Mul");
    matches!(root, Some(Source::Layer(_, Kind::Dense)))
        && gates.any(|gate| flow.data_inputs(gate).contains(&sigmoid))
}

/// True of a convolution of single channels that looks at five elements along an axis, or more.
fn is_wide<'m>(flow: &Flow<'m>, node: NodeRef<'m>) -> bool {
    let kernel = || dims(flow, node.input(1)?);
    let wide = |dims: Vec<i64>| dims.iter().skip(2).any(|&size| size >= 5);
    is_by_channel(flow, node) && kernel().is_some_and(wide)
}

/// The product of queries and keys that gives scores.
fn product<'m>(flow: &Flow<'m>, scores: ValueRef<'m>) -> Option<NodeRef<'m>> {
    let mut open = vec![scores];
    for _ in 0..SCORES {
        let node = open.pop()?.node()?;
        if flow.is_product_of_data(node) {
            return Some(node);
        }
        open.extend(flow.data_inputs(node).into_iter().rev());
    }
    None
}

/// True of the mean of squares of what was not made to have a mean of 0.
fn is_root_mean_square(node: NodeRef<'_>) -> bool {
    if matches!(
        node.op(),
        "RMSNormalization" | "SimplifiedLayerNormalization"
    ) {
        return true;
    }
    let squares = node.input(0).and_then(ValueRef::node);
    let Some(squares) = squares.filter(|_| node.op() == "ReduceMean") else {
        return false;
    };
    let itself = squares.op() == "Mul" && squares.input(0) == squares.input(1);
    let squared = itself || squares.op() == "Pow";
    let of = squares.input(0).filter(|_| squared);
    of.is_some_and(|of| {
        let centred = of.node().is_some_and(|node| node.op() == "Sub");
        !centred && !readers(of).any(|reader| reader.op() == "ReduceMean")
    })
}
