//! States of loops that carried a mask and nothing else.

use std::collections::{BTreeMap, BTreeSet};

use crate::error::Result;
use crate::hash::HashSet;
use crate::onnx::{Editor, GraphId, NodeId, Use};
use crate::rewrite::prune::{self, Pruned};
use crate::semantics::view::{NodeRef, ValueRef, View};

/// Removes the states of Loops and Scans that still carry what these nodes draw, and that no iteration
/// uses. Loops inside loops need a round each. Returns each loop, and how many of its states are gone.
pub(super) fn remove(
    editor: &mut Editor<'_>,
    sources: &[NodeId],
    pruned: &mut Pruned,
) -> Result<Vec<(String, usize)>> {
    let mut removed = Vec::new();
    loop {
        let idle = idle_states(editor.view(), sources);
        if idle.is_empty() {
            return Ok(removed);
        }
        let mut places: BTreeMap<NodeId, BTreeSet<usize>> = BTreeMap::new();
        for state in &idle {
            places.entry(state.node).or_default().insert(state.place);
        }
        let model = editor.model();
        removed.extend((places.iter()).map(|(&node, states)| (model.label(node), states.len())));
        let places: Vec<(NodeId, Vec<usize>)> = (places.into_iter())
            .map(|(node, places)| (node, places.into_iter().collect()))
            .collect();
        editor.remove_states(&places)?;
        for identity in idle.iter().flat_map(|state| state.identities.iter().rev()) {
            if let Some(value) = editor
                .view()
                .node(*identity)
                .output(0)
                .map(|value| value.id)
            {
                prune::prune(editor, value, pruned);
            }
        }
        prune::downstream(editor, sources, pruned);
    }
}

/// A state that each iteration passes on unchanged, and that nothing reads.
struct Idle {
    node: NodeId,
    /// Which of its states.
    place: usize,
    /// The Identity nodes that pass it on.
    identities: Vec<NodeId>,
}

/// The idle states that end what these nodes draw.
fn idle_states(view: View<'_>, sources: &[NodeId]) -> Vec<Idle> {
    let sources = sources.iter().map(|&id| view.node(id));
    let mut open: Vec<ValueRef<'_>> = sources
        .filter(|node| !node.is_removed())
        .flat_map(NodeRef::produced)
        .collect();
    let (mut seen, mut found) = (HashSet::default(), HashSet::default());
    let mut states = Vec::new();
    while let Some(value) = open.pop() {
        if !seen.insert(value.id) {
            continue;
        }
        for (node, input) in value.readers() {
            match state(node, input) {
                None => open.extend(node.produced()),
                Some(state) => match idle(node, &state) {
                    Some(idle) if found.insert((node.id, idle.place)) => states.push(idle),
                    Some(_) => {}
                    // a loop inside uses it, or another one downstream
                    None => open.extend([Some(state.formal), state.after].into_iter().flatten()),
                },
            }
        }
    }
    states
}

/// A state of a Loop or Scan.
struct State<'m> {
    /// Which of the states.
    place: usize,
    /// The output of the body that is the state after an iteration.
    next: (GraphId, usize),
    /// The input of the body.
    formal: ValueRef<'m>,
    /// The output of the node, if it has a name.
    after: Option<ValueRef<'m>>,
}

/// The state that an input of a node starts; `None` if it starts none.
fn state(node: NodeRef<'_>, input: usize) -> Option<State<'_>> {
    let (before, condition) = match node.op() {
        "Loop" => (2, 1),
        "Scan" => (0, 0),
        _ => return None,
    };
    let place = input.checked_sub(before)?;
    let scanned = usize::try_from(node.int("num_scan_inputs", 0)).ok()?;
    if input >= node.inputs().len().checked_sub(scanned)? {
        return None;
    }
    let body = node.body("body")?;
    Some(State {
        place,
        next: (body, place + condition),
        formal: node.view().graph_inputs(body).nth(input)??,
        after: node.output(place),
    })
}

/// The state, if no iteration does anything with it and nothing reads it in the end.
fn idle(node: NodeRef<'_>, state: &State<'_>) -> Option<Idle> {
    if state.after.is_some_and(|after| after.is_used()) {
        return None;
    }
    let mut identities = Vec::new();
    let mut value = state.formal;
    loop {
        let mut uses = value.uses();
        match (uses.next()?, uses.next()) {
            (Use::Output { graph, output }, None) if (graph, output as usize) == state.next => {
                return Some(Idle {
                    node: node.id,
                    place: state.place,
                    identities,
                });
            }
            (Use::Input { .. }, None) => {
                let (reader, _) = value.readers().next()?;
                value = reader.output(0).filter(|_| reader.op() == "Identity")?;
                identities.push(reader.id);
            }
            _ => return None,
        }
    }
}
