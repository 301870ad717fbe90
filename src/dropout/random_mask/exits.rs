//! The exits of a draw: values that are data again.
//!
//! A value of the form `a(u)·x + b(u)` is an exit if it is dropout of x and no node puts it together
//! with anything else that depends on the draw. Cutting a draw off at all its exits leaves nothing
//! that depends on it.

use std::collections::BTreeSet;

use crate::error::Result;
use crate::hash::{HashMap, HashSet};
use crate::onnx::{GraphKind, NodeId, Producer, Use, ValueId};

use super::Finder;
use super::apply::{is_cast, is_layout};
use super::classify::Class;
use super::follow::Trace;
use super::form::{Data, Element, Form};
use crate::dropout::{Kind, Prescale, Scaling};

/// A value that is dropout of data.
#[derive(Clone, Debug)]
pub(super) struct Found {
    pub node: NodeId,
    pub output: ValueId,
    pub data: Data,
    pub class: Class,
    /// `a` and `b` at each sample.
    pub samples: Vec<(f64, f64)>,
    /// What the data was multiplied by before, if inverted dropout is made of the two.
    pub prescale: Option<(Prescale, f64)>,
}

/// How a value that depends on the draw is used.
#[derive(Default)]
struct Uses {
    /// Values of nodes that read it and nothing else that depends on the draw.
    alone: Vec<ValueId>,
    /// Values of nodes that put it together with something else that does.
    together: BTreeSet<ValueId>,
    /// A node nobody follows does so.
    lost: bool,
    /// How many other uses there are.
    apart: usize,
}

type Classify<'c> = &'c dyn Fn(&Form, f64) -> Option<Class>;

/// Finds the exits of a trace; `None` if the draw meets data in any other way than as dropout.
pub(super) fn find(
    finder: &Finder<'_>,
    source: NodeId,
    trace: &Trace,
    classify: Classify<'_>,
) -> Result<Option<Vec<Found>>> {
    let mut search = Search {
        finder,
        source,
        trace,
        classify,
        seen: HashSet::default(),
        found: Vec::new(),
        nodes: trace
            .made
            .iter()
            .map(|&(node, value)| (value, node))
            .collect(),
    };
    let meets = |&&(node, value): &&(NodeId, ValueId)| {
        trace.forms[&value].data.is_some() && !search.inputs(node).any(|form| form.data.is_some())
    };
    let meetings: Vec<ValueId> = trace.made.iter().filter(meets).map(|&(_, v)| v).collect();
    for meeting in meetings {
        if !search.close(meeting)? {
            return Ok(None);
        }
    }
    search.found.sort_by_key(|found| found.node);
    search.share()?;
    for found in &search.found {
        if finder.is_cancelled(source, found)? {
            return Ok(None);
        }
    }
    let is_one = !search.found.is_empty() && search.is_covered();
    Ok(is_one.then_some(search.found))
}

struct Search<'f, 'm> {
    finder: &'f Finder<'m>,
    source: NodeId,
    trace: &'f Trace,
    classify: Classify<'f>,
    seen: HashSet<ValueId>,
    found: Vec<Found>,
    /// The node that made each value.
    nodes: HashMap<ValueId, NodeId>,
}

impl Search<'_, '_> {
    /// The forms that a node reads.
    fn inputs(&self, node: NodeId) -> impl Iterator<Item = &Form> {
        let inputs = 0..self.finder.model.node(node).inputs.len();
        inputs
            .filter_map(move |input| self.finder.values.input(node, input))
            .filter_map(|value| self.trace.forms.get(&value))
    }

    /// Tells which factors before the mask something else uses as well: any node but those between
    /// the draw and the exits that the factor is for.
    fn share(&mut self) -> Result<()> {
        let factor = |found: &Found| found.prescale.map(|(prescale, _)| prescale.node);
        for index in 0..self.found.len() {
            let Some(node) = factor(&self.found[index]) else {
                continue;
            };
            let exits = self.found.iter();
            let exits = exits.filter(|found| factor(found) == Some(node));
            let inside = self.behind(exits.map(|found| found.node).collect());
            let data = self.found[index].data.value;
            let before = self.finder.prescale(data, &|node| inside.contains(&node))?;
            self.found[index].prescale = before;
        }
        Ok(())
    }

    /// These nodes, and all that make what depends on the draw for them.
    fn behind(&self, mut open: Vec<NodeId>) -> HashSet<NodeId> {
        let mut inside = HashSet::default();
        while let Some(node) = open.pop() {
            if inside.insert(node) {
                let inputs = 0..self.finder.model.node(node).inputs.len();
                let values = inputs.filter_map(|input| self.finder.values.input(node, input));
                open.extend(values.filter_map(|value| self.nodes.get(&value).copied()));
            }
        }
        inside
    }

