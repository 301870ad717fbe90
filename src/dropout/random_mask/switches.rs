//! Numbers that the file leaves open: inputs of the model that switch dropout on, or are its rate.

use crate::dropout::Scaling;
use crate::error::Result;
use crate::onnx::{Dimension, GraphKind, NodeId, Producer, ValueId, ValueType};

use super::Finder;
use super::attempt::Attempt;
use super::conditions::Conditions;
use super::judge::Judged;
use super::law::Law;
use super::maps::NUMBER;
use super::piece::{Piece, Var};
use super::scalar;

/// How far computed numbers may be from what they ought to be: exporters write float32.
pub(super) const NEAR: f64 = 1e-4;

/// A number that an input of the model decides on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Open {
    pub input: ValueId,
    /// The first boolean that is made of the input; the input itself where there is none.
    pub assumed: ValueId,
}

impl Finder<'_> {
    /// The input of the model that a number is made of, with constants alone: one that a run has to
    /// give.
    pub(super) fn open(&self, value: ValueId, conditions: &Conditions) -> Result<Option<Open>> {
        let mut at = self.view.value(value);
        let mut decides = None;
        loop {
            if self.is_flag(at.id) {
                decides = Some(at.id);
            }
            let known = at.get();
            let node = match known.producer {
                Producer::Input(index) => {
                    let graph = self.view.model.graph(known.graph);
                    if let GraphKind::Function(function) = graph.kind {
                        // the same value, passed by every call
                        let calls = self.calls(function, conditions).into_iter();
                        let mut given =
                            calls.map(|call| self.view.node(call).input(index as usize));
                        match given.next().flatten() {
                            Some(first) if given.all(|other| other == Some(first)) => at = first,
                            _ => return Ok(None),
                        }
                        continue;
                    }
                    let shape = match graph.inputs[index as usize].value_type() {
                        ValueType::Tensor { shape, .. } => shape,
                        _ => None,
                    };
                    let one = shape
                        .is_some_and(|shape| shape.iter().all(|dim| *dim == Dimension::Size(1)));
                    let main = graph.kind == GraphKind::Main;
                    return Ok((main && one).then_some(Open {
                        input: at.id,
                        assumed: decides.unwrap_or(at.id),
                    }));
                }
                Producer::Node { node, output: 0 } => self.view.node(node),
                _ => return Ok(None),
            };
            let Some(operator) = node.operator() else {
                return Ok(None);
            };
            let inputs = node.inputs().flatten();
            let next = if operator.copies() {
                inputs.into_iter().next()
            } else if scalar::is_scalar(operator.name, node.get().inputs.len()) {
                let mut open = None;
                for input in inputs {
                    let known = self.constant(input.id, conditions)?;
                    if known.is_none_or(|known| known.default) && open.replace(input).is_some() {
                        return Ok(None);
                    }
                }
                open
            } else {
                None
            };
            match next {
                Some(next) => at = next,
                None => return Ok(None),
            }
        }
    }

    /// What only a run decides on, of all that is combined with a draw before data is.
    pub(super) fn open_numbers(&self, source: NodeId) -> Result<Vec<Open>> {
        let conditions = &self.conditions;
        let node = self.view.node(source);
        let mut open = match self.draw(source, conditions)? {
            Some(draw) => self.walk(&[(draw.drawn, draw.law)], conditions)?.open,
            None => Vec::new(),
        };
        let decides = match node.op() {
            "Bernoulli" => node.input(0),
            "Dropout" => node.input(2),
            _ => None,
        };
        if let Some(decides) = decides {
            open.extend(self.open(decides.id, conditions)?);
        }
        Ok(open)
    }

    /// What a draw is where one input of the model switches it on, or is its rate.
    pub(super) fn switched(&self, source: NodeId, open: Open) -> Result<Option<Judged>> {
        let given = |number| Conditions::given(open.assumed, number);
        let with = |number: f64| self.attempt(source, &given(number));
        let (on, off) = (with(1.0)?, with(0.0)?);
        let one = match (on, off) {
            (Some(attempt), None) => Some((attempt, 0.0)),
            (None, Some(attempt)) => Some((attempt, 1.0)),
            _ => None,
        };
        if let Some((attempt, off)) = one {
            let passes = self.passes(source, &attempt, &given(off))?;
            let number = match open.assumed == open.input {
                true => Some(off),
                false => self.number_for(open, off)?,
            };
            let boolean = self.is_flag(open.assumed);
            let Some(number) = number.filter(|_| boolean || passes) else {
                return Ok(None);
            };
            if !boolean && !self.is_mixture(source, open, &attempt)? {
                return Ok(None);
            }
            return Ok(Some(Judged {
                switch: Some((open.input, number)),
                passes,
                ..Judged::plain(attempt)
            }));
        }
        self.given_rate(source, open)
    }

    /// What the input is where the boolean that is made of it is off.
    fn number_for(&self, open: Open, off: f64) -> Result<Option<f64>> {
        for number in [0.0, 1.0] {
            let conditions = Conditions::given(open.input, number);
            if self.number(open.assumed, &conditions)? == Some(off) {
                return Ok(Some(number));
            }
        }
        Ok(None)
    }

    /// A draw whose probability, to keep or to drop, is known only in a run.
    fn given_rate(&self, source: NodeId, open: Open) -> Result<Option<Judged>> {
        let element = self.view.value(open.assumed).element_type();
        if element.is_some_and(|element| !element.is_float()) {
            return Ok(None);
        }
        let (taken, other) = (0.71875, 0.59375); // no rate that anybody writes
        let with = |number: f64| self.attempt(source, &Conditions::given(open.input, number));
        let (Some(attempt), Some(other)) = (with(taken)?, with(other)?) else {
            return Ok(None);
        };
        let inverted = |attempt: &Attempt| {
            let leading = attempt.leading();
            leading.is_some_and(|found| found.class.scaling == Scaling::Inverted)
        };
        let outputs = |attempt: &Attempt| -> Vec<ValueId> {
            attempt.junctions.iter().map(|found| found.output).collect()
        };
        let same = outputs(&attempt) == outputs(&other);
        let is_rate = same && inverted(&attempt) && inverted(&other);
        Ok(is_rate.then(|| Judged {
            given: Some((open.input, taken)),
            ..Judged::plain(attempt)
        }))
    }

    /// True if a number mixes dropout with its inference form, whatever it is: what it multiplies
    /// has no effect on the mean.
    fn is_mixture(&self, source: NodeId, open: Open, on: &Attempt) -> Result<bool> {
        let conditions = &self.conditions;
        let Some(draw) = self.draw(source, conditions)? else {
            return Ok(false);
        };
        let number = Var {
            map: NUMBER,
            normal: true, // any number
        };
        let seeds = [
            (draw.drawn, draw.law),
            (open.input, Law::affine(0.0, 1.0, number)),
        ];
        let trace = self.walk(&seeds, conditions)?;
        Ok(on.junctions.iter().all(|found| {
            let form = trace.forms.get(&found.output);
            let term = form.and_then(|form| form.single().filter(|_| form.rest.is_zero()));
            let Some(term) = term.filter(|term| term.atom == found.data && term.law.is_known())
            else {
                return false;
            };
            let mut mean = 0.0;
            for (cell, mass, piece) in term.law.cells() {
                if cell.iter().any(|(var, _)| *var == number) {
                    return false;
                }
                match piece {
                    Piece::Affine(_, slope, var) if var == number => mean += mass * slope,
                    Piece::Constant(_) => {}
                    _ => return false,
                }
            }
            mean.abs() < NEAR
        }))
    }
}
