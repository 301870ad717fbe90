//! What a random operator draws.

use crate::error::Result;
use crate::onnx::{NodeId, ValueId};
use crate::semantics::draws::distribution;
use crate::semantics::operator::Distribution;

use super::Finder;
use super::conditions::Conditions;
use super::law::{Interval, Law, Var, inside};

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
    pub(super) fn draw(&self, source: NodeId, conditions: &Conditions) -> Result<Option<Draw>> {
        let node = self.view.node(source);
        let number = |name: &str, default: f32| f64::from(node.float(name, default));
        let Some(distribution) = distribution(node) else {
            return Ok(None);
        };
        let Some(drawn) = node.output(0) else {
            return Ok(None);
        };
        let normal = distribution == Distribution::Normal;
        let var = Var { map: 0, normal };
        let law = match distribution {
            Distribution::Uniform => {
                let (low, high) = (number("low", 0.0), number("high", 1.0));
                Law::affine(low, high - low, var)
            }
            Distribution::Normal => Law::affine(number("mean", 0.0), number("scale", 1.0), var),
            Distribution::Bernoulli => match node.input(0) {
                Some(input) => match self.number(input.id, conditions)? {
                    Some(one) => Law::step(var, 1.0 - one),
                    None => return Ok(None),
                },
                None => return Ok(None),
            },
            Distribution::Multinomial => return Ok(None),
        };
        Ok(Some(Draw {
            drawn: drawn.id,
            law,
            var,
        }))
    }
}
