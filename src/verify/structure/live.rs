//! What is left of a model when dropout takes its inference meaning: which nodes still count, and
//! which states of loops.
//!
//! A mask has no inference meaning of its own: where it meets data, the data goes on. What only the
//! mask needed is dead then, and of no concern to a comparison.

use std::collections::BTreeSet;

use crate::dropout::{self, Exit};
use crate::error::Result;
use crate::hash::{HashMap, HashSet};
use crate::onnx::{AttributeValue, GraphId, GraphKind, Model, NodeId, Producer, ValueId, Values};
use crate::semantics::view::View;

/// What still counts.
#[derive(Debug, Default)]
pub(super) struct Live {
    /// Values that are dropout of data, and of which data.
    pub exits: HashMap<ValueId, Exit>,
    values: Vec<bool>,
    /// Loops and Scans, by body.
    loops: HashMap<GraphId, Carried>,
    /// Functions that a live node calls.
    pub called: BTreeSet<usize>,
    /// Calls of a function that count, and places of inputs of it that do.
    calls: HashMap<usize, Vec<NodeId>>,
    formals: HashMap<usize, BTreeSet<usize>>,
}

/// The states of a Loop or Scan.
#[derive(Debug)]
pub(super) struct Carried {
    node: NodeId,
    /// Inputs before the states: trip count and condition of a Loop.
    pub before: usize,
    /// Outputs of the body before the states: the condition of a Loop.
    pub condition: usize,
    states: usize,
    live: BTreeSet<usize>,
}

impl Carried {
    /// Places that still count, of `count` places with the states behind the first `before`.
    pub fn kept(&self, before: usize, count: usize) -> Vec<usize> {
        let dead = |place: &usize| match place.checked_sub(before) {
            Some(state) => state < self.states && !self.live.contains(&state),
            None => false,
        };
        (0..count).filter(|place| !dead(place)).collect()
    }
}

impl Live {
    /// Finds out from the outputs of all graphs and functions back.
    pub fn new(model: &Model, values: &Values) -> Result<Live> {
        let mut live = Live {
            values: vec![false; values.len()],
            ..Live::default()
        };
        for site in dropout::find_masks(View::new(model, values))? {
            let told = |exit: &Exit| !exit.needs_scale() || exit.factor(model, values).is_some();
            if site.entangled.is_none() && site.exits.iter().all(told) {
                let exits = site.exits.into_iter();
                live.exits.extend(exits.map(|exit| (exit.output, exit)));
            }
        }
        let mut walk = Walk {
            model,
            values,
            live: &mut live,
            open: Vec::new(),
            nodes: HashSet::default(),
        };
        for (id, graph) in model.graphs() {
            if !matches!(graph.kind, GraphKind::Attribute { .. }) {
                walk.outputs(id);
            }
        }
        for training in model.training() {
            for name in &training.bound {
                let graphs = [
                    training.algorithm,
                    training.initialization,
                    Some(model.main()),
                ];
                let found = graphs.into_iter().flatten();
                let found = found.filter_map(|graph| values.lookup(model, graph, name));
                walk.open.extend(found);
            }
        }
        while let Some(value) = walk.open.pop() {
            walk.value(value);
        }
        live.called = called(model, values, &live);
        Ok(live)
    }

    /// True if something that counts uses the value.
    pub fn is_live(&self, value: ValueId) -> bool {
        self.values[value.index()]
    }

    /// True if a node has an output that counts and is no dropout of data.
    pub fn counts(&self, model: &Model, values: &Values, id: NodeId) -> bool {
        let outputs = 0..model.node(id).outputs.len();
        let mut outputs = outputs.filter_map(|output| values.output(model, id, output));
        outputs.any(|output| self.is_live(output) && !self.exits.contains_key(&output))
    }

    /// True if a function does something with its input at this place.
    pub fn takes(&self, function: usize, input: usize) -> bool {
        let formals = self.formals.get(&function);
        formals.is_some_and(|formals| formals.contains(&input))
    }

    /// The states of the Loop or Scan that has this body.
    pub fn carried(&self, body: GraphId) -> Option<&Carried> {
        self.loops.get(&body)
    }
}

/// Functions that live nodes outside of functions call, and those that these call.
fn called(model: &Model, values: &Values, live: &Live) -> BTreeSet<usize> {
    let mut called = BTreeSet::new();
    if model.functions().is_empty() {
        return called;
    }
    let mut of_root: HashMap<GraphId, Vec<usize>> = HashMap::default();
    for (id, node) in model.nodes() {
        if let Some(function) = model.callee(node)
            && live.counts(model, values, id)
        {
            of_root
                .entry(model.root(id.graph))
                .or_default()
                .push(function);
        }
    }
    let is_function = |root: &GraphId| matches!(model.graph(*root).kind, GraphKind::Function(_));
    let mut open: Vec<GraphId> = of_root.keys().copied().collect();
    open.retain(|root| !is_function(root));
    while let Some(root) = open.pop() {
        for function in of_root.remove(&root).unwrap_or_default() {
            called.insert(function);
            open.push(model.functions()[function].body);
        }
    }
    called
}

