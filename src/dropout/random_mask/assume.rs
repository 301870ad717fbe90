//! Numbers that the file leaves open: what would the draw be, if they were this or that?
//!
//! An input of the model may switch dropout on, or be its keep probability; a function may be called
//! with different rates. Both are settled by trying.

use crate::error::Result;
use crate::onnx::{Dimension, GraphKind, NodeId, Producer, ValueId, ValueType};

use super::apply::is_layout;
use super::{Attempt, Finder, Found, exit};
use crate::dropout::Scaling;
use crate::hash::HashMap;

/// How far computed numbers may be from what they ought to be: exporters write float32.
const NEAR: f64 = 1e-4;

/// Switches that are tried for one draw.
const SWITCHES: usize = 4;

/// Ways of calling the function around a draw that are looked at.
const WAYS: usize = 64;

/// What a draw was found to be.
pub(super) struct Judged {
    /// As written, or with the switch on, or in the first way of calling.
    pub attempt: Attempt,
    /// In the other ways of calling the function around it.
    pub calls: Vec<Attempt>,
    /// The input that switches it on, and what switches it off.
    pub switch: Option<(ValueId, f64)>,
    /// False if with the switch off it is something else than at inference.
    pub passes: bool,
    /// An input without a default that is the rate, and what it was taken to be.
    pub given: Option<(ValueId, f64)>,
    /// Why it cannot be taken out, if the input that switches it on does more than that.
    pub refused: Option<String>,
}

impl Judged {
    fn plain(attempt: Attempt) -> Judged {
        Judged {
            attempt,
            calls: Vec::new(),
            switch: None,
            passes: true,
            given: None,
            refused: None,
        }
    }
}

impl<'m> Finder<'m> {
    /// Finds out what a draw is.
    pub(super) fn judge(&self, source: NodeId) -> Result<Option<Judged>> {
        if let Some(attempt) = self.attempt(source)? {
            let open = |found: &Found| self.open(found.data.value).is_some();
            let tried = match attempt.default_used || attempt.exits.iter().any(open) {
                true => self.overridden(source)?,
                false => None,
            };
            return Ok(Some(tried.unwrap_or(Judged::plain(attempt))));
        }
        if let Some(judged) = self.by_calls(source)? {
            return Ok(Some(judged));
        }
        for switch in self.open_numbers(source)? {
            if let Some(judged) = self.switched(source, switch)? {
                return Ok(Some(judged));
            }
        }
        Ok(None)
    }

    /// As it is where an input of the model switches it on or off.
    fn overridden(&self, source: NodeId) -> Result<Option<Judged>> {
        for switch in self.open_numbers(source)? {
            let judged = self.switched(source, switch)?;
            if judged
                .as_ref()
                .is_some_and(|judged| judged.switch.is_some())
            {
                return Ok(judged);
            }
        }
        Ok(None)
    }

    /// What only a run decides on, of all that a draw meets before it meets data.
    fn open_numbers(&self, source: NodeId) -> Result<Vec<ValueId>> {
        let mut open = self.follow(source, &[0.25, 0.75])?.open;
        let probability = self.model.node(source).is("Bernoulli");
        let probability = probability.then(|| self.values.input(source, 0)).flatten();
        open.extend(probability.and_then(|value| self.open(value)));
        if open.len() > SWITCHES {
            let what = "at most 4 inputs of the model are tried as the switch of a draw";
            self.limits.reached(source, what);
            open.truncate(SWITCHES);
        }
        Ok(open)
    }

