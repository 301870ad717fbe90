//! Deciding into which weights each factor is folded.

use std::cell::Cell;

use crate::dropout::{Origins, Site};
use crate::error::Result;
use crate::hash::{HashMap, HashSet};
use crate::onnx::{DataType, NodeId, ValueId};
use crate::rewrite::{Action, Reason};
use crate::semantics::operator::Role;
use crate::semantics::view::{NodeRef, View};

use super::change::Change;
use super::context::{Context, constant_at, is_alone};
use super::factor::Factor;
use super::factors::Candidate;
use super::propagate::{BUDGET, Propagation, Route, label};
use super::range;
use super::rounding::Rounding;
use super::step::Step;

/// Values with a quantisation annotation, which fixes their range.
fn annotated(view: View<'_>) -> HashSet<ValueId> {
    let graphs = view.model.graphs();
    let all = graphs.flat_map(|(id, graph)| {
        let annotations = graph.annotations().iter();
        annotations.filter_map(move |of| Some(view.lookup(id, &of.tensor_name)?.id))
    });
    all.collect()
}

/// Why a factor that makes up for what a mask drops stays.
fn of_mask() -> Reason {
    Reason::Needed("it is part of dropout or noise; `strip` that first".into())
}

/// Nodes of dropout that is written as a mask, with the factors that make up for what it drops.
fn masks(sites: &[Site]) -> HashSet<NodeId> {
    let mut masks = HashSet::default();
    for site in sites.iter().filter(|site| site.is_mask()) {
        masks.extend(&site.nodes);
        for junction in &site.junctions {
            masks.insert(junction.node);
            masks.extend(junction.prescale.map(|prescale| prescale.node));
        }
    }
    masks
}

/// Why a factor can go neither way; once, if it is one reason.
fn neither(forward: &Reason, backward: &Reason) -> Reason {
    match forward == backward {
        true => forward.clone(),
        false => forward.reworded(format!("forward: {forward}; backward: {backward}")),
    }
}

pub(super) struct Planner<'m> {
    context: Context<'m>,
    candidates: HashMap<NodeId, Candidate>,
    folded: HashSet<NodeId>,
    open: HashSet<NodeId>,
    annotated: HashSet<ValueId>,
    /// Nodes of dropout that is written as a mask.
    masks: HashSet<NodeId>,
    origins: Origins<'m>,
    rounding: Rounding,
    /// Factors that were merged with another, which remains.
    merged: HashMap<NodeId, Vec<NodeId>>,
    pub steps: HashMap<NodeId, Step>,
    /// By the node that is changed.
    pub changes: HashMap<NodeId, Vec<Change>>,
    /// Element types of the factors that are folded, and of the Casts they pass.
    pub rounded: Vec<DataType>,
}

impl<'m> Planner<'m> {
    pub fn new(
        context: Context<'m>,
        sites: &[Site],
        found: &[Candidate],
        wanted: &HashSet<NodeId>,
    ) -> Self {
        let view = context.view;
        Planner {
            context,
            candidates: found.iter().map(|c| (c.node, c.clone())).collect(),
            folded: HashSet::default(),
            open: wanted.clone(),
            annotated: annotated(view),
            masks: masks(sites),
            origins: Origins::new(context.facts),
            rounding: Rounding::default(),
            merged: HashMap::default(),
            steps: HashMap::default(),
            changes: HashMap::default(),
            rounded: Vec::new(),
        }
    }

    pub fn is_folded(&self, node: NodeId) -> bool {
        self.folded.contains(&node)
    }

    pub fn count_folded(&self) -> usize {
        self.folded.len()
    }

    /// Decides where a factor is folded, unless it was merged with another.
    pub fn decide(&mut self, node: NodeId) -> Result<()> {
        self.open.remove(&node);
        if self.folded.contains(&node) {
            return Ok(());
        }
        let candidate = self.candidates[&node].clone();
        let route = match &candidate.factor {
            _ if self.masks.contains(&node) || self.is_drawn(&candidate) => Err(of_mask()),
            Ok(factor) => self.route(&candidate, factor)?,
            Err(why) => Err(why.clone()),
        };
        match route {
            Err(why) => {
                let view = self.context.view;
                let step = Step::new(view.node(node), &candidate, Action::Refused(why));
                self.steps.insert(node, step);
            }
            Ok(route) => self.accept(&candidate, route),
        }
        Ok(())
    }

    /// True of a factor of what is drawn at random, such as a mask.
    fn is_drawn(&self, candidate: &Candidate) -> bool {
        let view = self.context.view;
        let data = view.values.input(candidate.node, candidate.data);
        data.is_some_and(|data| self.origins.is_drawn(data))
    }

    /// True of a route that passes dropout written as a mask, because its scale is read from the
    /// nodes around it.
    fn meets_mask(&self, route: &Route) -> bool {
        let changed = route.changes.iter().map(Change::node);
        let mut nodes = changed.chain(route.through.iter().copied());
        nodes.any(|node| self.masks.contains(&node))
    }

