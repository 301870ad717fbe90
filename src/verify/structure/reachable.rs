//! The part of a model that its outputs depend on when dropout takes its inference meaning.
//!
//! A mask has no inference meaning of its own: where it is applied to data, the data passes through.
//! The nodes that only produce the mask are not reachable then, and are not compared.

use std::collections::BTreeSet;

use crate::dropout::{Junction, Site};
use crate::hash::{HashMap, HashSet};
use crate::onnx::{AttributeValue, GraphId, GraphKind, Name, NodeId, Producer, ValueId};
use crate::semantics::foreign::ForeignDropout;
use crate::semantics::view::{NodeRef, View};

use super::allowed::Exceptions;
use super::states::States;

/// Values, states, calls and inputs of functions that an output depends on.
#[derive(Debug)]
pub(super) struct Reachable<'m> {
    view: View<'m>,
    /// Values that are dropout of data.
    pub junctions: HashMap<ValueId, &'m Junction>,
    /// The conditions of Ifs that run layers at inference.
    pub layers: HashMap<NodeId, bool>,
    values: Vec<bool>,
    /// States of Loops and Scans, by body.
    loops: HashMap<GraphId, States>,
    /// Functions that a reachable node calls.
    pub called: BTreeSet<usize>,
    /// Reachable calls of each function, and the inputs of it that it depends on.
    calls: HashMap<usize, Vec<NodeId>>,
    formals: HashMap<usize, BTreeSet<usize>>,
    /// The attributes of each function that it depends on.
    attributes: HashMap<usize, HashSet<&'m Name>>,
}

impl<'m> Reachable<'m> {
    /// Searches from the outputs of all graphs and functions back.
    pub fn new(view: View<'m>, sites: &'m [Site], exceptions: &Exceptions) -> Self {
        let mut walk = Walk {
            reachable: Reachable {
                view,
                junctions: junctions(view, sites),
                layers: layers(sites),
                values: vec![false; view.values.len()],
                loops: HashMap::default(),
                called: BTreeSet::new(),
                calls: HashMap::default(),
                formals: HashMap::default(),
                attributes: HashMap::default(),
            },
            view,
            open: Vec::new(),
            nodes: HashSet::default(),
        };
        for (id, graph) in view.model.graphs() {
            if !matches!(graph.kind, GraphKind::Attribute { .. }) {
                walk.outputs(id);
            }
        }
        for training in view.model.training() {
            let main = Some(view.model.main());
            let graphs = [training.algorithm, training.initialization, main];
            for graph in graphs.into_iter().flatten() {
                let bound = training.bound.iter();
                let values = bound.filter_map(|name| view.lookup(graph, name));
                walk.open.extend(values.map(|value| value.id));
            }
        }
        while let Some(value) = walk.open.pop() {
            walk.value(value);
        }
        let mut reachable = walk.reachable;
        reachable.called = reachable.called();
        reachable.mark_attributes(exceptions);
        reachable
    }

    /// True if an output depends on the value.
    pub fn has(&self, value: ValueId) -> bool {
        self.values[value.index()]
    }

    /// Whether an output depends on each value.
    pub fn into_values(self) -> Vec<bool> {
        self.values
    }

    /// True if a node has a reachable output that is not dropout of data.
    pub fn has_node(&self, node: NodeRef<'_>) -> bool {
        let mut outputs = node.outputs().flatten();
        outputs.any(|output| self.has(output.id) && !self.junctions.contains_key(&output.id))
    }

    /// True if an output of a function depends on its input at this place.
    pub fn has_formal(&self, function: usize, input: usize) -> bool {
        let formals = self.formals.get(&function);
        formals.is_some_and(|formals| formals.contains(&input))
    }

    /// True if an output of a function depends on its attribute of this name.
    pub fn has_attribute(&self, function: usize, name: &Name) -> bool {
        let attributes = self.attributes.get(&function);
        attributes.is_some_and(|attributes| attributes.contains(name))
    }

