//! Nodes, initializers and functions that are left unused once a dropout is removed: its
//! ratio, its flag, its mask, its draw, and the nodes that computed them.

use std::collections::BTreeSet;

use crate::hash::HashSet;
use crate::onnx::{Editor, Model, Name, NodeId, Producer, ValueId};
use crate::semantics::view::{NodeRef, View};

/// What was removed.
#[derive(Debug, Default)]
pub(super) struct Pruned {
    pub initializers: Vec<Name>,
    pub nodes: Vec<Name>,
    pub functions: Vec<Name>,
}

/// Removes a value that nothing uses, with the nodes and initializers that are then left unused. Graph
/// inputs stay: they are the interface.
pub(super) fn prune(editor: &mut Editor<'_>, value: ValueId, pruned: &mut Pruned) {
    let mut idle = vec![value];
    while let Some(id) = idle.pop() {
        let value = editor.view().value(id);
        if value.is_used() {
            continue;
        }
        match value.get().producer {
            Producer::Initializer(_) => {
                pruned.initializers.push(value.name.clone());
                editor.remove_initializer(id);
            }
            Producer::Node { node, .. } => idle.extend(remove(editor, node, pruned)),
            Producer::Input(_) | Producer::SparseInitializer(_) | Producer::Gone => {}
        }
    }
}

/// Removes a node of whose outputs none is used. Returns what it used, and what only graphs inside it
/// used.
fn remove(editor: &mut Editor<'_>, id: NodeId, pruned: &mut Pruned) -> Vec<ValueId> {
    let view = editor.view();
    let node = view.node(id);
    if node.is_opaque() || node.is_removed() || node.produced().any(|output| output.is_used()) {
        return Vec::new();
    }
    let given =
        |node: NodeRef<'_>| -> Vec<ValueId> { node.given().map(|(_, value)| value.id).collect() };
    let mut inputs = given(node);
    let mut graphs: Vec<_> = node.bodies().collect();
    while let Some(graph) = graphs.pop() {
        for inner in view.nodes_of(graph) {
            inputs.extend(given(inner));
            graphs.extend(inner.bodies());
        }
    }
    pruned.nodes.push(node.label());
    editor.remove_node(id);
    inputs
}

/// Calls no longer pass what is computed from a draw to functions that do nothing with it.
fn unpass(editor: &mut Editor<'_>, order: &[NodeId]) {
    let view = editor.view();
    let nodes = || order.iter().map(|&id| view.node(id));
    let computed: HashSet<ValueId> = nodes().flat_map(NodeRef::produced).map(|v| v.id).collect();
    let mut unused = Vec::new();
    for call in nodes() {
        let Some(function) = call.callee() else {
            continue;
        };
        let body = view.model.functions()[function].body;
        let formals = view.graph_inputs(body).zip(call.inputs()).enumerate();
        unused.extend(formals.filter_map(|(input, (formal, passed))| {
            let idle = !formal?.is_used() && computed.contains(&passed?.id);
            idle.then_some((call.id, input))
        }));
    }
    for (call, input) in unused {
        editor.clear_input(call, input);
    }
}

/// Removes what is computed from draws and leads nowhere, and the draws themselves if nothing is left.
/// Linear in the size of the model.
pub(super) fn downstream(editor: &mut Editor<'_>, sources: &[NodeId], pruned: &mut Pruned) {
    let mut seen = HashSet::default();
    for &source in sources {
        let order = reached(editor.view(), source, &mut seen);
        unpass(editor, &order);
        for id in order.into_iter().rev() {
            for value in remove(editor, id, pruned) {
                prune(editor, value, pruned);
            }
        }
    }
}

/// A node and those downstream of it, except for those that were seen before.
fn reached(view: View<'_>, source: NodeId, seen: &mut HashSet<NodeId>) -> Vec<NodeId> {
    let mut order = Vec::new();
    let mut open = vec![source];
    while let Some(id) = open.pop() {
        let node = view.node(id);
        if node.is_removed() || !seen.insert(id) {
            continue;
        }
        order.push(id);
        let readers = node.produced().flat_map(|value| value.readers());
        open.extend(readers.map(|(reader, _)| reader.id));
    }
    order
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
pub(super) fn functions(editor: &mut Editor<'_>, before: &BTreeSet<usize>, pruned: &mut Pruned) {
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
            pruned.functions.push(name);
            editor.remove_function(function);
        }
    }
}