    /// True if what is dropped is used behind an exit only: nothing else is made of it.
    fn is_covered(&self) -> bool {
        let Finder { model, values, .. } = self.finder;
        let exits: HashSet<ValueId> = self.found.iter().map(|found| found.output).collect();
        let made = |node: NodeId| {
            let outputs = 0..model.node(node).outputs.len();
            outputs.filter_map(move |output| values.output(model, node, output))
        };
        let mut seen = HashSet::default();
        let mut open: Vec<ValueId> = made(self.source).collect();
        while let Some(value) = open.pop() {
            if exits.contains(&value) || !seen.insert(value) {
                continue;
            }
            let Some(form) = self.trace.forms.get(&value) else {
                continue;
            };
            for at in self.finder.uses(value) {
                let before = open.len();
                let lost = match at {
                    Use::Input { node, input } => {
                        let within = self.finder.carried(node, input as usize);
                        let reached = made(node).chain(within);
                        open.extend(reached.filter(|v| self.trace.forms.contains_key(v)));
                        open.len() == before && self.finder.reads_values(node, input as usize)
                    }
                    Use::Output { graph, .. } => {
                        !matches!(model.graph(graph).kind, GraphKind::Function(_))
                    }
                    Use::Annotation(_) | Use::Binding(_) | Use::Attribute(_) => false,
                };
                if lost && form.data.is_some() {
                    return false;
                }
            }
        }
        true
    }

    /// Finds the exits behind a value that depends on data. False if something is no dropout.
    fn close(&mut self, value: ValueId) -> Result<bool> {
        if !self.seen.insert(value) {
            return Ok(true);
        }
        let uses = self.uses(value);
        if uses.lost {
            return Ok(false);
        }
        if !uses.together.is_empty() {
            for &together in &uses.together {
                if !self.close(together)? {
                    return Ok(false);
                }
            }
            // what else uses it needs an exit as well
            return match uses.apart > 0 {
                true => self.exit(value),
                false => Ok(true),
            };
        }
        match self.inverted_from(value, uses)? {
            Some(inverted) => {
                self.seen.insert(inverted.output);
                self.found.push(inverted);
                Ok(true)
            }
            None => self.exit(value),
        }
    }

    fn exit(&mut self, value: ValueId) -> Result<bool> {
        let found = self.classified(value)?;
        let is_one = found.is_some();
        self.found.extend(found);
        Ok(is_one)
    }

    /// The value, or the first behind it in a row, that is dropout which inference can leave away.
    fn inverted_from(&self, value: ValueId, uses: Uses) -> Result<Option<Found>> {
        let (mut value, mut uses) = (value, uses);
        let graph = self.finder.values[value].graph;
        let mut seen = HashSet::default();
        while seen.insert(value) {
            let mut next = uses.alone.iter();
            let cancelled = next.any(|&next| self.is_cancelled_in(value, next));
            if !cancelled
                && let Some(found) = self.classified(value)?
                && found.class.scaling == Scaling::Inverted
            {
                return Ok(Some(found));
            }
            let &[next] = &uses.alone[..] else { break };
            if uses.apart != 1 || self.finder.values[next].graph != graph {
                break;
            }
            let after = self.uses(next);
            if after.lost || !after.together.is_empty() {
                break;
            }
            (value, uses) = (next, after);
        }
        Ok(None)
    }

    /// True if the next value is made of this one and of the same data with the opposite sign.
    fn is_cancelled_in(&self, value: ValueId, next: ValueId) -> bool {
        let forms = &self.trace.forms;
        let (Some(form), Some(next)) = (forms.get(&value), forms.get(&next)) else {
            return false;
        };
        let data = |form: &Form| form.data.as_ref().map(|data| data.value);
        let pairs = || form.samples.iter().zip(&next.samples);
        let Some((_, &(rest, _))) = pairs().find(|((a, _), _)| *a == 0.0) else {
            return false;
        };
        let mut others = pairs().filter(|((a, _), _)| *a != 0.0);
        data(form) == data(next) && others.any(|(_, (a, _))| rest * (a - rest) < 0.0)
    }

