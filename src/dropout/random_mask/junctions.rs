//! The junctions of a draw: values that are dropout of data.
//!
//! From the first value that combines data and the draw, up to the last that combines either again.
//! Cutting a draw off at all its junctions leaves nothing that depends on it.

use std::collections::BTreeSet;

use crate::error::Result;
use crate::hash::{HashMap, HashSet};
use crate::onnx::{GraphKind, NodeId, Use, ValueId};

use super::classify::{self, Class, Setting};
use super::conditions::Conditions;
use super::form::{Atom, Form, Term};
use super::law::Law;
use super::walk::Trace;
use super::{Finder, prescale::Before};
use crate::dropout::{Kind, Scaling};

/// A value that is dropout of data.
#[derive(Clone, Debug)]
pub(super) struct Found {
    pub node: NodeId,
    pub output: ValueId,
    pub data: Atom,
    pub class: Class,
    /// It is `a·data + b`.
    pub a: Law,
    pub b: Law,
    /// What the data was multiplied by before, if inverted dropout is made of the two.
    pub prescale: Option<Before>,
}

/// How a value that depends on the draw is used.
#[derive(Default)]
struct Uses {
    /// Values of nodes that read it and nothing else that depends on the draw.
    alone: Vec<ValueId>,
    /// Values of nodes that combine it with the draw or with its own data.
    together: BTreeSet<ValueId>,
    /// A node combines it and the draw in an unknown way.
    lost: bool,
    /// How many other uses there are.
    apart: usize,
}

/// What a node reads that depends on the draw.
#[derive(Clone, Default)]
struct Reads {
    /// A mask, or what depends on the draw in an unknown way.
    mask: bool,
    /// Two different values that are dropped data.
    dropped: Vec<ValueId>,
    /// The outputs that are dropped data and nothing else.
    made: Vec<ValueId>,
}

/// How numbers are compared.
#[derive(Clone, Copy, Debug)]
pub(super) struct Precision {
    /// How far numbers may be from what they ought to be, relatively.
    pub room: f64,
    /// True of draws that are 1 with the probability to be 0.
    pub complement: bool,
}

/// Finds the junctions of a trace, and what is dropout on the way to them; `None` if the draw is applied to data
/// in any other way than as dropout.
pub(super) fn find(
    finder: &Finder<'_>,
    trace: &Trace,
    conditions: &Conditions,
    precision: Precision,
) -> Result<Option<(Vec<Found>, BTreeSet<ValueId>)>> {
    let nodes: HashMap<ValueId, NodeId> = trace
        .made
        .iter()
        .map(|&(node, value)| (value, node))
        .collect();
    let mut search = Search {
        finder,
        trace,
        conditions,
        precision,
        reads: HashMap::default(),
        found: Vec::new(),
        before: BTreeSet::new(),
        nodes,
    };
    let mut open: Vec<ValueId> = Vec::new();
    for &(node, value) in &trace.made {
        let form = &trace.forms[&value];
        if form.is_dropped() && search.reads(node).dropped.is_empty() {
            open.push(value);
        }
        if form.is_dropped() && !form.plus && search.uses(value).lost {
            return Ok(None);
        }
    }
    open.reverse();
    if !search.close(open)? {
        return Ok(None);
    }
    search.found.sort_by_key(|found| (found.node, found.output));
    search.share()?;
    let is_one = !search.found.is_empty() && search.is_covered();
    let Search { found, before, .. } = search;
    Ok(is_one.then_some((found, before)))
}

struct Search<'f, 'm> {
    finder: &'f Finder<'m>,
    trace: &'f Trace,
    conditions: &'f Conditions,
    precision: Precision,
    reads: HashMap<NodeId, Reads>,
    found: Vec<Found>,
    /// What is dropout already, before the draw drops more of it.
    before: BTreeSet<ValueId>,
    /// The node that made each value.
    nodes: HashMap<ValueId, NodeId>,
}

impl Search<'_, '_> {
    fn form(&self, value: ValueId) -> Option<&Form> {
        self.trace.forms.get(&value).map(|form| &**form)
    }

    fn single(&self, value: ValueId) -> Option<&Term> {
        self.form(value).and_then(Form::single)
    }

    fn reads(&mut self, node: NodeId) -> Reads {
        if let Some(known) = self.reads.get(&node) {
            return known.clone();
        }
        let mut reads = Reads::default();
        let node = self.finder.view.node(node);
        for input in node.inputs().flatten() {
            let form = self.trace.read(input.id);
            reads.mask |= self.trace.tainted.contains(&input.id)
                || form.is_some_and(|form| form.is_numeric());
            let itself = self.finder.passed(input.id);
            let dropped = form.is_some_and(|form| form.is_dropped());
            if dropped && reads.dropped.len() < 2 && !reads.dropped.contains(&itself) {
                reads.dropped.push(itself);
            }
        }
        let made = node.outputs().flatten().map(|output| output.id);
        let of_node = |value: &ValueId| self.nodes.get(value) == Some(&node.id);
        reads.made = made
            .filter(of_node)
            .filter(|v| self.single(*v).is_some())
            .collect();
        self.reads.insert(node.id, reads.clone());
        reads
    }

