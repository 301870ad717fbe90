//! Deciding where each factor goes.

use std::cell::Cell;

use crate::dropout;
use crate::error::Result;
use crate::hash::{HashMap, HashSet};
use crate::onnx::{DataType, Model, NodeId, ValueId, Values};
use crate::rewrite::Action;
use crate::semantics::operator::{Operator, Role};
use crate::semantics::view;

use super::factor::Factor;
use super::factors::Candidate;
use super::rounding::Rounding;
use super::targets::{Change, View};
use super::walk::{self, Route, Walk};
use super::{Step, operand, weights};

/// Values with a quantisation annotation, which says how large they are.
fn annotated(model: &Model, values: &Values) -> HashSet<ValueId> {
    let all = model.graphs().flat_map(|(id, graph)| {
        let names = graph
            .annotations()
            .iter()
            .map(|annotation| &annotation.tensor_name);
        names.filter_map(move |name| values.lookup(model, id, name))
    });
    all.collect()
}

/// Why a factor that makes up for what a mask drops stays.
const OF_MASK: &str = "it is part of dropout or noise; `strip` that first";

/// Nodes of dropout that is written as a mask, with the factors that make up for what it drops.
fn masks(model: &Model, values: &Values) -> Result<HashSet<NodeId>> {
    let mut masks = HashSet::default();
    for site in dropout::find_masks(view::View::new(model, values))? {
        masks.extend(site.nodes);
        for exit in &site.exits {
            masks.insert(exit.node);
            masks.extend(exit.prescale.map(|prescale| prescale.node));
            masks.extend(exit.frozen.and_then(|frozen| frozen.scaled));
        }
    }
    Ok(masks)
}

/// Why neither way can be gone; once, if it is one reason.
fn reason(whys: &[(&str, String)]) -> String {
    match whys {
        [(_, one), (_, other)] if one == other => one.clone(),
        _ => {
            let whys = whys.iter().map(|(way, why)| format!("{way}: {why}"));
            whys.collect::<Vec<_>>().join("; ")
        }
    }
}

pub(super) struct Planner<'m> {
    view: View<'m>,
    candidates: HashMap<NodeId, Candidate>,
    folded: HashSet<NodeId>,
    open: HashSet<NodeId>,
    annotated: HashSet<ValueId>,
    /// Nodes of dropout that is written as a mask.
    masks: HashSet<NodeId>,
    /// True if some node draws at random.
    draws: bool,
    rounding: Rounding,
    /// Factors that were merged with another, which still stands.
    merged: HashMap<NodeId, Vec<NodeId>>,
    pub steps: HashMap<NodeId, Step>,
    /// By the node that is changed.
    pub changes: HashMap<NodeId, Vec<Change>>,
    /// Element types of the factors that are folded, and of the Casts they pass.
    pub rounded: Vec<DataType>,
}

impl<'m> Planner<'m> {
    pub fn new(view: View<'m>, found: &[Candidate], wanted: &HashSet<NodeId>) -> Result<Self> {
        let (model, values) = (view.model, view.values);
        Ok(Planner {
            view,
            candidates: found.iter().map(|c| (c.node, c.clone())).collect(),
            folded: HashSet::default(),
            open: wanted.clone(),
            annotated: annotated(model, values),
            masks: masks(model, values)?,
            draws: model.nodes().any(|(_, node)| node.draws()),
            rounding: Rounding::default(),
            merged: HashMap::default(),
            steps: HashMap::default(),
            changes: HashMap::default(),
            rounded: Vec::new(),
        })
    }

    pub fn is_folded(&self, node: NodeId) -> bool {
        self.folded.contains(&node)
    }

    pub fn count_folded(&self) -> usize {
        self.folded.len()
    }

    /// Decides where a factor goes, unless it went with another.
    pub fn decide(&mut self, node: NodeId) -> Result<()> {
        self.open.remove(&node);
        if self.folded.contains(&node) {
            return Ok(());
        }
        let candidate = self.candidates[&node].clone();
        let route = match &candidate.factor {
            _ if self.masks.contains(&node) || self.is_drawn(&candidate) => {
                Err(OF_MASK.to_string())
            }
            Ok(factor) => self.route(&candidate, factor)?,
            Err(why) => Err(why.clone()),
        };
        match route {
            Err(why) => {
                let step = self.step(&candidate, Action::Refused(why));
                self.steps.insert(node, step);
            }
            Ok(route) => self.accept(&candidate, route),
        }
        Ok(())
    }

    /// True of a factor of what is drawn at random, such as a mask.
    fn is_drawn(&self, candidate: &Candidate) -> bool {
        let data = self.view.input(candidate.node, candidate.data);
        let drawn = |data| dropout::is_drawn(self.view.model, self.view.values, data);
        self.draws && data.is_some_and(drawn)
    }

    /// True of a way on which dropout stands that is written as a mask: what it scales by is told from
    /// what is around it.
    fn meets_mask(&self, route: &Route) -> bool {
        let changed = route.changes.iter().map(Change::node);
        let mut nodes = changed.chain(route.through.iter().copied());
        nodes.any(|node| self.masks.contains(&node))
    }

