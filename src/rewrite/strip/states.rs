//! States of loops that only carried a draw.

use std::collections::{BTreeMap, BTreeSet};

use crate::error::Result;
use crate::hash::HashSet;
use crate::onnx::{Editor, NodeId, StatePlaces, Use};
use crate::rewrite::prune::{self, Pruned};
use crate::semantics::control_flow::{Loop, State};
use crate::semantics::view::{NodeRef, ValueRef, View};

/// Removes the states of Loops and Scans that still carry what these nodes draw, and that no iteration
/// uses. Loops inside loops need a round each. Returns each loop, and how many of its states are removed.
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
        let mut places: BTreeMap<NodeId, BTreeSet<StatePlaces>> = BTreeMap::new();
        for state in &idle {
            places.entry(state.node).or_default().insert(state.places);
        }
        let model = editor.model();
        removed.extend(
            (places.iter()).map(|(&node, states)| (model.label(node).to_string(), states.len())),
        );
        let places: Vec<(NodeId, Vec<StatePlaces>)> = (places.into_iter())
            .map(|(node, places)| (node, places.into_iter().collect()))
            .collect();
        editor.remove_states(&places)?;
        for identity in idle.iter().flat_map(|state| state.identities.iter().rev()) {
            let output = editor.view().node(*identity).output(0);
            if let Some(value) = output.map(|value| value.id) {
                prune::prune(editor, value, pruned);
            }
        }
        prune::downstream(editor, sources, pruned);
    }
}

/// A state that each iteration passes on unchanged, and that nothing reads.
struct Idle {
    node: NodeId,
    places: StatePlaces,
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
    let (mut seen, mut found) = (HashSet::default(), BTreeSet::new());
    let mut states = Vec::new();
    while let Some(value) = open.pop() {
        if !seen.insert(value.id) {
            continue;
        }
        for (node, input) in value.readers() {
            match Loop::of(node).and_then(|of| of.state_of_input(input)) {
                None => open.extend(node.produced()),
                Some(state) => match idle(node, state) {
                    Some(idle) if found.insert((node.id, idle.places)) => states.push(idle),
                    Some(_) => {}
                    // a loop inside uses it, or another one downstream
                    None => open.extend([state.formal, state.output].into_iter().flatten()),
                },
            }
        }
    }
    states
}

/// The state, if no iteration does anything with it and nothing reads it in the end.
fn idle(node: NodeRef<'_>, state: State<'_>) -> Option<Idle> {
    if state.output.is_some_and(|output| output.is_used()) {
        return None;
    }
    let body = node.body("body")?;
    let places = state.places;
    let mut identities = Vec::new();
    let mut value = state.formal?;
    loop {
        let mut uses = value.uses();
        match (uses.next()?, uses.next()) {
            (Use::Output { graph, output }, None)
                if (graph, output as usize) == (body, places.next) =>
            {
                return Some(Idle {
                    node: node.id,
                    places,
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