    /// Marks the attributes that reachable nodes refer to, in functions before their callers. Functions that
    /// call themselves are reported elsewhere.
    fn mark_attributes(&mut self, exceptions: &Exceptions) {
        let model = self.view.model;
        let mut of_root: HashMap<GraphId, Vec<NodeRef<'m>>> = HashMap::default();
        let refers = |node: &NodeRef<'m>| {
            let mut attributes = node.get().attributes.iter();
            attributes.any(|given| matches!(given.value, AttributeValue::Reference(..)))
        };
        for node in self.view.nodes().filter(refers) {
            of_root
                .entry(model.root(node.graph()))
                .or_default()
                .push(node);
        }
        if of_root.is_empty() {
            return;
        }
        for function in model.call_order().unwrap_or_default() {
            let body = model.functions()[function].body;
            let mut references = HashSet::default();
            for node in of_root.remove(&body).unwrap_or_default() {
                if !self.has_node(node) || passes(node) {
                    continue;
                }
                for given in &node.get().attributes {
                    let callee = node.callee();
                    let read = callee.is_none_or(|callee| self.has_attribute(callee, &given.name))
                        && !exceptions.has(node.id, given);
                    if let (AttributeValue::Reference(name, _), true) = (&given.value, read) {
                        references.insert(name);
                    }
                }
            }
            self.attributes.insert(function, references);
        }
    }

    /// The states of the Loop or Scan with this body.
    pub fn states(&self, body: GraphId) -> Option<&States> {
        self.loops.get(&body)
    }

    /// Functions that reachable nodes outside of functions call, and those that these call.
    fn called(&self) -> BTreeSet<usize> {
        let model = self.view.model;
        let mut called = BTreeSet::new();
        if model.functions().is_empty() {
            return called;
        }
        let mut of_root: HashMap<GraphId, Vec<usize>> = HashMap::default();
        for node in self.view.nodes() {
            if let Some(function) = node.callee()
                && self.has_node(node)
            {
                let root = model.root(node.graph());
                of_root.entry(root).or_default().push(function);
            }
        }
        let mut open: Vec<GraphId> = of_root.keys().copied().collect();
        open.retain(|&root| !matches!(model.graph(root).kind, GraphKind::Function(_)));
        while let Some(root) = open.pop() {
            for function in of_root.remove(&root).unwrap_or_default() {
                called.insert(function);
                open.push(model.functions()[function].body);
            }
        }
        called
    }
}

/// The places where masks are applied to data; without those whose inference meaning is unknown.
fn junctions<'m>(view: View<'m>, sites: &'m [Site]) -> HashMap<ValueId, &'m Junction> {
    let scaled = |junction: &Junction| !junction.needs_scale() || junction.factor(view).is_some();
    let sites = sites.iter().filter(|site| site.entangled.is_none());
    let sites = sites.filter(|site| site.junctions.iter().all(scaled));
    let junctions = sites.flat_map(|site| &site.junctions);
    junctions
        .map(|junction| (junction.output, junction))
        .collect()
}

/// The Ifs that run a layer which a draw skips in training.
fn layers(sites: &[Site]) -> HashMap<NodeId, bool> {
    let sites = sites.iter().filter(|site| site.entangled.is_none());
    let layers = sites.filter_map(|site| Some((site.nodes[0], site.runs_if?)));
    layers.collect()
}

/// True of dropout, whose result at inference depends on its data alone.
fn passes(node: NodeRef<'_>) -> bool {
    let foreign = || ForeignDropout::of(node).is_some() && !ForeignDropout::has_other_results(node);
    node.is("Dropout") || foreign()
}

struct Walk<'m> {
    reachable: Reachable<'m>,
    view: View<'m>,
    open: Vec<ValueId>,
    /// Nodes whose inputs are marked.
    nodes: HashSet<NodeId>,
}

