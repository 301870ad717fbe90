//! States of loops that carried a mask and nothing else.

use std::collections::{BTreeMap, BTreeSet};

use crate::error::Result;
use crate::hash::HashSet;
use crate::onnx::{AttributeValue, Editor, GraphId, Model, NodeId, Use, ValueId, Values};

use super::{Outcome, prune};

/// How many nodes behind a draw are looked at.
const REACH: usize = 1000;

/// Removes the states of Loops and Scans that still carry what these nodes draw, and that no step
/// uses. Loops inside loops need a round each.
pub(super) fn remove(
    editor: &mut Editor<'_>,
    sources: &[NodeId],
    outcome: &mut Outcome,
) -> Result<()> {
    loop {
        let mut states: BTreeMap<NodeId, BTreeSet<usize>> = BTreeMap::new();
        let mut passed = Vec::new();
        for &source in sources {
            for (node, state) in carried(editor.model(), editor.values(), source) {
                if states.entry(node).or_default().insert(state.place) {
                    passed.push(state);
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
        let names: Vec<_> = (passed.iter())
            .flat_map(|state| state.identities.iter().rev())
            .copied()
            .collect();
        let states: Vec<(NodeId, Vec<usize>)> = (states.into_iter())
            .map(|(node, places)| (node, places.into_iter().collect()))
            .collect();
        editor.remove_states(&states)?;
        for identity in names {
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

/// A state that leaves each step as it came, and that nothing looks at.
struct State {
    place: usize,
    /// The Identity nodes that pass it on.
    identities: Vec<NodeId>,
}

/// The idle states that what a node draws ends in.
fn carried(model: &Model, values: &Values, source: NodeId) -> Vec<(NodeId, State)> {
    let made = |id: NodeId| {
        let outputs = 0..model.node(id).outputs.len();
        outputs.filter_map(move |output| values.output(model, id, output))
    };
    let mut states = Vec::new();
    let mut seen = HashSet::default();
    let mut open: Vec<ValueId> = match model.node(source).is_removed() {
        true => Vec::new(),
        false => made(source).collect(),
    };
    while let Some(value) = open.pop() {
        if !seen.insert(value) || seen.len() > REACH {
            continue;
        }
        for at in values.uses(value) {
            let Use::Input { node, input } = at else {
                continue;
            };
            match place(model, values, node, input as usize) {
                None => open.extend(made(node)),
                Some(place) => match idle(model, values, &place) {
                    Some(state) => states.push((node, state)),
                    // a loop inside uses it, or another one behind
                    None => open.extend([Some(place.formal), place.after].into_iter().flatten()),
                },
            }
        }
    }
    states
}

/// A state of a Loop or Scan.
struct Place {
    /// Which of the states.
    state: usize,
    /// The output of the body that is the state after a step.
    output: (GraphId, usize),
    /// What it is in a step.
    formal: ValueId,
    /// What it is in the end, if that has a name.
    after: Option<ValueId>,
}

/// The state that an input of a node starts; `None` if that is no state.
fn place(model: &Model, values: &Values, id: NodeId, input: usize) -> Option<Place> {
    let node = model.node(id);
    let scanned = match node.attribute("num_scan_inputs").map(|a| &a.value) {
        Some(AttributeValue::Int(n)) => usize::try_from(*n).ok()?,
        _ => 0,
    };
    let (before, condition) = match (node.is("Loop"), node.is("Scan")) {
        (true, _) => (2, 1),
        (_, true) => (0, 0),
        _ => return None,
    };
    let state = input.checked_sub(before)?;
    if input >= node.inputs.len().checked_sub(scanned)? {
        return None;
    }
    let &[body] = node.attribute("body")?.graphs() else {
        return None;
    };
    let formal = &model.graph(body).inputs.get(input)?.name;
    Some(Place {
        state,
        output: (body, state + condition),
        formal: values.lookup(model, body, formal)?,
        after: values.output(model, id, state),
    })
}

/// The state, if no step does anything with it and nothing asks for it in the end.
fn idle(model: &Model, values: &Values, place: &Place) -> Option<State> {
    if place.after.is_some_and(|after| values.is_used(after)) {
        return None;
    }
    let mut identities = Vec::new();
    let mut value = place.formal;
    loop {
        let mut uses = values.uses(value);
        let (first, second) = (uses.next()?, uses.next());
        match (first, second) {
            (Use::Output { graph, output }, None) if (graph, output as usize) == place.output => {
                let place = place.state;
                return Some(State { place, identities });
            }
            (Use::Input { node, .. }, None) if model.node(node).is("Identity") => {
                identities.push(node);
                value = values.output(model, node, 0)?;
            }
            _ => return None,
        }
    }
}
