//! Numbers that the file leaves open: what would the draw be, if they were this or that?
//!
//! An input of the model may switch dropout on, or be its keep probability; a function may be called
//! with different rates. Both are settled by trying.

use crate::error::Result;
use crate::onnx::{Dimension, GraphKind, NodeId, Producer, ValueId, ValueType};

use super::form::is_layout;
use super::{Attempt, Finder};
use crate::dropout::Scaling;

/// Switches that are tried for one draw.
const SWITCHES: usize = 4;

/// Ways of calling the function around a draw that are looked at.
const WAYS: usize = 64;

/// How deep an input is looked for behind casts and the like.
const DEPTH: usize = 16;

/// What a draw was found to be.
pub(super) struct Judged {
    /// As written, or with the switch on, or in the first way of calling.
    pub attempt: Attempt,
    /// In the other ways of calling the function around it.
    pub calls: Vec<Attempt>,
    /// The input that switches it on, and what switches it off.
    pub switch: Option<(ValueId, f64)>,
    /// The input without a default that is the rate, and what it was taken to be.
    pub assumed: Option<(ValueId, f64)>,
}

impl Judged {
    fn plain(attempt: Attempt) -> Judged {
        Judged {
            attempt,
            calls: Vec::new(),
            switch: None,
            assumed: None,
        }
    }
}

impl Finder<'_> {
    /// Finds out what a draw is.
    pub(super) fn judge(&self, source: NodeId) -> Result<Option<Judged>> {
        if let Some(attempt) = self.attempt(source)? {
            return Ok(Some(Judged::plain(attempt)));
        }
        if let Some(judged) = self.by_calls(source)? {
            return Ok(Some(judged));
        }
        let open = self.open_numbers(source)?;
        for switch in open.into_iter().take(SWITCHES) {
            if let Some(judged) = self.switched(source, switch)? {
                return Ok(Some(judged));
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
        Ok(open)
    }

    fn switched(&self, source: NodeId, switch: ValueId) -> Result<Option<Judged>> {
        let with = |number: f64| {
            self.assume(Some((switch, number)));
            let attempt = self.attempt(source);
            self.assume(None);
            attempt
        };
        let (on, off) = (with(1.0)?, with(0.0)?);
        let one = match (on, off) {
            (Some(attempt), None) => Some((attempt, 0.0)),
            (None, Some(attempt)) => Some((attempt, 1.0)),
            _ => None,
        };
        if let Some((attempt, off)) = one {
            return Ok(Some(Judged {
                switch: Some((switch, off)),
                ..Judged::plain(attempt)
            }));
        }
        // a probability: to keep or to drop
        let rate = 0.7;
        let (Some(attempt), Some(other)) = (with(rate)?, with(0.6)?) else {
            return Ok(None);
        };
        let inverted = |attempt: &Attempt| {
            let leading = attempt.leading();
            leading.is_some_and(|found| found.class.scaling == Scaling::Inverted)
        };
        let open_rate = inverted(&attempt) && inverted(&other);
        Ok(open_rate.then(|| Judged {
            assumed: Some((switch, rate)),
            ..Judged::plain(attempt)
        }))
    }

    fn assume(&self, assumption: Option<(ValueId, f64)>) {
        *self.assumed.borrow_mut() = assumption.into_iter().collect();
        self.known.borrow_mut().clear();
    }

    /// The input of the model that a number is, be it cast, negated or reshaped: one that a run has
    /// to give.
    pub(super) fn open(&self, mut value: ValueId) -> Option<ValueId> {
        for _ in 0..DEPTH {
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
                    if !node.in_default_domain() || !(is_layout(op_type) || op_type == "Not") {
                        return None;
                    }
                    value = self.values.input(id, 0)?;
                }
                _ => return None,
            }
        }
        None
    }

    /// Looks at the draw once for every way of calling the function around it.
    fn by_calls(&self, source: NodeId) -> Result<Option<Judged>> {
        let ways = self.ways(source);
        if ways.len() < 2 {
            return Ok(None);
        }
        let mut attempts = Vec::new();
        for way in ways {
            let _focus: Vec<Focus<'_, '_>> = way
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

    /// Every chain of calls from outside all functions to the one around a node, innermost first.
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
                return Vec::new();
            }
        }
        done
    }

    /// From now on a function is called from one place only, until this is dropped.
    pub(super) fn focus(&self, function: usize, call: NodeId) -> Focus<'_, '_> {
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
