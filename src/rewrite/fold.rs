//! Fold: products by constants, such as the scale that classic dropout leaves, moved into weights.
//!
//! A factor is a `Mul` or `Div` by a constant that is one number, or one for each index of one axis.
//! It goes forward into the weights of what uses it, or backward into those of what computes its
//! data, through operators that commute with it: a table of targets says which weights and which
//! axis, a table of carries what it passes. A factor that meets another constant factor and gets no
//! further is merged with it. Where a way does not end in weights, the factor stays, and the plan says
//! why. Weights are multiplied in 64 bits and rounded once, whatever the number of factors.
//!
//! Nothing is read but factors and the weights that take them, and these only as they are written;
//! what else uses them keeps the old ones.

mod apply;
mod carries;
mod factor;
mod factors;
mod operand;
mod shapes;
mod targets;
mod walk;
mod weights;

use std::cell::Cell;

use crate::dropout::{self, Form};
use crate::error::{Error, ErrorKind, Result};
use crate::hash::{HashMap, HashSet};
use crate::onnx::{Model, Name, NodeId, ValueId, Values};

use super::{Action, Edited};
pub use apply::{Outcome, Trace, TracedAttribute, TracedWeights};
pub use factor::Factor;
use factors::Candidate;
use shapes::Shapes;
use targets::{Change, View};
use walk::{Route, Walk};

/// Which factors to fold.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Only those that dropout leaves: factors that are recognised as its scale, and those that
    /// `strip` put in.
    pub only_dropout: bool,
    /// Only those that make these values, or whose nodes have these names. Each must be a factor that
    /// can be folded.
    pub at: Vec<String>,
}

/// What folding will do, factor by factor.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    /// One step a factor, in file order.
    pub steps: Vec<Step>,
    changes: Vec<Change>,
}

/// What happens to one factor.
#[derive(Clone, Debug)]
pub struct Step {
    /// The Mul or Div.
    pub node: NodeId,
    /// Which of its inputs is the data.
    pub data: usize,
    /// Its place in words.
    pub label: String,
    /// The value it makes.
    pub value: Name,
    /// What it multiplies by, where that can be told.
    pub factor: Option<Factor>,
    /// [`Action::Refused`] leaves this one factor where it is.
    pub action: Action,
    /// Nodes whose weights or attributes take it.
    pub into: Vec<String>,
    /// Nodes it passes on the way.
    pub through: Vec<String>,
}

/// A model with factors folded, not yet verified.
#[derive(Debug)]
pub struct Folded {
    /// What was planned.
    pub plan: Plan,
    /// What was done.
    pub outcome: Outcome,
    /// The result.
    pub edited: Edited,
}

impl Plan {
    /// The factors that are folded.
    pub fn applied(&self) -> impl Iterator<Item = &Step> {
        let steps = self.steps.iter();
        steps.filter(|step| step.action == Action::Apply)
    }
}

/// Finds factors, plans where they go, and folds them in a copy.
///
/// # Errors
/// The model is not sound ([`Model::check`]), a factor asked for by name is none or stays where it is,
/// or the weights would make the file larger than protobuf allows.
///
/// # Examples
/// ```
/// use dropout_onnx::onnx::Model;
/// use dropout_onnx::rewrite::fold::{Options, fold};
///
/// # fn main() -> dropout_onnx::Result<()> {
/// let model = Model::open("fixtures/paddle_downscale_op7.onnx")?;
/// let folded = fold(&model, &Options::default())?;
/// let step = &folded.plan.steps[0];
/// assert_eq!(step.factor.as_ref().and_then(|factor| factor.scalar()), Some(0.7f32.into()));
/// assert_eq!(step.into, ["MatMul `MatMul.1`"]);
/// assert_eq!(folded.outcome.folded, 1);
/// # Ok(())
/// # }
/// ```
pub fn fold(model: &Model, options: &Options) -> Result<Folded> {
    fold_unnamed(model, options).map_err(|e| model.source().name_in(e))
}

/// protobuf's limit for a message.
const LARGEST: u64 = (1 << 31) - 1;

fn fold_unnamed(model: &Model, options: &Options) -> Result<Folded> {
    let values = Values::new(model);
    let plan = plan(model, &values, options)?;
    let mut copy = model.clone();
    let outcome = apply(&mut copy, values, &plan)?;
    let edited = Edited::new(&copy)?;
    if edited.rope.len() > LARGEST && model.source().len() <= LARGEST {
        let why = "the weights that change would be written into the model itself, which would \
                   then be larger than the 2 GiB that protobuf allows";
        return Err(Error::new(ErrorKind::Unsupported, why));
    }
    Ok(Folded {
        plan,
        outcome,
        edited,
    })
}

/// Plans where factors go. Reads no weights, unless a factor is so large that they could overflow.
///
/// # Errors
/// As [`fold`].
pub fn plan(model: &Model, values: &Values, options: &Options) -> Result<Plan> {
    let order = model.check_order(values)?;
    let shapes = Shapes::new(model, values);
    let view = View {
        model,
        values,
        shapes: &shapes,
    };
    let found = factors::find(&view)?;
    let wanted = wanted(model, values, &found, options)?;
    let mut planner = Planner {
        view,
        candidates: found.iter().map(|c| (c.node, c.clone())).collect(),
        folded: HashSet::default(),
        open: wanted.clone(),
        annotated: annotated(model, values),
        masks: masks(model, values)?,
        draws: model.nodes().any(|(_, node)| node.draws()),
        steps: HashMap::default(),
        changes: Vec::new(),
    };
    // From the last on: a factor passes those behind it that are folded already.
    for node in order.iter().rev().filter(|node| wanted.contains(node)) {
        planner.decide(*node)?;
    }
    let mut steps = Vec::new();
    for candidate in &found {
        let step = match planner.steps.remove(&candidate.node) {
            Some(step) => step,
            None => planner.step(candidate, Action::NoEffect("not asked for".to_string())),
        };
        if let (Action::Refused(why), false) = (&step.action, options.at.is_empty()) {
            let why = format!("the factor cannot be folded: {why}");
            return Err(Error::new(ErrorKind::Unsupported, why).at(&step.label));
        }
        steps.push(step);
    }
    Ok(Plan {
        steps,
        changes: planner.changes,
    })
}