impl Walk<'_> {
    fn value(&mut self, value: ValueId) {
        if std::mem::replace(&mut self.reachable.values[value.index()], true) {
            return;
        }
        let known = self.view.value(value);
        match (known.producer(), known.producer) {
            (Some((node, output)), _) => match self.reachable.junctions.get(&value) {
                Some(&junction) => self.junction(junction),
                None => self.node(node, output),
            },
            (None, Producer::Input(input)) => self.formal(known.graph, input as usize),
            _ => {}
        }
    }

    fn junction(&mut self, junction: &Junction) {
        let start = junction
            .prescale
            .map_or(junction.data, |prescale| prescale.from);
        self.open.push(start);
        let mut moves = junction.chain(self.view);
        moves.extend(&junction.path);
        for id in moves {
            let inputs = self.view.node(id).inputs().skip(1);
            self.open.extend(inputs.flatten().map(|input| input.id));
        }
    }

    fn outputs(&mut self, graph: GraphId) {
        let outputs = self.view.graph_outputs(graph).flatten();
        self.open.extend(outputs.map(|output| output.id));
    }

    fn output(&mut self, graph: GraphId, output: usize) {
        let info = self.view.model.graph(graph).outputs.get(output);
        let value = info.and_then(|info| self.view.lookup(graph, &info.name));
        self.open.extend(value.map(|value| value.id));
    }

    fn node(&mut self, node: NodeRef<'_>, output: usize) {
        if let Some(function) = node.callee() {
            if self.nodes.insert(node.id) {
                let calls = self.reachable.calls.entry(function).or_default();
                calls.push(node.id);
                let formals = self.reachable.formals.get(&function).into_iter().flatten();
                let inputs = formals.filter_map(|&input| node.input(input));
                self.open.extend(inputs.map(|input| input.id));
            }
            return;
        }
        if passes(node) {
            let terms = ForeignDropout::of(node).map(|foreign| foreign.terms(node));
            match terms {
                Some(terms) => self.open.extend(terms.map(|term| term.id)),
                None => self.open.extend(node.input(0).map(|data| data.id)),
            }
            return;
        }
        if let Some((body, states)) = States::of(node) {
            let (count, before) = (states.count, states.outputs_before);
            self.enter(node, body, states);
            match output < count {
                true => self.state(body, output),
                false => self.output(body, before + output),
            }
            return;
        }
        if self.nodes.insert(node.id) {
            let condition = self.reachable.layers.get(&node.id).map_or(0, |_| 1);
            let inputs = node.inputs().skip(condition).flatten();
            self.open.extend(inputs.map(|input| input.id));
            node.bodies().for_each(|body| self.outputs(body));
        }
    }

    /// Marks what a Loop or Scan needs whichever of its outputs is used.
    fn enter(&mut self, node: NodeRef<'_>, body: GraphId, states: States) {
        if !self.nodes.insert(node.id) {
            return;
        }
        let (before, behind) = (states.inputs_before, states.inputs_before + states.count);
        let inputs = node.inputs().enumerate();
        let fixed = inputs.filter(|(input, _)| !(before..behind).contains(input));
        self.open
            .extend(fixed.filter_map(|(_, value)| Some(value?.id)));
        if states.outputs_before > 0 {
            self.output(body, 0);
        }
        self.reachable.loops.insert(body, states);
    }

    fn state(&mut self, body: GraphId, state: usize) {
        let Some(states) = self.reachable.loops.get_mut(&body) else {
            return;
        };
        if states.reachable.insert(state) {
            let initial = self
                .view
                .node(states.node)
                .input(states.inputs_before + state);
            let next = states.outputs_before + state;
            self.open.extend(initial.map(|value| value.id));
            self.output(body, next);
        }
    }

    fn formal(&mut self, graph: GraphId, input: usize) {
        if let GraphKind::Function(function) = self.view.model.graph(graph).kind {
            let formals = self.reachable.formals.entry(function).or_default();
            formals.insert(input);
            let calls = self.reachable.calls.get(&function).into_iter().flatten();
            let actual = calls.filter_map(|&call| self.view.node(call).input(input));
            self.open.extend(actual.map(|value| value.id));
            return;
        }
        let Some(states) = self.reachable.loops.get(&graph) else {
            return;
        };
        if let Some(state) = input.checked_sub(states.inputs_before)
            && state < states.count
        {
            self.state(graph, state);
        }
    }
}
