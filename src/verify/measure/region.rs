//! What is computed between the data of a mask and what comes out, cut out of the model by dependency
//! alone.
//!
//! Nodes belong to a region if they depend on the draw or on the data, or compute constants for those
//! that do. All else is an input of the region: it is fed with numbers, whatever it is in the model.

use std::collections::BTreeSet;

use crate::error::Result;
use crate::hash::{HashMap, HashSet};
use crate::onnx::{DataType, GraphId, NodeId, Producer, Use, ValueId};
use crate::semantics::control_flow::{Formal, Loop};
use crate::semantics::facts::Facts;
use crate::semantics::operator::Role;
use crate::semantics::view::{NodeRef, ValueRef, View};

/// Constants up to this many bytes are part of a region; larger ones are weights, which are data.
const LARGE: i64 = 4 << 20;

/// The maximum number of nodes in a region.
const NODES: usize = 2000;

/// What an input of a region is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Input {
    /// The data that is dropped.
    Data,
    /// The elements of a draw.
    Draw,
    /// The switch of a mask; this number is off.
    Switch(f64),
    /// A number that was assumed.
    Given(f64),
    /// Anything else: what comes out must not depend on it.
    Free,
}

/// What is computed between some inputs and a value.
#[derive(Clone, Debug)]
pub(super) struct Region {
    pub output: ValueId,
    /// In an order in which they can be computed.
    pub nodes: Vec<NodeId>,
    pub inputs: Vec<(ValueId, Input)>,
    pub constants: Vec<ValueId>,
    /// Inputs of bodies that are values outside, in every step.
    pub aliases: Vec<(ValueId, ValueId)>,
    /// Nodes that the rewrite leaves between the data and the output.
    pub path: Vec<NodeId>,
    /// What other masks in it leave is their data times this, which is not part of it.
    pub left_out: f64,
    /// The draws that are inputs.
    pub draws: HashSet<NodeId>,
    /// The range of numbers to which a node of the region rounds its data, if one does.
    pub rounds: Option<(f64, f64)>,
    /// Whether a node of the region rounds to few steps.
    pub is_coarse: bool,
}

impl Region {
    fn new(output: ValueId, path: &[NodeId]) -> Region {
        Region {
            output,
            nodes: Vec::new(),
            inputs: Vec::new(),
            constants: Vec::new(),
            aliases: Vec::new(),
            path: path.to_vec(),
            left_out: 1.0,
            draws: HashSet::default(),
            rounds: None,
            is_coarse: false,
        }
    }
}

/// What other masks leave, by their outputs: a multiple of their data.
pub(super) type Removed = HashMap<ValueId, (ValueId, f64)>;

/// A model that regions are cut out of.
pub(in crate::verify) struct Ground<'m> {
    pub facts: Facts<'m>,
    rank: HashMap<NodeId, usize>,
    /// By value, whether it is computed from constants and shapes alone.
    fixed: Vec<bool>,
}

/// The values that depend on others.
pub(in crate::verify) struct Dependents {
    pub values: HashSet<ValueId>,
    /// Outputs of the model among them.
    outputs: Vec<ValueId>,
}

impl Dependents {
    /// Of no value.
    pub fn none() -> Dependents {
        Dependents {
            values: HashSet::default(),
            outputs: Vec::new(),
        }
    }
}

impl<'m> Ground<'m> {
    /// # Errors
    /// The model is not sound.
    pub fn new(facts: Facts<'m>) -> Result<Ground<'m>> {
        let view = facts.view();
        let order = view.model.check_order(view.values)?;
        let mut fixed = vec![false; view.values.len()];
        for value in view.all_values() {
            fixed[value.id.index()] = value.is_weight() || value.initializer_index().is_some();
        }
        for &id in &order {
            let node = view.node(id);
            let random = node.draws() || is_dropout(node);
            let mut read = node.given().filter(|&(input, _)| reads(node, input));
            if !random
                && node.bodies().next().is_none()
                && read.all(|(_, value)| fixed[value.id.index()])
            {
                (node.produced()).for_each(|value| fixed[value.id.index()] = true);
            }
        }
        Ok(Ground {
            facts,
            rank: order.iter().enumerate().map(|(at, &id)| (id, at)).collect(),
            fixed,
        })
    }

    pub fn view(&self) -> View<'m> {
        self.facts.view()
    }

