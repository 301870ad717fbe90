//! What nothing uses any more once a dropout is gone: its ratio, its flag, its mask, its draw, what
//! computed them.

use std::collections::BTreeSet;

use crate::hash::HashSet;
use crate::onnx::{Editor, Model, NodeId, Producer, Use, ValueId};

use super::Outcome;

/// Removes a value that nothing uses, and what only it needed. Graph inputs stay: they are the
/// interface.
pub(super) fn prune(editor: &mut Editor<'_>, value: ValueId, outcome: &mut Outcome) {
    let mut idle = vec![value];
    while let Some(value) = idle.pop() {
        let values = editor.values();
        if values.is_used(value) {
            continue;
        }
        match values[value].producer {
            Producer::Initializer(_) => {
                outcome.initializers.push(values[value].name.clone());
                editor.remove_initializer(value);
            }
            Producer::Node { node: id, .. } => idle.extend(remove(editor, id, outcome)),
            Producer::Input(_) | Producer::SparseInitializer(_) | Producer::Gone => {}
        }
    }
}

/// Removes a node of whose outputs none is used. Returns what it used, and what only graphs inside it
/// used.
fn remove(editor: &mut Editor<'_>, id: NodeId, outcome: &mut Outcome) -> Vec<ValueId> {
    let (model, values) = (editor.model(), editor.values());
    let node = model.node(id);
    let mut outputs = (0..node.outputs.len()).filter_map(|o| values.output(model, id, o));
    // an operator nobody knows may do more than compute its outputs
    let computes = node.in_default_domain() || model.callee(node).is_some();
    if !computes || node.is_removed() || outputs.any(|output| values.is_used(output)) {
        return Vec::new();
    }
    let mut inputs = inputs(editor, id);
    let mut graphs: Vec<_> = node.attributes.iter().flat_map(|a| a.graphs()).collect();
    while let Some(&graph) = graphs.pop() {
        for (index, inner) in model.graph(graph).nodes() {
            inputs.extend(self::inputs(editor, NodeId { graph, index }));
            graphs.extend(inner.attributes.iter().flat_map(|a| a.graphs()));
        }
    }
    outcome.nodes.push(model.label(id).as_str().into());
    editor.remove_node(id);
    inputs
}

fn inputs(editor: &Editor<'_>, id: NodeId) -> Vec<ValueId> {
    let inputs = 0..editor.model().node(id).inputs.len();
    let inputs = inputs.filter_map(|input| editor.values().input(id, input));
    inputs.collect()
}

/// Calls no longer pass what is made of a draw to functions that do nothing with it.
fn unpass(editor: &mut Editor<'_>, source: NodeId, order: &[NodeId]) {
    let made: HashSet<ValueId> = (order.iter().chain([&source]))
        .flat_map(|&id| (0..editor.model().node(id).outputs.len()).map(move |o| (id, o)))
        .filter_map(|(id, output)| editor.values().output(editor.model(), id, output))
        .collect();
    for &id in order {
        let Some(function) = editor.model().callee(editor.model().node(id)) else {
            continue;
        };
        for input in 0..editor.model().node(id).inputs.len() {
            let (model, values) = (editor.model(), editor.values());
            let body = model.functions()[function].body;
            let formal = model.graph(body).inputs.get(input);
            let formal = formal.and_then(|formal| values.lookup(model, body, &formal.name));
            let passed = values
                .input(id, input)
                .is_some_and(|value| made.contains(&value));
            if passed && formal.is_some_and(|formal| !values.is_used(formal)) {
                editor.clear_input(id, input);
            }
        }
    }
}

/// How many nodes behind a draw are looked at.
const REACH: usize = 1000;

/// Removes what is made of a draw and leads nowhere, and the draw itself if nothing is left.
pub(super) fn behind(editor: &mut Editor<'_>, source: NodeId, outcome: &mut Outcome) {
    let mut seen = HashSet::default();
    let mut order = Vec::new();
    let mut open = vec![source];
    while let Some(id) = open.pop() {
        if !seen.insert(id) || seen.len() > REACH || editor.model().node(id).is_removed() {
            continue;
        }
        order.push(id);
        let (model, values) = (editor.model(), editor.values());
        let outputs = 0..model.node(id).outputs.len();
        for output in outputs.filter_map(|output| values.output(model, id, output)) {
            open.extend(values.uses(output).filter_map(|at| match at {
                Use::Input { node, .. } => Some(node),
                _ => None,
            }));
        }
    }
    unpass(editor, source, &order);
    for id in order.into_iter().rev() {
        for value in remove(editor, id, outcome) {
            prune(editor, value, outcome);
        }
    }
}

/// The functions that some node calls.
pub(super) fn called(model: &Model) -> BTreeSet<usize> {
    if model.functions().is_empty() {
        return BTreeSet::new();
    }
    let calls = model.nodes().filter_map(|(_, node)| model.callee(node));
    calls.collect()
}

/// Removes functions that were called before and now are not.
pub(super) fn functions(editor: &mut Editor<'_>, before: &BTreeSet<usize>, outcome: &mut Outcome) {
    loop {
        let now = called(editor.model());
        let model = editor.model();
        let there = |function: &usize| !model.is_removed_function(*function);
        let idle: Vec<usize> = before.difference(&now).copied().filter(there).collect();
        if idle.is_empty() {
            return;
        }
        for function in idle {
            let name = editor.model().functions()[function].name.clone();
            outcome.functions.push(name);
            editor.remove_function(function);
        }
    }
}