    /// The way a factor goes: the one that copies fewer weights; forward, if that is equal.
    fn route(&self, candidate: &Candidate, factor: &Factor) -> Result<Result<Route, String>> {
        let walk = Walk {
            view: self.view,
            candidates: &self.candidates,
            folded: &self.folded,
            open: &self.open,
            annotated: &self.annotated,
            budget: Cell::new(walk::BUDGET),
        };
        let values = self.view.values;
        let output = values.output(self.view.model, candidate.node, 0);
        let data = values.input(candidate.node, candidate.data);
        let mut ways = Vec::new();
        let mut whys = Vec::new();
        for (way, value) in [("forward", output), ("backward", data)] {
            walk.budget.set(walk::BUDGET);
            let mut route = Route::default();
            let found = match value {
                None => Err("there is no value or node with this name".to_string()),
                Some(value) if way == "forward" => walk.forward(value, factor, &mut route),
                Some(value) => walk.backward(value, factor, &mut route),
            };
            match found {
                Ok(()) if self.meets_mask(&route) => {
                    whys.push((way, OF_MASK.to_string()));
                }
                Ok(()) => match self.obstacle(candidate, factor, &route)? {
                    None => ways.push(route),
                    Some(why) => whys.push((way, why)),
                },
                Err(why) => whys.push((way, why)),
            }
        }
        let best = ways.into_iter().min_by_key(|route| self.copied(route));
        Ok(best.ok_or_else(|| reason(&whys)))
    }

    /// Why a factor cannot go a way although all that is on it takes it.
    fn obstacle(
        &self,
        candidate: &Candidate,
        factor: &Factor,
        route: &Route,
    ) -> Result<Option<String>> {
        let changed = route.changes.iter().map(Change::node);
        let changed = [candidate.node].into_iter().chain(changed);
        match self.rounding.refusal(&self.view, factor, changed) {
            Some(why) => Ok(Some(why)),
            None => self.overflow(route),
        }
    }

    /// Bytes of weights that something else uses, too.
    fn copied(&self, route: &Route) -> u64 {
        let copies = route.changes.iter().filter_map(|change| match change {
            Change::Weights { node, input, .. } if !self.view.is_alone(*node, *input) => {
                let value = self.view.input(*node, *input)?;
                let constant = operand::constant(self.view.model, self.view.values, value);
                constant.ok()??.tensor.expected_bytes()
            }
            _ => None,
        });
        copies.sum()
    }

    /// Why weights cannot take a factor, with those they take already: they would overflow.
    fn overflow(&self, route: &Route) -> Result<Option<String>> {
        for change in &route.changes {
            let Change::Weights {
                node,
                input,
                spread,
                ..
            } = change
            else {
                continue;
            };
            let mut spreads = vec![spread.clone()];
            let known = self.changes.get(node).into_iter().flatten();
            for other in route.changes.iter().chain(known) {
                match other {
                    Change::Weights {
                        node: n,
                        input: i,
                        spread,
                        ..
                    } if (n, i) == (node, input) && !std::ptr::eq(other, change) => {
                        spreads.push(spread.clone());
                    }
                    _ => {}
                }
            }
            let Some(value) = self.view.input(*node, *input) else {
                continue;
            };
            let constant = operand::constant(self.view.model, self.view.values, value);
            if let Ok(Some(operand)) = constant
                && weights::overflows(self.view.model, operand.tensor, &spreads)?
            {
                let name = &self.view.values[value].name;
                let element = operand.tensor.data_type;
                return Ok(Some(format!("`{name}` would overflow {element}")));
            }
            // what is said of weights is not good enough for a factor of everything
            if let Ok(Some(operand)) = constant
                && self.candidates.contains_key(node)
                && weights::lost(self.view.model, operand.tensor, &spreads)? > 0
            {
                let name = &self.view.values[value].name;
                let element = operand.tensor.data_type;
                return Ok(Some(format!("`{name}` would be too small for {element}")));
            }
        }
        Ok(None)
    }

    fn accept(&mut self, candidate: &Candidate, route: Route) {
        let label = |id: NodeId| {
            let node = self.view.model.node(id);
            format!("{} `{}`", node.op_type, self.view.model.label(id))
        };
        let mut into: Vec<String> = route.changes.iter().map(|c| label(c.node())).collect();
        into.dedup();
        let through: Vec<String> = route.through.iter().map(|&id| label(id)).collect();
        let factor = candidate.factor.iter().map(|factor| factor.data_type);
        let is_cast = |&&id: &&NodeId| {
            Operator::of(self.view.model, id).is_some_and(|operator| operator.role == Role::Cast)
        };
        let casts = route.through.iter().filter(is_cast);
        let ends = casts.flat_map(|&id| {
            let output = self.view.values.output(self.view.model, id, 0);
            [self.view.input(id, 0), output]
        });
        let element = |value| self.view.model.element_type(self.view.values, value);
        for element in factor.chain(ends.flatten().filter_map(element)) {
            if !self.rounded.contains(&element) {
                self.rounded.push(element);
            }
        }
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
                _ => self.step(&self.candidates[&node], Action::Apply),
            };
            step.into.clone_from(&into);
            step.through.extend(through.iter().cloned());
            self.steps.insert(node, step);
        }
        for change in &route.changes {
            let Change::Weights { node, spread, .. } = change else {
                continue;
            };
            // a factor that took others is no longer what the file says
            if let Some(taker) = self.candidates.get_mut(node) {
                let divides = self.view.model.node(*node).is("Div");
                taker.merge(divides, &spread.elements);
                self.merged.entry(*node).or_default().extend(&all);
            }
        }
        for change in route.changes {
            self.changes.entry(change.node()).or_default().push(change);
        }
    }

    pub fn step(&self, candidate: &Candidate, action: Action) -> Step {
        let model = self.view.model;
        Step {
            node: candidate.node,
            data: candidate.data,
            label: model.place(candidate.node),
            value: model
                .node(candidate.node)
                .output(0)
                .cloned()
                .unwrap_or_default(),
            factor: candidate.factor.clone().ok(),
            action,
            into: Vec::new(),
            through: Vec::new(),
        }
    }
}
