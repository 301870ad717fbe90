//! Batch normalization in training mode becomes its inference form: it normalizes by the running statistics
//! in the file, and has no further outputs.

use crate::hash::HashSet;
use crate::onnx::{Attribute, AttributeValue, Editor, NodeId, Producer, Use, ValueId, numbers};
use crate::rewrite::{Action, Reason};
use crate::semantics::batch_norm::{OF_TRAINING, by_batch};
use crate::semantics::calls::Calls;
use crate::semantics::facts::Facts;
use crate::semantics::view::{NodeRef, ValueRef};

/// A `BatchNormalization` that normalizes by the statistics of the batch, and what happens to it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct BatchNorm {
    /// The node.
    pub node: NodeId,
    /// Its place in words.
    pub label: String,
    /// What is done.
    pub action: Action,
    /// True if its running mean is 0 and its running variance 1 throughout: it was never trained, or the
    /// exporter lost them.
    pub untrained: bool,
}

/// Running statistics of more bytes are not looked at.
const LARGEST: u64 = 1 << 20;

/// Plans the inference form of every such node; none if `selected` is false.
pub(super) fn plan(facts: Facts<'_>, selected: bool) -> Vec<BatchNorm> {
    let planned = by_batch(facts).filter(|_| selected).map(|node| {
        let refusal = used(node).or_else(|| computed(node, facts.calls()));
        BatchNorm {
            node: node.id,
            label: node.place(),
            untrained: refusal.is_none() && is_untrained(node),
            action: refusal.map_or(Action::Apply, Action::Refused),
        }
    });
    planned.collect()
}

/// Why the further outputs cannot be removed.
fn used(node: NodeRef<'_>) -> Option<Reason> {
    let mut further = node.outputs().skip(1).flatten();
    let used = further.find(|value| value.is_used())?;
    let by = match used.uses().next() {
        Some(Use::Output { graph, .. }) if graph == used.view().model.main() => {
            "an output of the model"
        }
        _ => "used",
    };
    let name = &used.name;
    let why = format!(
        "batch normalization for inference has one output, and its statistics `{name}` are {by}"
    );
    Some(Reason::Shared(why.into()))
}

/// Why there are no running statistics.
fn computed(node: NodeRef<'_>, calls: &Calls) -> Option<Reason> {
    let stored = |input| {
        let value = node.input(input);
        value.is_some_and(|value| is_stored(value, calls))
    };
    if stored(3) && stored(4) {
        return None;
    }
    let why = "its running mean and variance are not constants: it normalizes by the batch at inference as \
               well, as a layer or instance normalization does";
    Some(Reason::Needed(why.into()))
}

/// True of a value that is made of weights and constants alone: in a function, by every call.
fn is_stored(value: ValueRef<'_>, calls: &Calls) -> bool {
    let view = value.view();
    let (mut open, mut seen) = (vec![value], HashSet::default());
    while let Some(value) = open.pop() {
        if !seen.insert(value.id) || value.initializer_index().is_some() || value.is_weight() {
            continue;
        }
        match value.get().producer {
            Producer::Node { .. } => {
                let Some(node) = value.node() else {
                    return false;
                };
                let moves = matches!(
                    node.op(),
                    "Identity" | "Cast" | "Reshape" | "Squeeze" | "Unsqueeze"
                );
                match node.op() {
                    "Constant" => {}
                    _ if moves => open.extend(node.input(0)),
                    _ => return false,
                }
            }
            Producer::Input(input) => {
                let Some(function) = view.function_of(value.graph) else {
                    return false;
                };
                let passed = calls.of(function).iter();
                let passed = passed.map(|&call| view.node(call).input(input as usize));
                let Some(passed) = passed.collect::<Option<Vec<_>>>() else {
                    return false;
                };
                open.extend(passed);
            }
            _ => return false,
        }
    }
    true
}

/// True of a running mean of 0 and a running variance of 1.
fn is_untrained(node: NodeRef<'_>) -> bool {
    let all = |input: usize, wanted: f64| {
        let stored = node.input(input).and_then(ValueRef::initializer)?;
        let bytes = node.view().model.small_elements(stored, LARGEST).ok()??;
        let numbers = numbers(stored.data_type, &bytes)?;
        Some(numbers.into_iter().all(|number| number == wanted))
    };
    all(3, 0.0) == Some(true) && all(4, 1.0) == Some(true)
}

/// Writes the inference form of the nodes of a plan, and returns how many there are.
pub(super) fn apply(editor: &mut Editor<'_>, plan: &[BatchNorm]) -> usize {
    let applied = plan.iter().filter(|norm| norm.action == Action::Apply);
    let applied: Vec<NodeId> = applied.map(|norm| norm.node).collect();
    for &id in &applied {
        let opset = editor.model().opset(id.graph, "").unwrap_or(0);
        let node = editor.view().node(id);
        let further: Vec<ValueId> = node
            .outputs()
            .skip(1)
            .flatten()
            .map(|value| value.id)
            .collect();
        editor.keep_outputs(id, 1, &further);
        for name in OF_TRAINING.iter().take(2) {
            if editor.model().node(id).attribute(name).is_some() {
                editor.remove_attribute(id, name);
            }
        }
        if opset < 7 {
            editor.set_attribute(id, Attribute::new("is_test", AttributeValue::Int(1)));
        }
    }
    applied.len()
}