    /// True of zeros: constants, and results of a product of data with zero or of its own difference.
    pub fn is_zero(&self, value: ValueId) -> bool {
        let zero = |value: ValueRef<'_>| {
            let known = self.facts.constant(value.id);
            known.is_some_and(|number| number.value == 0.0)
        };
        let value = self.view().value(value);
        let made = value.node().is_some_and(|node| match node.op() {
            "Mul" => node.inputs().flatten().any(zero),
            "Sub" => node.input(0) == node.input(1),
            _ => false,
        });
        made || zero(value)
    }

    fn rank(&self, node: NodeId) -> usize {
        self.rank.get(&node).copied().unwrap_or(usize::MAX)
    }

    /// What depends on some values, except through others. Where `last` is given, nodes after it do not
    /// count.
    pub fn dependents(
        &self,
        of: impl IntoIterator<Item = ValueId>,
        except: &HashSet<ValueId>,
        last: Option<NodeId>,
    ) -> Dependents {
        let view = self.view();
        let last = last.map_or(usize::MAX, |node| self.rank(node));
        let mut found = Dependents {
            values: of.into_iter().collect(),
            outputs: Vec::new(),
        };
        let mut open: Vec<ValueId> = found.values.iter().copied().collect();
        while let Some(value) = open.pop() {
            let mut next: Vec<ValueRef<'_>> = Vec::new();
            for at in view.value(value).uses() {
                match at {
                    Use::Input { node, input } if self.rank(node) <= last => {
                        next.extend(after(view.node(node), input as usize));
                    }
                    Use::Output { graph, output } => match view.owner(graph) {
                        Some(owner) => next.extend(results(owner, graph, output as usize)),
                        None => found.outputs.push(value),
                    },
                    _ => {}
                }
            }
            let next = next.into_iter().map(|value| value.id);
            open.extend(next.filter(|id| !except.contains(id) && found.values.insert(*id)));
        }
        found
    }

    /// An output of the model that is made of a draw and of data, unlike a mask that is an output itself.
    pub fn mixed_output(&self, dependents: &Dependents) -> Option<ValueId> {
        let outputs = dependents.outputs.iter().copied();
        let mut outputs = outputs.filter(|&output| {
            let mut seen: HashSet<ValueId> = HashSet::default();
            let mut open = vec![output];
            while let Some(value) = open.pop() {
                let node = self.view().value(value).node();
                let Some(node) = node.filter(|node| !node.draws()) else {
                    continue;
                };
                let read = node.given().filter(|&(input, _)| reads(node, input));
                for (_, value) in read {
                    if !dependents.values.contains(&value.id) {
                        if !self.fixed[value.id.index()] {
                            return true;
                        }
                    } else if seen.insert(value.id) {
                        open.push(value.id);
                    }
                }
            }
            false
        });
        outputs.next()
    }

    /// Cuts out the region that computes a value. `dependents` are those of the draw; outputs of other masks
    /// are the data that is left of them.
    ///
    /// # Errors
    /// The region cannot be computed alone, for this reason.
    pub(super) fn region(
        &self,
        output: ValueId,
        cuts: &HashMap<ValueId, Input>,
        dependents: &Dependents,
        path: &[NodeId],
        removed: &Removed,
    ) -> Result<Region, String> {
        let view = self.view();
        // what is computed of a switch is as much part of it as what is computed of the data
        let data = cuts.iter().filter(|(_, input)| **input != Input::Draw);
        let last = view.value(output).node().map(|node| node.id);
        let of_data = self.dependents(data.map(|(id, _)| *id), &HashSet::default(), last);
        let belongs = |value: ValueId| {
            let dependent = [dependents, &of_data];
            let mut dependent = dependent.iter().map(|set| &set.values);
            self.fixed[value.index()] || dependent.any(|values| values.contains(&value))
        };
        let mut cutter = Cutter {
            view,
            cuts,
            removed,
            dependents,
            seen: HashSet::default(),
            open: vec![output],
            nodes: BTreeSet::new(),
            region: Region::new(output, path),
        };
        for &step in path {
            let others = view.node(step).given().filter(|&(input, _)| input > 0);
            cutter.open.extend(others.map(|(_, value)| value.id));
        }
        cutter.open.extend(cuts.iter().filter_map(|(id, input)| {
            let data = *input == Input::Data;
            data.then_some(*id)
        }));
        while let Some(value) = cutter.open.pop() {
            if cutter.seen.insert(value) {
                cutter.add(value, &belongs)?;
            }
        }
        let mut region = cutter.region;
        region.nodes = cutter.nodes.into_iter().collect();
        region.nodes.sort_by_key(|&node| self.rank(node));
        let nodes = region.nodes.iter().map(|&id| view.node(id));
        let rounding = nodes.filter(|node| node.op() == "QuantizeLinear");
        region.is_coarse = rounding.clone().next().is_some();
        let ranges = rounding.filter_map(|node| {
            let of_data = of_data.values.contains(&node.input(0)?.id);
            quantised(self.facts, node).filter(|_| of_data)
        });
        region.rounds = ranges.reduce(|one, two| (one.0.max(two.0), one.1.min(two.1)));
        region.inputs.sort_by_key(|(value, _)| value.index());
        region.constants.sort_by_key(|value| value.index());
        Ok(region)
    }
}