    /// Finds the factors before the mask that have other readers too: any node except those between
    /// the draw and the junctions that the factor is for.
    fn share(&mut self) -> Result<()> {
        let mut of_factor: HashMap<NodeId, Vec<NodeId>> = HashMap::default();
        for found in &self.found {
            if let Some(before) = &found.prescale {
                of_factor
                    .entry(before.prescale.node)
                    .or_default()
                    .push(found.node);
            }
        }
        let inside: HashMap<NodeId, HashSet<NodeId>> = of_factor
            .into_iter()
            .map(|(factor, junctions)| (factor, self.behind(junctions)))
            .collect();
        for found in &mut self.found {
            let factor = found.prescale.as_ref().map(|before| before.prescale.node);
            if let Some(inside) = factor.and_then(|factor| inside.get(&factor)) {
                let within = |node| inside.contains(&node);
                let before = self
                    .finder
                    .prescale(found.data.value, &within, self.conditions)?;
                found.prescale = before;
            }
        }
        Ok(())
    }

    /// These nodes, and all that make what depends on the draw for them.
    fn behind(&self, mut open: Vec<NodeId>) -> HashSet<NodeId> {
        let mut inside = HashSet::default();
        while let Some(node) = open.pop() {
            if inside.insert(node) {
                let inputs = self.finder.view.node(node).inputs().flatten();
                open.extend(inputs.filter_map(|value| self.nodes.get(&value.id).copied()));
            }
        }
        inside
    }

    /// True if all readers of dropped data are downstream of a junction.
    fn is_covered(&self) -> bool {
        let view = self.finder.view;
        let mut seen: HashSet<ValueId> = self.found.iter().map(|found| found.output).collect();
        let mut open = self.trace.seeds.clone();
        while let Some(value) = open.pop() {
            let form = self.form(value).filter(|form| form.varies());
            let Some(form) = form.filter(|_| seen.insert(value)) else {
                continue;
            };
            for at in self.finder.uses(value) {
                let lost = match at {
                    Use::Input { node, input } => {
                        let made = view.node(node).outputs().flatten().map(|output| output.id);
                        let inner = self.finder.formal(node, input as usize);
                        let before = open.len();
                        let known = |value: &ValueId| self.trace.forms.contains_key(value);
                        open.extend(made.chain(inner).filter(known));
                        open.len() == before && self.finder.reads_values(node, input as usize)
                    }
                    Use::Output { graph, output } => {
                        let kind = &view.model.graph(graph).kind;
                        if let GraphKind::Function(function) = kind {
                            let calls = self.finder.calls(*function, self.conditions).into_iter();
                            let after =
                                calls.filter_map(|call| view.node(call).output(output as usize));
                            open.extend(after.map(|value| value.id));
                        }
                        !matches!(kind, GraphKind::Function(_))
                    }
                    _ => false,
                };
                if lost && form.is_dropped() {
                    return false;
                }
            }
        }
        true
    }

    /// Finds the junctions downstream of values that depend on data. False if one of them is no dropout.
    fn close(&mut self, mut open: Vec<ValueId>) -> Result<bool> {
        let mut seen = HashSet::default();
        while let Some(value) = open.pop() {
            if !seen.insert(value) {
                continue;
            }
            let uses = self.uses(value);
            if uses.lost {
                return Ok(false);
            }
            let (found, again) = match uses.together.is_empty() {
                true => self.chained(value, uses)?,
                // what else uses it needs a junction as well
                false if uses.apart > 0 => (self.classified(value)?, uses.together),
                false => {
                    open.extend(uses.together);
                    continue;
                }
            };
            open.extend(again.iter().copied());
            match found {
                Some(found) => {
                    seen.insert(found.output);
                    self.found.push(found);
                }
                None if again.is_empty() => return Ok(false),
                None => {}
            }
        }
        Ok(true)
    }

