//! Operators that round: close inputs do not make close outputs.
//!
//! `(k·s)·q` and `k·(s·q)` differ in the last digit unless `k` is a power of two, and where the next
//! operator rounds, compares or sorts, the last digit decides. Upstream of such an operator only
//! powers of two are folded. An operator that is not known counts as one that rounds.

use std::cell::OnceCell;

use crate::onnx::AttributeValue;
use crate::rewrite::Reason;
use crate::rewrite::upstream::Upstream;
use crate::semantics::operator::Continuous;
use crate::semantics::view::{NodeRef, View};

use super::factor::Factor;
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
    /// Why a factor must stay although weights could take it: an operator rounds what is computed from
    /// the nodes that would change.
    pub fn refusal<'m>(
        &self,
        view: View<'m>,
        factor: &Factor,
        changed: impl IntoIterator<Item = NodeRef<'m>>,
    ) -> Option<Reason> {
        if factor.is_power_of_two() {
            return None;
        }
        let upstream = self.0.get_or_init(|| upstream(view));
        let mut outputs = changed.into_iter().flat_map(NodeRef::outputs).flatten();
        let rounds = outputs.find_map(|output| upstream.from(output.id))?;
        Some(reason(view.node(rounds)))
    }
}

/// Linear in the size of the model.
fn upstream(view: View<'_>) -> Upstream {
    let mut ends = Vec::new();
    for node in view.nodes().filter(|node| node.callee().is_none()) {
        let inputs = node.inputs().enumerate();
        let inputs = inputs.filter(|&(input, _)| rounds(node, input));
        ends.extend(inputs.filter_map(|(_, value)| Some((node.id, value?.id))));
        let named = node.get().named_values();
        let named = named.filter_map(|name| view.lookup(node.graph(), &name));
        ends.extend(named.map(|value| (node.id, value.id)));
    }
    let reads = |node: NodeRef<'_>, input| {
        node.operator()
            .is_none_or(|operator| operator.reads_values(input))
    };
    Upstream::of(view, ends, reads)
}

fn reason(node: NodeRef<'_>) -> Reason {
    let (op, label) = (&node.op_type, node.label());
    let domain = match node.in_default_domain() {
        true => String::new(),
        false => format!("{}::", node.domain),
    };
    let rounds = match node.operator().map(|operator| operator.continuous) {
        // a parameter can do otherwise
        None | Some(Continuous::First) => "may round",
        Some(_) => "rounds",
    };
    let why = format!(
        "{domain}{op} `{label}` {rounds} downstream, and only a power of two can be folded exactly"
    );
    Reason::Rounding(why.into())
}

/// True if the outputs of a node can jump where the value at an input changes a little.
fn rounds(node: NodeRef<'_>, input: usize) -> bool {
    let Some(operator) = node.operator() else {
        let mut known = CONTINUOUS_IN_MICROSOFT.iter();
        return node.domain != "com.microsoft" || !known.any(|op| node.op_type == *op);
    };
    let continuous = match operator.continuous {
        _ if !operator.reads_values(input) => true,
        Continuous::Always => true,
        Continuous::First => input == 0,
        Continuous::Grid => input == 0 || !is_nearest(node),
        Continuous::Unindexed => !node.output(1).is_some_and(|indices| indices.is_used()),
        Continuous::Reals => {
            let element = node.output(0).and_then(|output| output.element_type());
            element.is_some_and(is_scalable)
        }
        Continuous::Never => false,
    };
    !continuous
}

fn is_nearest(node: NodeRef<'_>) -> bool {
    let mode = node.attribute("mode").map(|a| &a.value);
    matches!(mode, Some(AttributeValue::String(mode)) if mode[..] == *b"nearest")
}