struct Cutter<'m, 'c> {
    view: View<'m>,
    cuts: &'c HashMap<ValueId, Input>,
    removed: &'c Removed,
    dependents: &'c Dependents,
    seen: HashSet<ValueId>,
    open: Vec<ValueId>,
    nodes: BTreeSet<NodeId>,
    region: Region,
}

impl Cutter<'_, '_> {
    fn add(&mut self, value: ValueId, belongs: &dyn Fn(ValueId) -> bool) -> Result<(), String> {
        if let Some(&input) = self.cuts.get(&value) {
            let node = self.view.value(value).node();
            if let (Input::Draw, Some(node)) = (input, node) {
                self.region.draws.insert(node.id);
            }
            self.region.inputs.push((value, input));
            return Ok(());
        }
        // a mask of masks: what the other leaves is made of this draw
        let other = self
            .removed
            .get(&value)
            .filter(|_| value != self.region.output);
        let other = other.filter(|(data, _)| self.dependents.values.contains(data));
        if let Some(&(data, scale)) = other {
            self.region.left_out *= scale;
            self.region.aliases.push((value, data));
            self.open.push(data);
            return Ok(());
        }
        let at = self.view.value(value);
        match at.get().producer {
            Producer::Node { node, .. } if belongs(value) => self.add_node(self.view.node(node)),
            // an input that callers may leave out is its default
            _ if at.initializer_index().is_some() && bytes(at) <= LARGE => {
                self.region.constants.push(value);
                Ok(())
            }
            Producer::Gone => Err(format!("nothing computes {at:?}")),
            Producer::SparseInitializer(_) => Err(format!("{at:?} is sparse")),
            _ => {
                match carried(at) {
                    Some(outside) => {
                        self.region.aliases.push((value, outside.id));
                        self.open.push(outside.id);
                    }
                    None => self.region.inputs.push((value, Input::Free)),
                }
                Ok(())
            }
        }
    }

