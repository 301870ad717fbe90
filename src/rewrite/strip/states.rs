//! States of loops that carried a mask and nothing else.

use std::collections::{BTreeMap, BTreeSet};

use crate::error::Result;
use crate::hash::HashSet;
use crate::onnx::{Editor, NodeId, StatePlaces, Use};
use crate::semantics::control_flow::{Loop, State};
use crate::semantics::view::{NodeRef, View};

use super::{Outcome, prune};

/// Removes the states of Loops and Scans that still carry what these nodes draw, and that no step
/// uses. Loops inside loops need a round each.
pub(super) fn remove(
    editor: &mut Editor<'_>,
    sources: &[NodeId],
    outcome: &mut Outcome,
) -> Result<()> {
    loop {
        let mut states: BTreeMap<NodeId, BTreeSet<StatePlaces>> = BTreeMap::new();
        let mut identities = Vec::new();
        let view = View::new(editor.model(), editor.values());
        for &source in sources {
            for (node, idle) in carried(view.node(source)) {
                if states.entry(node).or_default().insert(idle.places) {
                    identities.extend(idle.identities.into_iter().rev());
                }
            }
        }
        if states.is_empty() {
            return Ok(());
        }
        for (node, places) in &states {
            let label = editor.model().label(*node);
            outcome.states.push((label, places.len()));
        }
        let states: Vec<(NodeId, Vec<StatePlaces>)> = (states.into_iter())
            .map(|(node, places)| (node, places.into_iter().collect()))
            .collect();
        editor.remove_states(&states)?;
        for identity in identities {
            let (model, values) = (editor.model(), editor.values());
            if let Some(value) = values.output(model, identity, 0) {
                prune::prune(editor, value, outcome);
            }
        }
        for &source in sources {
            prune::behind(editor, source, outcome);
        }
    }
}

/// A state that leaves each step as it came, and that nothing reads.
struct Idle {
    places: StatePlaces,
    /// The Identity nodes that pass it on.
    identities: Vec<NodeId>,
}

/// The idle states that the draws of a node end in.
fn carried(source: NodeRef<'_>) -> Vec<(NodeId, Idle)> {
    let mut states = Vec::new();
    let mut seen = HashSet::default();
    let mut open = Vec::new();
    if !source.is_removed() {
        open.extend(source.outputs().flatten());
    }
    while let Some(value) = open.pop() {
        if !seen.insert(value.id) {
            continue;
        }
        for (node, input) in value.readers() {
            match Loop::of(node).and_then(|of| of.state_of_input(input)) {
                None => open.extend(node.outputs().flatten()),
                Some(state) => match idle(node, state) {
                    Some(idle) => states.push((node.id, idle)),
                    // a loop inside reads it, or another one downstream
                    None => open.extend([state.formal, state.output].into_iter().flatten()),
                },
            }
        }
    }
    states
}

/// The state, if no step does anything with it and nothing reads it in the end.
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
        let (first, second) = (uses.next()?, uses.next());
        match (first, second) {
            (Use::Output { graph, output }, None)
                if (graph, output as usize) == (body, places.next) =>
            {
                return Some(Idle { places, identities });
            }
            (Use::Input { node: reader, .. }, None) if node.view().node(reader).is("Identity") => {
                identities.push(reader);
                value = node.view().node(reader).output(0)?;
            }
            _ => return None,
        }
    }
}