/// Folds what the plan says to fold.
///
/// # Errors
/// Weights cannot be read, or the edit would leave a value undefined; the model is then not to be
/// used.
pub fn apply(model: &mut Model, values: Values, plan: &Plan) -> Result<Outcome> {
    apply::apply(model, values, &plan.steps, &plan.changes)
}

/// The factors that were asked for.
fn wanted(
    model: &Model,
    values: &Values,
    found: &[Candidate],
    options: &Options,
) -> Result<HashSet<NodeId>> {
    let mut wanted: HashSet<NodeId> = found.iter().map(|candidate| candidate.node).collect();
    if options.only_dropout {
        let sites = dropout::find(model, values)?;
        let scales = sites.iter().filter(|site| site.form == Form::Scale);
        let scales: HashSet<NodeId> = scales.map(|site| site.nodes[0]).collect();
        wanted.retain(|id| scales.contains(id) || is_put_in_by_strip(model, *id));
    }
    if !options.at.is_empty() {
        let named = |id: NodeId, name: &str| {
            let node = model.node(id);
            node.name == name || node.output(0).is_some_and(|output| *output == name)
        };
        let all = |name: &&String| !found.iter().any(|candidate| named(candidate.node, name));
        if let Some(name) = options.at.iter().find(all) {
            let why = format!(
                "`{name}` is no product or quotient by a constant that is one number or one for \
                 each index of an axis"
            );
            return Err(Error::new(ErrorKind::Usage, why));
        }
        wanted.retain(|&id| options.at.iter().any(|name| named(id, name)));
    }
    Ok(wanted)
}

/// True of a product by a constant that is called as strip calls it: `<value>/scale`.
fn is_put_in_by_strip(model: &Model, id: NodeId) -> bool {
    let node = model.node(id);
    let Some(output) = node.output(0) else {
        return false;
    };
    let scale = format!("{output}/scale");
    node.inputs.iter().any(|input| {
        let name = input
            .as_str()
            .and_then(|name| name.strip_prefix(scale.as_str()));
        name.is_some_and(|rest| {
            let number = rest.strip_prefix('_');
            rest.is_empty() || number.is_some_and(|n| n.bytes().all(|b| b.is_ascii_digit()))
        })
    })
}

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
const OF_MASK: &str = "it belongs to dropout, or to noise, that is still there: strip it first";

/// Nodes of dropout that is written as a mask, with the factors that make up for what it drops.
fn masks(model: &Model, values: &Values) -> Result<HashSet<NodeId>> {
    let mut masks = HashSet::default();
    for site in dropout::find_masks(model, values)? {
        masks.extend(site.nodes);
        for exit in &site.exits {
            masks.insert(exit.node);
            masks.extend(exit.prescale.map(|prescale| prescale.node));
        }
    }
    Ok(masks)
}

struct Planner<'m> {
    view: View<'m>,
    candidates: HashMap<NodeId, Candidate>,
    folded: HashSet<NodeId>,
    open: HashSet<NodeId>,
    annotated: HashSet<ValueId>,
    /// Nodes of dropout that is written as a mask.
    masks: HashSet<NodeId>,
    /// True if some node draws at random.
    draws: bool,
    steps: HashMap<NodeId, Step>,
    changes: Vec<Change>,
}

impl Planner<'_> {
    /// Decides where a factor goes, unless it went with another.
    fn decide(&mut self, node: NodeId) -> Result<()> {
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
                None => Err("there is no such value".to_string()),
                Some(value) if way == "forward" => walk.forward(value, factor, &mut route),
                Some(value) => walk.backward(value, factor, &mut route),
            };
            match found {
                Ok(()) if route.changes.iter().any(|c| self.masks.contains(&c.node())) => {
                    whys.push(format!("{way}: {OF_MASK}"));
                }
                Ok(()) => match self.overflow(&route)? {
                    None => ways.push(route),
                    Some(why) => whys.push(format!("{way}: {why}")),
                },
                Err(why) => whys.push(format!("{way}: {why}")),
            }
        }
        let best = ways.into_iter().min_by_key(|route| self.copied(route));
        Ok(best.ok_or_else(|| whys.join("; ")))
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
            for other in route.changes.iter().chain(&self.changes) {
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
        for node in std::iter::once(candidate.node).chain(route.with) {
            let mut step = self.step(&self.candidates[&node], Action::Apply);
            (step.into, step.through) = (into.clone(), through.clone());
            self.folded.insert(node);
            self.steps.insert(node, step);
        }
        for change in &route.changes {
            // a factor that took another is no longer what the file says
            if let Some(merged) = self.candidates.get_mut(&change.node()) {
                merged.factor = Err("another factor was merged with it".to_string());
            }
        }
        self.changes.extend(route.changes);
    }

    fn step(&self, candidate: &Candidate, action: Action) -> Step {
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
