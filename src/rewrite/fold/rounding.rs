//! Operators that round: close inputs do not make close outputs.
//!
//! `(k·s)·q` and `k·(s·q)` differ in the last digit unless `k` is a power of two, and where the next
//! operator rounds, compares or sorts, the last digit decides. Upstream of such an operator only
//! powers of two are folded. An operator that is not known counts as one that rounds.

use std::cell::OnceCell;

use crate::onnx::{AttributeValue, NodeId};
use crate::rewrite::upstream::Upstream;
use crate::semantics::operator::{Continuous, Operator};

use super::factor::Factor;
use super::targets::View;
use super::weights::is_scalable;

/// Operators of ONNX Runtime's own domain whose outputs are continuous in each of their inputs.
const CONTINUOUS_IN_MICROSOFT: &[&str] = &[
    "Attention",
    "BiasGelu",
    "BiasSoftmax",
    "EmbedLayerNormalization",
    "FastGelu",
    "FusedConv",
    "FusedGemm",
    "FusedMatMul",
    "Gelu",
    "GroupNorm",
    "MultiHeadAttention",
    "QuickGelu",
    "RotaryEmbedding",
    "SkipGroupNorm",
    "SkipLayerNormalization",
    "SkipSimplifiedLayerNormalization",
    "TransposeMatMul",
];

/// What is upstream of operators that round, once that was asked for.
#[derive(Debug, Default)]
pub(super) struct Rounding(OnceCell<Upstream>);

impl Rounding {
    /// Why a factor must stay although weights could take it: an operator rounds what comes of the
    /// nodes that would change.
    pub fn refusal(
        &self,
        view: &View<'_>,
        factor: &Factor,
        changed: impl IntoIterator<Item = NodeId>,
    ) -> Option<String> {
        if factor.is_power_of_two() {
            return None;
        }
        let upstream = self.0.get_or_init(|| upstream(view));
        let mut outputs = changed.into_iter().flat_map(|id| {
            let outputs = 0..view.model.node(id).outputs.len();
            outputs.filter_map(move |output| view.values.output(view.model, id, output))
        });
        let rounds = outputs.find_map(|output| upstream.from(output))?;
        Some(reason(view, rounds))
    }
}

/// Linear in the size of the model.
fn upstream(view: &View<'_>) -> Upstream {
    let (model, values) = (view.model, view.values);
    let mut ends = Vec::new();
    for (id, node) in model.nodes() {
        if model.callee(node).is_some() {
            continue;
        }
        for input in 0..node.inputs.len() {
            if let Some(value) = view.input(id, input).filter(|_| rounds(view, id, input)) {
                ends.push((id, value));
            }
        }
        let named = node.named_values();
        let named = named.filter_map(|name| values.lookup(model, id.graph, &name));
        ends.extend(named.map(|value| (id, value)));
    }
    let reads = |id, input| Operator::of(model, id).is_none_or(|op| op.reads_values(input));
    Upstream::of(model, values, ends, reads)
}

fn reason(view: &View<'_>, rounds: NodeId) -> String {
    let node = view.model.node(rounds);
    let (op, label) = (&node.op_type, view.model.label(rounds));
    let domain = match node.in_default_domain() {
        true => String::new(),
        false => format!("{}::", node.domain),
    };
    let rounds = match Operator::of(view.model, rounds).map(|operator| operator.continuous) {
        // a parameter can do otherwise
        None | Some(Continuous::First) => "may round",
        Some(_) => "rounds",
    };
    format!(
        "{domain}{op} `{label}` {rounds} downstream, and only a power of two can be folded exactly"
    )
}

/// True if the outputs of a node can jump where the value at an input changes a little.
fn rounds(view: &View<'_>, id: NodeId, input: usize) -> bool {
    let node = view.model.node(id);
    let Some(operator) = Operator::of(view.model, id) else {
        let mut known = CONTINUOUS_IN_MICROSOFT.iter();
        return node.domain != "com.microsoft" || !known.any(|op| node.op_type == *op);
    };
    let output = |output| view.values.output(view.model, id, output);
    let continuous = match operator.continuous {
        _ if !operator.reads_values(input) => true,
        Continuous::Always => true,
        Continuous::First => input == 0,
        Continuous::Grid => input == 0 || !is_nearest(view, id),
        Continuous::Unindexed => !output(1).is_some_and(|indices| view.values.is_used(indices)),
        Continuous::Reals => {
            let element = output(0).and_then(|made| view.model.element_type(view.values, made));
            element.is_some_and(is_scalable)
        }
        Continuous::Never => false,
    };
    !continuous
}

fn is_nearest(view: &View<'_>, id: NodeId) -> bool {
    let mode = view.model.node(id).attribute("mode").map(|a| &a.value);
    matches!(mode, Some(AttributeValue::String(mode)) if mode[..] == *b"nearest")
}