    fn switched(&self, source: NodeId, switch: ValueId) -> Result<Option<Judged>> {
        let with = |number: f64| self.assuming((switch, number), || self.attempt(source));
        let (on, off) = (with(1.0)?, with(0.0)?);
        let one = match (on, off) {
            (Some(attempt), None) => Some((attempt, 0.0)),
            (None, Some(attempt)) => Some((attempt, 1.0)),
            _ => None,
        };
        if let Some((attempt, off)) = one {
            let passes = || self.passes(source, &attempt);
            let refused = self.in_between(source, switch, &attempt)?;
            return Ok(Some(Judged {
                switch: Some((switch, off)),
                passes: self.assuming((switch, off), passes)?,
                refused,
                ..Judged::plain(attempt)
            }));
        }
        // a probability: to keep or to drop
        let element = self.model.element_type(self.values, switch);
        if element.is_some_and(|element| !element.is_float()) {
            return Ok(None);
        }
        let (taken, other) = (0.71875, 0.59375); // no rate that anybody writes
        let (Some(attempt), Some(other)) = (with(taken)?, with(other)?) else {
            return Ok(None);
        };
        let inverted = |attempt: &Attempt| {
            let leading = attempt.leading();
            leading.is_some_and(|found| found.class.scaling == Scaling::Inverted)
        };
        let outputs = |attempt: &Attempt| -> Vec<ValueId> {
            let exits = attempt.exits.iter();
            exits.map(|found| found.output).collect()
        };
        let same = outputs(&attempt) == outputs(&other);
        let is_rate = same && inverted(&attempt) && inverted(&other);
        Ok(is_rate.then(|| Judged {
            given: Some((switch, taken)),
            ..Judged::plain(attempt)
        }))
    }

    /// Why an input that is a number is no switch: with some number, dropout is neither on nor off.
    fn in_between(&self, source: NodeId, switch: ValueId, on: &Attempt) -> Result<Option<String>> {
        if self.is_flag(switch) {
            return Ok(None);
        }
        let element = self.model.element_type(self.values, switch);
        let others: &[f64] = match element.is_some_and(|element| !element.is_float()) {
            true => &[2.0, 3.0, -1.0],
            false => &[2.0, 0.5, 0.25, -1.0],
        };
        let exits = |attempt: &Attempt| -> Vec<(ValueId, f64, f64)> {
            let exits = attempt.exits.iter();
            exits
                .map(|found| (found.output, found.class.rate, found.class.scale))
                .collect()
        };
        for &number in others {
            let same = self.assuming((switch, number), || {
                Ok(match self.attempt(source)? {
                    Some(attempt) => exits(&attempt) == exits(on),
                    None => self.passes(source, on)?,
                })
            })?;
            if !same {
                let name = &self.values[switch].name;
                return Ok(Some(format!(
                    "the input `{name}` that switches it on is not a boolean: for {number} the \
                     result is neither the dropout nor its input"
                )));
            }
        }
        Ok(None)
    }

    /// True if, as things are taken to be, all exits are what inference makes of the data.
    fn passes(&self, source: NodeId, attempt: &Attempt) -> Result<bool> {
        let trace = self.follow(source, &attempt.draws)?;
        Ok(attempt.exits.iter().all(|found| {
            let scale = exit(found, attempt).scale;
            let near = |a: f64, b: f64| (a - scale).abs() <= NEAR * scale.abs() && b == 0.0;
            trace.forms.get(&found.output).is_some_and(|form| {
                let all = form.samples.iter().all(|&(a, b)| near(a, b));
                all && form.data.as_ref() == Some(&found.data)
            })
        }))
    }

    /// What comes of something if an input of the model is taken to be a number.
    pub(super) fn assuming<T>(
        &self,
        (input, number): (ValueId, f64),
        f: impl FnOnce() -> Result<T>,
    ) -> Result<T> {
        let known = self.known.take();
        let before = self.assumed.replace(HashMap::from_iter([(input, number)]));
        let result = f();
        self.assumed.replace(before);
        self.known.replace(known);
        result
    }

