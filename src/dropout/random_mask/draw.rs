//! What a random operator draws.

use crate::error::Result;
use crate::onnx::{NodeId, ValueId, numbers};
use crate::semantics::draws::distribution;
use crate::semantics::operator::Distribution;
use crate::semantics::view::NodeRef;

use super::Finder;
use super::conditions::Conditions;
use super::law::{Interval, Law, Var, inside};

/// Probabilities of more bytes are not read.
const LARGEST: u64 = 1 << 16;

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
            Distribution::Bernoulli => match self.share_of_ones(node, conditions)? {
                Some(ones) => Law::step(var, 1.0 - ones),
                None => return Ok(None),
            },
            Distribution::Multinomial => match self.share_of_second(node)? {
                Some(ones) => Law::step(var, 1.0 - ones),
                None => return Ok(None),
            },
        };
        Ok(Some(Draw {
            drawn: drawn.id,
            law,
            var,
        }))
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

    /// The probability of the second of two classes, whose logarithms are the same in each row.
    fn share_of_second(&self, node: NodeRef<'_>) -> Result<Option<f64>> {
        let tensor = node.input(0).and_then(|value| value.initializer());
        let Some(tensor) = tensor.filter(|tensor| tensor.dims.last() == Some(&2)) else {
            return Ok(None);
        };
        let bytes = self.view.model.small_elements(tensor, LARGEST)?;
        let numbers = bytes.and_then(|bytes| numbers(tensor.data_type, &bytes));
        Ok(numbers.and_then(|numbers| {
            let (rows, _) = numbers.as_chunks::<2>();
            let (&first, others) = rows.split_first()?;
            let [zero, one] = first;
            let share = 1.0 / (1.0 + (zero - one).exp());
            others.iter().all(|row| *row == first).then_some(share)
        }))
    }
}