    /// The dropout a value is, if it is one.
    fn classified(&self, value: ValueId) -> Result<Option<Found>> {
        let form = &self.trace.forms[&value];
        let (Some(data), Some(&node)) = (&form.data, self.nodes.get(&value)) else {
            return Ok(None);
        };
        if self.trace.tainted.contains(&data.value) {
            return Ok(None);
        }
        let before = self.finder.prescale(data.value, &|_| true)?;
        let factor = before.as_ref().map_or(1.0, |(_, factor)| *factor);
        let Some(class) = (self.classify)(form, factor) else {
            return Ok(None);
        };
        // a constant that is dropped is part of a mask, unless it is a weight
        let constant = || self.finder.is_fixed(data.value) && !self.finder.is_weight(value);
        if class.scaling != Scaling::Inverted && constant() {
            return Ok(None);
        }
        // class.scale tells whether the factor is part of it
        let own = form.samples.iter().map(|&(a, _)| a).find(|&a| a != 0.0);
        let folded = class.kind == Kind::Dropout
            && class.scaling == Scaling::Inverted
            && own.is_some_and(|own| (class.scale - own).abs() > 1e-9 * own.abs());
        Ok(Some(Found {
            node,
            output: value,
            data: data.clone(),
            class,
            samples: form.samples.clone(),
            prescale: before.filter(|_| folded),
        }))
    }

    fn uses(&self, value: ValueId) -> Uses {
        let Finder { model, values, .. } = self.finder;
        let mut uses = Uses::default();
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
            let dropped = self.trace.forms[&value].data.is_some();
            let inputs = 0..model.node(node).inputs.len();
            let mut others = inputs
                .filter_map(|input| values.input(node, input))
                .filter(|&other| self.finder.passed(other) != itself);
            let made = (0..model.node(node).outputs.len())
                .filter_map(|output| values.output(model, node, output))
                .filter(|output| self.nodes.get(output) == Some(&node));
            let made: Vec<ValueId> = made.collect();
            let with_draw = others.any(|other| {
                let form = self.trace.forms.get(&other);
                let data = |form: &Form| form.data.is_some();
                // two that were dropped are two exits, unless they make one
                self.trace.tainted.contains(&other)
                    || form.is_some_and(|form| !(made.is_empty() && dropped && data(form)))
            });
            match (with_draw, made.is_empty()) {
                (true, true) => uses.lost = true,
                (true, false) => uses.together.extend(made),
                (false, _) => {
                    uses.apart += 1;
                    uses.alone.extend(made);
                }
            }
        }
        uses
    }
}

impl Finder<'_> {
    /// What a value is before any Dropout and Identity.
    pub(super) fn passed(&self, mut value: ValueId) -> ValueId {
        while let Producer::Node { node, output: 0 } = self.values[value].producer
            && (self.model.node(node).is("Dropout") || self.model.node(node).is("Identity"))
            && let Some(input) = self.values.input(node, 0)
        {
            value = input;
        }
        value
    }

    /// What a use passes on unchanged, if it is the data of a Dropout or an Identity.
    fn passed_on(&self, at: Use) -> Option<ValueId> {
        let Use::Input { node, input: 0 } = at else {
            return None;
        };
        let known = self.model.node(node);
        let passes = known.is("Dropout") || known.is("Identity");
        passes.then(|| self.values.output(self.model, node, 0))?
    }

    /// The constant that a value was multiplied by before: by which node, and what was. Nodes that
    /// are inside do not share it.
    fn prescale(
        &self,
        value: ValueId,
        inside: &dyn Fn(NodeId) -> bool,
    ) -> Result<Option<(Prescale, f64)>> {
        let mut at = value;
        let mut shared = false;
        let mut next = None;
        loop {
            shared |= self.uses(at).any(|using| match using {
                Use::Input { node, input } => {
                    let reads = self.reads_values(node, input as usize);
                    Some(node) != next && reads && !(at == value && inside(node))
                }
                _ => true,
            });
            let Producer::Node { node: id, .. } = self.values[at].producer else {
                break;
            };
            let node = self.model.node(id);
            let op_type = node.op_type.as_str().unwrap_or_default();
            let inputs = (self.values.input(id, 0), self.values.input(id, 1));
            match (op_type, inputs) {
                (op, (Some(x), _)) if is_layout(op) && node.in_default_domain() => {
                    let whole = Some(Element::Integer);
                    if is_cast(op) && [whole, Some(Element::Bool)].contains(&self.cast_to(id)) {
                        break; // a factor before is another factor after
                    }
                    next = Some(id);
                    at = x;
                }
                ("Mul" | "Div", (Some(x), Some(y))) if node.in_default_domain() => {
                    let (from, factor) = match (self.number(x)?, self.number(y)?) {
                        (None, Some(factor)) if op_type == "Mul" => (x, factor),
                        (None, Some(divisor)) => (x, 1.0 / divisor),
                        (Some(factor), None) if op_type == "Mul" => (y, factor),
                        _ => break,
                    };
                    return Ok(Some((
                        Prescale {
                            node: id,
                            from,
                            shared,
                        },
                        factor,
                    )));
                }
                _ => break,
            }
        }
        Ok(None)
    }
}