    /// The input of the model that a number is made of, by casts, shapes and constants: one that a
    /// run has to give.
    pub(super) fn open(&self, mut value: ValueId) -> Option<ValueId> {
        loop {
            let known = &self.values[value];
            match known.producer {
                Producer::Input(index) => {
                    let graph = self.model.graph(known.graph);
                    let one = match graph.inputs[index as usize].value_type() {
                        ValueType::Tensor { shape, .. } => shape.is_some_and(|shape| {
                            shape.iter().all(|dim| *dim == Dimension::Size(1))
                        }),
                        _ => false,
                    };
                    let main = graph.kind == GraphKind::Main;
                    return (main && one).then_some(value);
                }
                Producer::Node { node: id, .. } => {
                    let node = self.model.node(id);
                    let op_type = node.op_type.as_str().unwrap_or_default();
                    let next = match op_type {
                        _ if !node.in_default_domain() => None,
                        op if is_layout(op) => self.values.input(id, 0),
                        "Not" | "Neg" | "Reciprocal" => self.values.input(id, 0),
                        "Add" | "Sub" | "Mul" | "Div" => self.only_open(id),
                        _ => None,
                    };
                    value = next?;
                }
                _ => return None,
            }
        }
    }

    /// The one input of a node that is no constant.
    fn only_open(&self, id: NodeId) -> Option<ValueId> {
        let inputs = (0..2).filter_map(|input| self.values.input(id, input));
        let is_open = |value: &ValueId| match self.constant(*value) {
            Ok(known) => known.is_none_or(|known| known.default),
            Err(_) => false,
        };
        let mut open = inputs.filter(is_open);
        open.next().filter(|_| open.next().is_none())
    }

    /// Looks at the draw once for every way of calling the function around it.
    fn by_calls(&self, source: NodeId) -> Result<Option<Judged>> {
        let ways = self.ways(source);
        if ways.len() < 2 {
            return Ok(None);
        }
        let mut attempts = Vec::new();
        for way in ways {
            let _focus: Vec<Focus<'_, 'm>> = way
                .iter()
                .map(|&(function, call)| self.focus(function, call))
                .collect();
            let Some(attempt) = self.attempt(source)? else {
                return Ok(None);
            };
            attempts.push(attempt);
        }
        let mut attempts = attempts.into_iter();
        Ok(attempts.next().map(|first| Judged {
            calls: attempts.collect(),
            ..Judged::plain(first)
        }))
    }

    /// Every chain of calls from outside all functions to the one around a node, innermost first;
    /// none if there are too many.
    fn ways(&self, source: NodeId) -> Vec<Vec<(usize, NodeId)>> {
        let mut done = Vec::new();
        let mut open = vec![(source, Vec::new())];
        while let Some((at, way)) = open.pop() {
            let root = self.model.root(at.graph);
            match self.model.graph(root).kind {
                GraphKind::Function(function) if way.len() < WAYS => {
                    for call in self.resolver.calls(function) {
                        let mut way: Vec<(usize, NodeId)> = way.clone();
                        way.push((function, call));
                        open.push((call, way));
                    }
                }
                _ => done.push(way),
            }
            if done.len() + open.len() > WAYS {
                let what = "at most 64 chains of calls to the function of a draw are looked at";
                self.limits.reached(source, what);
                return Vec::new();
            }
        }
        done
    }

    /// From now on a function is called from one place only, until this is dropped.
    pub(super) fn focus(&self, function: usize, call: NodeId) -> Focus<'_, 'm> {
        let before = self.resolver.focus(function, Some(call));
        let changed = before != Some(call) && self.resolver.all_calls(function) > 1;
        if changed {
            self.known.borrow_mut().clear();
        }
        Focus {
            finder: self,
            function,
            before,
            changed,
        }
    }
}

/// A function that is called from one place only, for as long as this lives.
pub(super) struct Focus<'f, 'm> {
    finder: &'f Finder<'m>,
    function: usize,
    before: Option<NodeId>,
    changed: bool,
}

impl Drop for Focus<'_, '_> {
    fn drop(&mut self) {
        self.finder.resolver.focus(self.function, self.before);
        if self.changed {
            self.finder.known.borrow_mut().clear();
        }
    }
}