struct Walk<'m, 'l> {
    model: &'m Model,
    values: &'m Values,
    live: &'l mut Live,
    open: Vec<ValueId>,
    /// Nodes whose inputs are marked.
    nodes: HashSet<NodeId>,
}

impl Walk<'_, '_> {
    fn value(&mut self, value: ValueId) {
        if std::mem::replace(&mut self.live.values[value.index()], true) {
            return;
        }
        let known = &self.values[value];
        match known.producer {
            Producer::Node { node, output } => match self.live.exits.get(&value).cloned() {
                Some(exit) => self.exit(&exit),
                None => self.node(node, output as usize),
            },
            Producer::Input(input) => self.formal(known.graph, input as usize),
            _ => {}
        }
    }

    fn exit(&mut self, exit: &Exit) {
        let start = exit.prescale.map_or(exit.data, |prescale| prescale.from);
        self.open.push(start);
        let mut moves = exit.chain(self.model, self.values);
        moves.extend(&exit.path);
        for id in moves {
            self.inputs(id, 1);
        }
    }

    fn inputs(&mut self, id: NodeId, from: usize) {
        let inputs = from..self.model.node(id).inputs.len();
        let inputs = inputs.filter_map(|input| self.values.input(id, input));
        self.open.extend(inputs);
    }

    fn outputs(&mut self, graph: GraphId) {
        for info in &self.model.graph(graph).outputs {
            let value = self.values.lookup(self.model, graph, &info.name);
            self.open.extend(value);
        }
    }

    fn node(&mut self, id: NodeId, output: usize) {
        let node = self.model.node(id);
        if self.model.callee(node).is_none() {
            if node.is("Dropout") {
                self.open.extend(self.values.input(id, 0));
                return;
            }
            if let Some(body) = self.carries(id) {
                let carried = &self.live.loops[&body];
                let (states, condition) = (carried.states, carried.condition);
                match output < states {
                    true => self.state(body, output),
                    false => self.output(body, condition + output),
                }
                return;
            }
        }
        if let Some(function) = self.model.callee(node) {
            if self.nodes.insert(id) {
                self.live.calls.entry(function).or_default().push(id);
                let formals = self.live.formals.get(&function).into_iter().flatten();
                let inputs = formals.filter_map(|&input| self.values.input(id, input));
                self.open.extend(inputs);
            }
            return;
        }
        if self.nodes.insert(id) {
            self.inputs(id, 0);
            for attribute in &node.attributes {
                for &graph in attribute.graphs() {
                    self.outputs(graph);
                }
            }
        }
    }

    /// The body of a Loop or Scan, whose states are looked at one by one.
    fn carries(&mut self, id: NodeId) -> Option<GraphId> {
        let node = self.model.node(id);
        let (before, condition) = match (node.is("Loop"), node.is("Scan")) {
            (true, _) => (2, 1),
            // Scan-8 has batches and another order of inputs
            (_, true) if self.model.opset(id.graph, "")? >= 9 => (0, 0),
            _ => return None,
        };
        let &[body] = node.attribute("body")?.graphs() else {
            return None;
        };
        let scanned = match node.attribute("num_scan_inputs").map(|a| &a.value) {
            Some(AttributeValue::Int(n)) => usize::try_from(*n).ok()?,
            _ => 0,
        };
        let states = node.inputs.len().checked_sub(before + scanned)?;
        let graph = self.model.graph(body);
        if graph.inputs.len() != node.inputs.len() || graph.outputs.len() < condition + states {
            return None; // not as the operator is defined: taken as a whole
        }
        if self.nodes.insert(id) {
            let carried = Carried {
                node: id,
                before,
                condition,
                states,
                live: BTreeSet::new(),
            };
            self.live.loops.insert(body, carried);
            let fixed = (0..before).chain(before + states..node.inputs.len());
            let fixed: Vec<ValueId> = fixed.filter_map(|i| self.values.input(id, i)).collect();
            self.open.extend(fixed);
            if condition > 0 {
                self.output(body, 0);
            }
        }
        Some(body)
    }

    fn output(&mut self, graph: GraphId, output: usize) {
        if let Some(info) = self.model.graph(graph).outputs.get(output) {
            let value = self.values.lookup(self.model, graph, &info.name);
            self.open.extend(value);
        }
    }

    fn state(&mut self, body: GraphId, state: usize) {
        let Some(carried) = self.live.loops.get_mut(&body) else {
            return;
        };
        if carried.live.insert(state) {
            let (input, output) = (carried.before + state, carried.condition + state);
            let value = self.values.input(carried.node, input);
            self.open.extend(value);
            self.output(body, output);
        }
    }

    fn formal(&mut self, graph: GraphId, input: usize) {
        if let GraphKind::Function(function) = self.model.graph(graph).kind {
            self.live.formals.entry(function).or_default().insert(input);
            let calls = self.live.calls.get(&function).into_iter().flatten();
            let inputs = calls.filter_map(|&call| self.values.input(call, input));
            self.open.extend(inputs);
            return;
        }
        let Some(carried) = self.live.loops.get(&graph) else {
            return;
        };
        if let Some(state) = input.checked_sub(carried.before)
            && state < carried.states
        {
            self.state(graph, state);
        }
    }
}