    /// The junction after a value, in a row of values that one node each reads: the first that is dropout
    /// that inference can omit, or else the first that is dropout. `None` where the last
    /// is combined with the draw again: then the result of that.
    fn chained(
        &mut self,
        value: ValueId,
        uses: Uses,
    ) -> Result<(Option<Found>, BTreeSet<ValueId>)> {
        let graph = self.finder.view.value(value).get().graph;
        let (mut at, mut uses) = (value, uses);
        let mut seen = HashSet::default();
        let mut inverted = None;
        while seen.insert(at) {
            if inverted.is_none() {
                let found = self.classified(at)?;
                inverted = found.filter(is_inverted);
            }
            let &[next] = &uses.alone[..] else { break };
            if uses.apart != 1 || self.finder.view.value(next).get().graph != graph {
                break;
            }
            (at, uses) = (next, self.uses(next));
            match (uses.together.is_empty(), uses.apart) {
                (true, _) => {}
                (false, 0) => {
                    let here = self.classified(at)?.filter(is_inverted);
                    self.before
                        .extend(inverted.or(here).map(|found| found.output));
                    return Ok((None, uses.together));
                }
                (false, _) => break,
            }
        }
        let first = match inverted {
            Some(found) => Some(found),
            None => self.classified(value)?,
        };
        Ok((first, BTreeSet::new()))
    }

    /// The dropout a value is, if it is one.
    fn classified(&self, value: ValueId) -> Result<Option<Found>> {
        let (Some(term), Some(&node)) = (self.single(value), self.nodes.get(&value)) else {
            return Ok(None);
        };
        let data = &term.atom;
        let rest = self.form(value).map(|form| form.rest.clone());
        let rest = rest.unwrap_or(Law::constant(0.0));
        if self.trace.tainted.contains(&data.value) {
            return Ok(None);
        }
        let ends = (data.value, value);
        let substituted = self
            .finder
            .substituted(ends, (&term.law, &rest), &self.trace.maps);
        if let Some((class, keeps)) = substituted {
            return Ok(Some(Found {
                node,
                output: value,
                data: data.clone(),
                class,
                a: keeps,
                b: Law::constant(0.0),
                prescale: None,
            }));
        }
        let before = self
            .finder
            .prescale(data.value, &|_| true, self.conditions)?;
        let setting = Setting {
            prescale: before.as_ref().map_or(1.0, |before| before.factor),
            precision: self.precision.room,
            complement: self.precision.complement,
        };
        let Some(class) = classify::classify(&term.law, &rest, &self.trace.maps, setting) else {
            return Ok(None);
        };
        // a constant that is dropped is part of a mask, unless it is a weight
        if class.scaling != Scaling::Inverted
            && (self.finder.is_fixed(data.value) || self.finder.is_noise(data.value))
            && !self.finder.is_weight(value, self.conditions)?
        {
            return Ok(None);
        }
        // class.scale tells whether the factor is part of it
        let own = term
            .law
            .cells()
            .filter_map(|(.., piece)| piece.at(&[]))
            .find(|&a| a != 0.0);
        let folded = class.kind == Kind::Dropout
            && class.scaling == Scaling::Inverted
            && own.is_some_and(|own| (class.scale - own).abs() > 1e-9 * own.abs());
        Ok(Some(Found {
            node,
            output: value,
            data: data.clone(),
            class,
            a: term.law.clone(),
            b: rest,
            prescale: before.filter(|_| folded),
        }))
    }

    fn uses(&mut self, value: ValueId) -> Uses {
        let mut uses = Uses::default();
        if self.trace.starts.contains(&value) {
            return uses; // what uses it uses other data
        }
        let itself = self.finder.passed(value);
        let mut open: Vec<Use> = self.finder.uses(value).collect();
        while let Some(at) = open.pop() {
            // what passes it on unchanged puts it together with nothing
            if let Some(passed) = self.finder.passed_on(at) {
                open.extend(self.finder.uses(passed));
                continue;
            }
            let Use::Input { node, .. } = at else {
                uses.apart += 1;
                continue;
            };
            let reads = self.reads(node);
            let other = reads.dropped.iter().any(|other| *other != itself);
            let again = reads
                .made
                .iter()
                .any(|made| self.trace.joined.contains(made));
            match (reads.mask, reads.made.is_empty()) {
                (true, true) => uses.lost = true,
                (false, false) if !other && !again => {
                    uses.apart += 1;
                    uses.alone.extend(reads.made);
                }
                (false, true) => uses.apart += 1,
                (_, false) => uses.together.extend(reads.made),
            }
        }
        uses
    }
}

fn is_inverted(found: &Found) -> bool {
    found.class.scaling == Scaling::Inverted
}

impl Finder<'_> {
    /// What a value is before any Dropout and Identity.
    pub(super) fn passed(&self, value: ValueId) -> ValueId {
        let mut value = self.view.value(value);
        while let Some((node, 0)) = value.producer()
            && matches!(node.op(), "Dropout" | "Identity")
            && let Some(input) = node.input(0)
        {
            value = input;
        }
        value.id
    }

    /// What a use passes on unchanged, if it is the data of a Dropout or an Identity.
    fn passed_on(&self, at: Use) -> Option<ValueId> {
        let Use::Input { node, input: 0 } = at else {
            return None;
        };
        let node = self.view.node(node);
        let passes = matches!(node.op(), "Dropout" | "Identity");
        passes.then(|| node.output(0).map(|output| output.id))?
    }
}
