//! What a random operator draws.

use crate::error::Result;
use crate::onnx::{AttributeValue, NodeId, ValueId};
use crate::semantics::draws::{distribution, drawn, second_of_two};
use crate::semantics::operator::Distribution;
use crate::semantics::view::NodeRef;

use super::Finder;
use super::conditions::Conditions;
use super::law::Law;
use super::maps;
use super::piece::{Interval, Var, inside};

/// The elements of a draw as a law of a variable.
#[derive(Clone, Debug)]
pub(super) struct Draw {
    pub drawn: ValueId,
    pub law: Law,
    pub var: Var,
}

impl Draw {
    /// What is drawn in an interval of the variable.
    pub fn values(&self, interval: Interval) -> Interval {
        let value = |u: f64| self.law.at(&[(self.var, u)]).unwrap_or(u);
        let point = value(inside(interval));
        let steps = self.law.as_affine().is_none();
        match interval.0.is_finite() && interval.1.is_finite() && !steps {
            true => (value(interval.0), value(interval.1)),
            false => (point, point),
        }
    }
}

impl Finder<'_> {
    /// A draw and those that are looked at together with it, each with its law.
    pub(super) fn seeds(
        &self,
        source: NodeId,
        conditions: &Conditions,
    ) -> Result<Vec<(ValueId, Law)>> {
        let mut seeds = Vec::new();
        for (place, &draw) in [source].iter().chain(&conditions.draws).enumerate() {
            if let Some(draw) = self.draw(draw, conditions)? {
                let map = place.checked_sub(1).map_or(0, maps::other);
                let law = draw.law.renamed(|var| Var { map, ..var });
                seeds.push((draw.drawn, law));
            }
        }
        Ok(seeds)
    }

    pub(super) fn draw(&self, source: NodeId, conditions: &Conditions) -> Result<Option<Draw>> {
        let node = self.view.node(source);
        let Some(drawn) = drawn(node) else {
            return Ok(None);
        };
        let Some(distribution) = distribution(node) else {
            return self.toss(node, drawn.id, conditions);
        };
        let normal = distribution == Distribution::Normal;
        let var = Var { map: 0, normal };
        let law = match distribution {
            Distribution::Uniform => {
                match self.pair(node, [("low", 0.0), ("high", 1.0)], conditions)? {
                    Some([low, high]) => Law::affine(low, high - low, var),
                    None => return Ok(None),
                }
            }
            Distribution::Normal => {
                match self.pair(node, [("mean", 0.0), ("scale", 1.0)], conditions)? {
                    Some([mean, scale]) => Law::affine(mean, scale, var),
                    None => return Ok(None),
                }
            }
            Distribution::Bernoulli => match self.share_of_ones(node, conditions)? {
                Some(ones) => Law::step(var, 1.0 - ones, 1.0),
                None => return Ok(None),
            },
            Distribution::Multinomial => match second_of_two(node)? {
                Some(ones) => Law::step(var, 1.0 - ones, 1.0),
                None => return Ok(None),
            },
        };
        Ok(Some(Draw {
            drawn: drawn.id,
            law,
            var,
        }))
    }

    /// A Dropout that tosses a coin: its mask, or what it makes of a constant.
    fn toss(
        &self,
        node: NodeRef<'_>,
        drawn: ValueId,
        conditions: &Conditions,
    ) -> Result<Option<Draw>> {
        let number = |input: usize| match node.input(input) {
            Some(input) => self.number(input.id, conditions),
            None => Ok(None),
        };
        let is_mask = node.output(1).is_some_and(|mask| mask.id == drawn);
        let value = if is_mask { Some(1.0) } else { number(0)? };
        let rate = match node.input(1) {
            Some(_) => number(1)?,
            None => Some(0.5),
        };
        let acts = node.is("Dropout") && number(2)? == Some(1.0);
        let (Some(value), Some(rate)) = (value, rate.filter(|_| acts)) else {
            return Ok(None);
        };
        let var = Var {
            map: 0,
            normal: false,
        };
        let kept = if is_mask { 1.0 } else { value / (1.0 - rate) };
        Ok(Some(Draw {
            drawn,
            law: Law::step(var, rate, kept),
            var,
        }))
    }

    /// Two float attributes, or their defaults; `None` if a caller passes what is unknown.
    fn pair(
        &self,
        node: NodeRef<'_>,
        of: [(&str, f32); 2],
        conditions: &Conditions,
    ) -> Result<Option<[f64; 2]>> {
        let mut numbers = [0.0; 2];
        for (number, (name, default)) in numbers.iter_mut().zip(of) {
            let attribute = node.get().attribute(name).map(|a| &a.value);
            *number = match attribute {
                Some(AttributeValue::Reference(outer, _)) => {
                    match self.referenced(node, outer, conditions)? {
                        Some(passed) => passed.number,
                        None => return Ok(None),
                    }
                }
                _ => f64::from(node.float(name, default)),
            };
        }
        Ok(Some(numbers))
    }

    /// The probability of a one, where zeros and ones are drawn: the input of a Bernoulli, or that of a
    /// binomial draw of one trial, as tf2onnx writes it: shape, seed, trials, probability.
    fn share_of_ones(&self, node: NodeRef<'_>, conditions: &Conditions) -> Result<Option<f64>> {
        let number = |input: usize| match node.input(input) {
            Some(input) => self.number(input.id, conditions),
            None => Ok(None),
        };
        match node.is("StatelessRandomBinomial") {
            true if number(2)? == Some(1.0) => number(3),
            true => Ok(None),
            false => number(0),
        }
    }
}
