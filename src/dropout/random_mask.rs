//! Dropout written as a random mask, recognised by what it computes.
//!
//! What each value is as a function of the elements of a draw is known exactly, as long as it is a sum
//! of data with laws of the draw as factors (`law`, `form`). Which operators make it, and in which
//! order, does not matter. A draw that chooses between different data (a random flip), or is scaled by
//! data (a VAE, diffusion), is not dropout.

mod attempt;
mod branch;
mod classify;
mod conditions;
mod constants;
mod contexts;
mod count;
mod draw;
mod fit;
mod fixed;
mod form;
mod gate;
mod judge;
mod junctions;
mod law;
mod maps;
mod passes;
mod piece;
mod prescale;
mod quantization;
mod reachable;
mod related;
mod scalar;
mod settle;
mod site;
mod skipped;
mod substitute;
mod switches;
mod together;
mod walk;

use crate::error::Result;
use crate::hash::{HashMap, HashSet};
use crate::onnx::{NodeId, Use, ValueId};
use crate::semantics::facts::Facts;
use crate::semantics::view::{NodeRef, View};

use super::limit::Limits;
use super::{Site, coin};
use conditions::Conditions;
use reachable::Reachable;
use scalar::decimal;

pub(super) fn find(facts: Facts<'_>, limits: &Limits) -> Result<Vec<Site>> {
    let view = facts.view();
    let coins = view.nodes().filter(|node| coin::is_tossed(facts, *node));
    let draws = facts.draws().chain(coins).map(|node| node.id);
    let mut sources: Vec<NodeId> = draws.collect();
    sources.sort_unstable();
    if sources.is_empty() {
        return Ok(Vec::new());
    }
    let Some(mut finder) = Finder::new(facts, limits) else {
        return Ok(Vec::new()); // an unsound model is reported by whoever edits it
    };
    let mut sites = Vec::new();
    let mut left: Vec<NodeId> = sources;
    left.retain(|id| finder.reachable.contains(*id));
    let mut last = false;
    loop {
        let before = left.len();
        let (mut others, mut waits) = (Vec::new(), false);
        for source in left {
            let found = finder.alone(source)?;
            // a mask that drops another, smaller one may be what the other drops
            let stuck = !last && found.iter().any(|site| site.entangled.is_some());
            waits |= stuck;
            if found.is_empty() || stuck {
                others.push(source);
                continue;
            }
            let junctions = found.iter().flat_map(|site| &site.junctions);
            let plain = junctions
                .filter(|junction| junction.prescale.is_none() && junction.path.is_empty());
            finder
                .found
                .extend(plain.map(|junction| (junction.output, (junction.data, junction.scale))));
            sites.extend(found);
        }
        // what was found now may be what stood in the way of another
        let stalled = others.len() == before;
        left = others;
        if left.is_empty() || stalled && !waits {
            break;
        }
        last = stalled;
    }
    for source in left {
        let known = |site: &Site| site.nodes.contains(&source);
        if !sites.iter().any(known) {
            let mut found = finder.together(source)?;
            // what one of the draws does alone
            found.retain(|site| sites.iter().all(|known| known.output != site.output));
            sites.append(&mut found);
        }
    }
    sites.sort_by_key(|site: &Site| (site.source(), site.nodes.first().copied()));
    site::give_back_factors(&mut sites);
    Ok(sites)
}

/// Those of some draws that decide on nothing: masks that keep everything, whatever is drawn.
///
/// # Errors
/// A constant cannot be read.
pub(super) fn settled(facts: Facts<'_>, draws: &[NodeId]) -> Result<HashSet<NodeId>> {
    let limits = Limits::default();
    let mut settled = HashSet::default();
    if let Some(finder) = Finder::new(facts, &limits) {
        for &draw in draws {
            if finder.is_settled(draw)? {
                settled.insert(draw);
            }
        }
    }
    Ok(settled)
}

struct Finder<'m> {
    view: View<'m>,
    limits: &'m Limits,
    facts: Facts<'m>,
    rank: HashMap<NodeId, usize>,
    /// What nodes make of constants and of shapes.
    fixed: HashSet<ValueId>,
    reachable: Reachable,
    /// Only facts of the file.
    conditions: Conditions,
    /// What earlier sources were found to be dropout of, and at which scale: a mask of one source may
    /// be the data of another.
    found: HashMap<ValueId, (ValueId, f64)>,
}

impl<'m> Finder<'m> {
    /// `None` of an unsound model.
    fn new(facts: Facts<'m>, limits: &'m Limits) -> Option<Finder<'m>> {
        let view = facts.view();
        let order = view.model.check_order(view.values).ok()?;
        Some(Finder {
            view,
            limits,
            facts,
            rank: order.iter().enumerate().map(|(i, &id)| (id, i)).collect(),
            fixed: fixed::fixed(view, &order),
            reachable: reachable::reachable(view, facts.calls()),
            conditions: Conditions::default(),
            found: HashMap::default(),
        })
    }
}

impl Finder<'_> {
    /// The dropout that one draw makes.
    fn alone(&self, source: NodeId) -> Result<Vec<Site>> {
        let mut found = self.sites(source)?;
        if found.is_empty() {
            found = self.counted(source)?;
        }
        if found.is_empty() {
            found = self.skipped(source)?;
        }
        Ok(found)
    }

    /// True of a draw that no value depends on which leads to an output.
    fn is_settled(&self, source: NodeId) -> Result<bool> {
        let conditions = Conditions::default();
        let Some(draw) = self.draw(source, &conditions)? else {
            return Ok(false);
        };
        let trace = self.walk(&[(draw.drawn, draw.law)], &conditions)?;
        let lost = [trace.escapes, trace.shown].iter().any(Option::is_some);
        if lost || !trace.tainted.is_empty() || conditions.default_used.get() {
            return Ok(false);
        }
        let is_known =
            |value: ValueId| trace.forms.contains_key(&value) || trace.settled.contains_key(&value);
        let varying = trace.forms.iter().filter(|(_, form)| form.varies());
        // noise of no strength may be of some once it is trained
        let is_scaled = |node: NodeRef<'_>| {
            let form = node.output(0).and_then(|made| trace.forms.get(&made.id));
            node.is("Mul") && form.is_some_and(|form| !form.varies())
        };
        let mut settled = varying.map(|(&value, form)| {
            let mut uses = self.uses(value);
            !form.is_dropped()
                && uses.all(|at| match at {
                    Use::Input { node, input } => {
                        let reads = self.reads_values(node, input as usize);
                        let node = self.view.node(node);
                        let mut made = node.outputs().flatten();
                        !reads || !is_scaled(node) && made.all(|made| is_known(made.id))
                    }
                    _ => false,
                })
        });
        Ok(trace.branched.is_empty() && settled.all(|settled| settled))
    }

    /// True unless only the shape or the type of an input matters.
    fn reads_values(&self, id: NodeId, input: usize) -> bool {
        let operator = self.view.node(id).operator();
        operator.is_none_or(|operator| operator.reads_values(input))
    }

    /// The uses of a value that lead to an output.
    fn uses(&self, value: ValueId) -> impl Iterator<Item = Use> {
        let uses = self.view.value(value).uses();
        uses.filter(|at| self.reachable.leads(*at))
    }
}