    fn add_node(&mut self, node: NodeRef<'_>) -> Result<(), String> {
        if node.draws() {
            return Err(format!("{} draws other numbers", node.place()));
        }
        if !self.nodes.insert(node.id) {
            return Ok(());
        }
        if self.nodes.len() > NODES {
            return Err(format!("its mask is made by more than {NODES} nodes"));
        }
        self.open.extend(node.given().map(|(_, value)| value.id));
        let mut bodies: Vec<GraphId> = node.bodies().collect();
        while let Some(body) = bodies.pop() {
            for inner in self.view.nodes_of(body) {
                let is_cut = |value: ValueRef<'_>| self.cuts.contains_key(&value.id);
                if inner.draws() && !inner.produced().all(is_cut) {
                    return Err(format!("{} draws other numbers", inner.place()));
                }
                bodies.extend(inner.bodies());
                let outer = inner.given().map(|(_, value)| value);
                self.capture(
                    node.graph(),
                    outer.chain(inner.produced().filter(|v| is_cut(*v))),
                );
            }
            let results = self.view.graph_outputs(body).flatten();
            self.capture(node.graph(), results);
        }
        Ok(())
    }

    /// Adds the values that are visible where a node is, and cut ones.
    fn capture<'v>(&mut self, graph: GraphId, values: impl Iterator<Item = ValueRef<'v>>) {
        for value in values {
            let outside = self.view.is_within(graph, value.get().graph);
            if outside || self.cuts.contains_key(&value.id) {
                self.open.push(value.id);
            }
        }
    }
}

/// What a state of a loop is in every step, if no step changes it.
fn carried(formal: ValueRef<'_>) -> Option<ValueRef<'_>> {
    let Producer::Input(place) = formal.get().producer else {
        return None;
    };
    let around = Loop::around(formal.view(), formal.get().graph)?;
    match around.formal(place as usize) {
        Formal::State(state) if state.is_kept() => state.input,
        _ => None,
    }
}

/// The values that an input of a node influences.
fn after(node: NodeRef<'_>, input: usize) -> Vec<ValueRef<'_>> {
    if !reads(node, input) {
        return Vec::new();
    }
    match Loop::of(node).and_then(|around| around.formal_of(input)) {
        Some(formal) => vec![formal],
        // at most the shape of a mask depends on the data
        None if is_dropout(node) => node.output(0).into_iter().collect(),
        None => node.produced().collect(),
    }
}

/// The values that a result of a body influences.
fn results(owner: NodeRef<'_>, body: GraphId, output: usize) -> Vec<ValueRef<'_>> {
    match Loop::of(owner) {
        Some(around) if around.body == body => around.after(output).collect(),
        _ => owner.output(output).into_iter().collect(),
    }
}

fn reads(node: NodeRef<'_>, input: usize) -> bool {
    let operator = node.operator();
    operator.is_none_or(|operator| operator.reads_values(input))
}

fn is_dropout(node: NodeRef<'_>) -> bool {
    let operator = node.operator();
    operator.is_some_and(|operator| operator.role == Role::Dropout)
}

/// The smallest and the largest number that a QuantizeLinear leaves.
fn quantised(facts: Facts<'_>, node: NodeRef<'_>) -> Option<(f64, f64)> {
    let scale = facts.constant(node.input(1)?.id)?.value;
    let zero = node.input(2);
    let element = zero.and_then(|zero| zero.element_type());
    let zero = zero.map_or(Some(0.0), |zero| Some(facts.constant(zero.id)?.value))?;
    let (low, high) = match element {
        Some(DataType::INT8) => (-128.0, 127.0),
        None | Some(DataType::UINT8) => (0.0, 255.0),
        Some(DataType::INT16) => (-32768.0, 32767.0),
        Some(DataType::UINT16) => (0.0, 65535.0),
        _ => return None,
    };
    Some(((low - zero) * scale, (high - zero) * scale))
}

/// The size of a constant.
fn bytes(constant: ValueRef<'_>) -> i64 {
    let graph = constant.view().model.graph(constant.get().graph);
    let Some(index) = constant.initializer_index() else {
        return i64::MAX;
    };
    let tensor = graph.initializer(index);
    let elements = tensor.dims.iter().map(|&dim| dim.max(1));
    elements.fold(8, i64::saturating_mul)
}
