//! Operators that round: close inputs do not make close outputs.
//!
//! `(k·s)·q` and `k·(s·q)` differ in the last digit unless `k` is a power of two, and where the next
//! operator rounds, compares or sorts, the last digit decides. Upstream of such an operator only
//! powers of two are folded. An operator that is not known counts as one that rounds.

mod operators;

use std::cell::OnceCell;

use crate::onnx::{AttributeValue, DataType, NodeId};
use crate::rewrite::upstream::Upstream;

use super::factor::Factor;
use super::shapes::int;
use super::targets::View;
use super::weights::is_scalable;
use operators::{CONTINUOUS, CONTINUOUS_IN_MICROSOFT, ROUNDS, SHAPE_ONLY, has};

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
    let reads = |id: NodeId, input: usize| {
        let node = model.node(id);
        let op = node.op_type.as_str().filter(|_| node.in_default_domain());
        !op.is_some_and(|op| has(SHAPE_ONLY, op) || op == "CastLike" && input == 1)
    };
    Upstream::of(model, values, ends, reads)
}

fn reason(view: &View<'_>, rounds: NodeId) -> String {
    let node = view.model.node(rounds);
    let (op, label) = (&node.op_type, view.model.label(rounds));
    let domain = match node.in_default_domain() {
        true => String::new(),
        false => format!("{}::", node.domain),
    };
    let known = domain.is_empty() && op.as_str().is_some_and(|op| has(ROUNDS, op));
    let rounds = if known { "rounds" } else { "may round" };
    format!(
        "{domain}{op} `{label}` {rounds} downstream, and only a power of two can be folded exactly"
    )
}

/// True if the outputs of a node can jump where the value at an input changes a little.
fn rounds(view: &View<'_>, id: NodeId, input: usize) -> bool {
    let node = view.model.node(id);
    let Some(op) = node.op_type.as_str() else {
        return true;
    };
    if !node.in_default_domain() {
        return node.domain != "com.microsoft" || !has(CONTINUOUS_IN_MICROSOFT, op);
    }
    let output = |output| view.values.output(view.model, id, output);
    let is_real = |element| is_scalable(element);
    match op {
        "Cast" => !is_real(DataType(int(node, "to", 0) as i32)),
        "CastLike" => {
            let element = output(0).and_then(|made| view.model.element_type(view.values, made));
            input == 0 && !element.is_some_and(is_real)
        }
        // indices
        "MaxPool" | "TopK" => output(1).is_some_and(|indices| view.values.is_used(indices)),
        "Dropout" | "MaxRoiPool" | "Pow" | "Resize" | "RoiAlign" | "Upsample" => input > 0,
        "GridSample" => input > 0 && is_nearest(view, id),
        _ => !has(CONTINUOUS, op),
    }
}

fn is_nearest(view: &View<'_>, id: NodeId) -> bool {
    let mode = view.model.node(id).attribute("mode").map(|a| &a.value);
    matches!(mode, Some(AttributeValue::String(mode)) if mode[..] == *b"nearest")
}