    /// The direction in which a factor is folded: the one that copies fewer weights; forward, if that is equal.
    fn route(&self, candidate: &Candidate, factor: &Factor) -> Result<Result<Route, Reason>> {
        let node = self.context.view.node(candidate.node);
        let propagation = || Propagation {
            context: self.context,
            candidates: &self.candidates,
            folded: &self.folded,
            open: &self.open,
            annotated: &self.annotated,
            budget: Cell::new(BUDGET),
        };
        let nothing = || Reason::Computed("there is no value or node with this name".into());
        let mut forward = Route::default();
        let ended = node.output(0).ok_or_else(nothing);
        let ended = ended.and_then(|value| propagation().forward(value, factor, &mut forward));
        let forward = self.possible(candidate, factor, ended.map(|()| forward))?;
        let mut backward = Route::default();
        let ended = node.input(candidate.data).ok_or_else(nothing);
        let ended = ended.and_then(|value| propagation().backward(value, factor, &mut backward));
        let backward = self.possible(candidate, factor, ended.map(|()| backward))?;
        Ok(match (forward, backward) {
            (Ok(forward), Ok(backward)) if self.copied(&backward) < self.copied(&forward) => {
                Ok(backward)
            }
            (Ok(forward), _) => Ok(forward),
            (_, Ok(backward)) => Ok(backward),
            (Err(forward), Err(backward)) => Err(neither(&forward, &backward)),
        })
    }

    /// A way, unless something prevents it although all that is on it takes the factor.
    fn possible(
        &self,
        candidate: &Candidate,
        factor: &Factor,
        route: Result<Route, Reason>,
    ) -> Result<Result<Route, Reason>> {
        let Ok(route) = route else {
            return Ok(route);
        };
        if self.meets_mask(&route) {
            return Ok(Err(of_mask()));
        }
        let view = self.context.view;
        let changed = route.changes.iter().map(Change::node);
        let changed = [candidate.node].into_iter().chain(changed);
        let changed = changed.map(|id| view.node(id));
        let obstacle = match self.rounding.refusal(view, factor, changed) {
            Some(why) => Some(why),
            None => range::obstacle(view, &route.changes, &self.changes, |node| {
                self.candidates.contains_key(&node)
            })?,
        };
        Ok(obstacle.map_or(Ok(route), Err))
    }

    /// Bytes of weights that something else uses, too.
    fn copied(&self, route: &Route) -> u64 {
        let copies = route.changes.iter().filter_map(|change| match *change {
            Change::Weights { node, input, .. } => {
                let node = self.context.view.node(node);
                let shared = !is_alone(node, input);
                let operand = constant_at(node, input).filter(|_| shared)?;
                operand.tensor.expected_bytes()
            }
            Change::Attribute { .. } => None,
        });
        copies.sum()
    }

    fn accept(&mut self, candidate: &Candidate, route: Route) {
        self.add_rounded(candidate, &route);
        let view = self.context.view;
        let name = |id: NodeId| label(view.node(id));
        let mut into: Vec<String> = route.changes.iter().map(|c| name(c.node())).collect();
        into.dedup();
        let through: Vec<String> = route.through.iter().map(|&id| name(id)).collect();
        let mut gone = vec![candidate.node];
        gone.extend(route.with);
        let mut all = gone.clone();
        for &node in &gone {
            self.folded.insert(node);
            self.changes.remove(&node);
            all.extend(self.merged.remove(&node).into_iter().flatten());
        }
        for &node in &all {
            let mut step = match self.steps.remove(&node) {
                Some(step) if step.action == Action::Apply => step,
                _ => Step::new(view.node(node), &self.candidates[&node], Action::Apply),
            };
            step.into.clone_from(&into);
            step.through.extend(through.iter().cloned());
            self.steps.insert(node, step);
        }
        for change in route.changes {
            // a factor that took others is no longer what the file says
            if let Change::Weights { node, spread, .. } = &change
                && let Some(taker) = self.candidates.get_mut(node)
            {
                taker.merge(view.node(*node).op() == "Div", &spread.elements);
                self.merged.entry(*node).or_default().extend(&all);
            }
            self.changes.entry(change.node()).or_default().push(change);
        }
    }

    /// Notes the element types in which a factor and the values between its Casts are rounded.
    fn add_rounded(&mut self, candidate: &Candidate, route: &Route) {
        let is_cast = |node: &NodeRef<'_>| node.operator().is_some_and(|op| op.role == Role::Cast);
        let through = route.through.iter().map(|&id| self.context.view.node(id));
        let casts = through.filter(is_cast);
        let ends = casts.flat_map(|cast| [cast.input(0), cast.output(0)]);
        let elements = ends.flatten().filter_map(|value| value.element_type());
        let factor = candidate.factor.iter().map(|factor| factor.data_type);
        for element in factor.chain(elements) {
            if !self.rounded.contains(&element) {
                self.rounded.push(element);
            }
        }
    }
}
