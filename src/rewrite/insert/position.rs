//! The positions where a network of a known kind usually has dropout.

mod activation;
mod attention;
mod branch;
mod conv;
mod embedding;
mod head;
mod usual;

use std::collections::{BTreeMap, BTreeSet};

use crate::error::Result;
use crate::onnx::{Use, ValueId};
use crate::semantics::operator::Operator;
use crate::semantics::view::{NodeRef, ValueRef};

use super::Preset;
use super::flow::{Flow, Kind};
use activation::activation;
use attention::attention;
use branch::Branch;
use conv::convolutions;
use embedding::embeddings;
use head::head;
use usual::Style;

/// The positions of a model.
pub(super) struct Positions {
    /// The values of each preset, and whether each is usual in a model of this style.
    found: Vec<(Preset, Vec<(ValueId, bool)>)>,
}

impl Positions {
    /// # Errors
    /// A search took all the steps that it may.
    pub fn new(flow: &Flow<'_>) -> Result<Self> {
        let branches = Branch::all(flow);
        let finder = Finder {
            flow,
            style: Style::of(flow, &branches),
            branches,
        };
        let found = Preset::ALL.iter().map(|&preset| {
            let found = finder.found(preset).into_iter();
            (
                preset,
                found.map(|(value, usual)| (value.id, usual)).collect(),
            )
        });
        let found = found.collect();
        flow.is_searched()?;
        Ok(Positions { found })
    }

    /// The values at a position.
    pub fn of(&self, preset: Preset) -> BTreeSet<ValueId> {
        let found = self.found.iter().filter(|(of, _)| *of == preset);
        let values = found.flat_map(|(_, found)| found);
        values.map(|&(value, _)| value).collect()
    }

    /// The values at positions where networks that are built like this one have dropout.
    pub fn usual(&self) -> BTreeMap<ValueId, Preset> {
        let mut usual = BTreeMap::new();
        for (preset, found) in &self.found {
            for &(value, _) in found.iter().filter(|(_, is_usual)| *is_usual) {
                usual.entry(value).or_insert(*preset);
            }
        }
        usual
    }
}

/// What positions are found by.
struct Finder<'f, 'm> {
    flow: &'f Flow<'m>,
    branches: Vec<Branch<'m>>,
    style: Style,
}

impl<'m> Finder<'_, 'm> {
    /// The values at a position, and whether each is usual in a model of this style.
    fn found(&self, preset: Preset) -> Vec<(ValueRef<'m>, bool)> {
        let (flow, nodes, style) = (self.flow, self.flow.view.nodes(), &self.style);
        let branches = self.branches.iter();
        match preset {
            Preset::Head => {
                let sums = branches.map(|branch| branch.sum.id).collect();
                let found = nodes.flat_map(|node| {
                    let between = activation(flow, node, Kind::Dense);
                    head(flow, node, &sums).into_iter().chain(between)
                });
                let ends = style.ends(flow, &self.branches).into_iter();
                let usual = |value| (value, style.has_head(flow, value));
                found
                    .map(usual)
                    .chain(ends.map(|end| (end, true)))
                    .collect()
            }
            Preset::Conv => convolutions(flow, &self.branches),
            Preset::Attention => {
                let found = nodes.filter_map(|node| attention(flow, node));
                found.map(|value| (value, style.has_attention())).collect()
            }
            Preset::Residual => {
                let found = branches.filter_map(|branch| {
                    let usual = style.has_residual(flow, branch);
                    Some((branch.projection(flow)?, usual))
                });
                found.collect()
            }
            Preset::Ffn => {
                let found = branches.filter_map(|branch| {
                    let usual = style.has_ffn(flow, branch);
                    Some((branch.hidden(flow)?, usual))
                });
                let normalized = style.normalized(flow, &self.branches).into_iter();
                found.chain(normalized.map(|value| (value, true))).collect()
            }
            Preset::DropPath => {
                let found = branches.map(|branch| (branch.whole(), style.is_deep(flow, branch)));
                found.collect()
            }
            Preset::Embedding => {
                let found = embeddings(flow, &self.branches).into_iter();
                let usual = |stream| style.has_embedding(stream);
                found
                    .map(|(value, stream)| (value, usual(stream)))
                    .collect()
            }
        }
    }
}

/// True of a node that passes its data through, possibly with different axes or element type.
fn passes(node: NodeRef<'_>) -> bool {
    node.operator().is_some_and(Operator::passes)
}

/// True of a value whose elements are read once.
fn is_used_once(value: ValueRef<'_>) -> bool {
    let view = value.view();
    let reads = |at: &Use| match *at {
        Use::Input { node, input } => {
            let operator = view.node(node).operator();
            operator.is_none_or(|operator| operator.reads_values(input as usize))
        }
        _ => true,
    };
    let mut uses = value.uses().filter(reads);
    uses.next().is_some() && uses.next().is_none()
}

/// The nodes that read a value.
fn readers<'m>(value: ValueRef<'m>) -> impl Iterator<Item = NodeRef<'m>> {
    value.readers().map(|(node, _)| node)
}

/// The value before nodes that only pass it, whose other readers would not read it there.
fn unmoved<'m>(flow: &Flow<'m>, mut value: ValueRef<'m>) -> ValueRef<'m> {
    while let Some(node) = value.node().filter(|node| passes(*node))
        && let Some(before) = node.input(0)
        && flow.is_data(before)
        && is_used_once(before)
    {
        value = before;
    }
    value
}

/// True of a dense layer, or of a convolution that works on each position alone.
fn is_pointwise<'m>(flow: &Flow<'m>, node: NodeRef<'m>) -> bool {
    match flow.layer(node) {
        Some(Kind::Dense) => true,
        Some(Kind::Convolution) if node.op() == "Conv" => {
            let ones = |sizes: &[i64]| sizes.iter().all(|&size| size == 1);
            let weights = || dims(flow, node.input(1)?);
            let sizes = match node.ints("kernel_shape") {
                Some(kernel) => Some(ones(kernel)),
                None => weights().map(|dims| ones(dims.get(2..).unwrap_or_default())),
            };
            sizes == Some(true) && node.int("group", 1) == 1
        }
        _ => false,
    }
}

/// True of a convolution that works on each channel, or group of channels, separately.
fn is_by_channel<'m>(flow: &Flow<'m>, node: NodeRef<'m>) -> bool {
    flow.layer(node) == Some(Kind::Convolution) && node.int("group", 1) > 1
}

/// The sizes of a weight; in a function, by the first call.
fn dims<'m>(flow: &Flow<'m>, weight: ValueRef<'m>) -> Option<Vec<i64>> {
    let context = *flow.facts.contexts(weight.graph).first()?;
    flow.facts.shape_in(context, weight.id).all_sizes()
}

/// How many nodes may move a value about before it is used.
const MOVES: usize = 8;
