//! Gaussian dropout and noise whose draw is a constant: a product by numbers around 1, or a sum with numbers
//! around 0, that have the name of a normal draw.

use crate::dropout::{Kind, Scaling};
use crate::onnx::ValueId;
use crate::semantics::view::NodeRef;

use super::{Finder, FrozenInput, Junction, Meeting};

/// Fewer elements show nothing.
const FEWEST: usize = 16;

/// How many standard deviations the mean may be off.
const FAR: f64 = 4.5;

impl<'m> Finder<'m> {
    /// Gaussian dropout or noise by a constant, if this node is that; with the constant.
    pub(super) fn noise(&self, node: NodeRef<'m>) -> Option<(ValueId, Meeting)> {
        let (x, y) = (node.input(0)?.id, node.input(1)?.id);
        let mut pairs = [(0, x, y), (1, y, x)].into_iter();
        let (input, noise, data) = pairs.find(|&(_, noise, _)| self.is_normal(noise))?;
        let numbers = self.numbers(self.tensor(noise)?)?;
        let (mean, deviation) = moments(&numbers)?;
        let (kind, kept) = match node.is("Mul") {
            true => (Kind::GaussianDropout, 1.0),
            false => (Kind::GaussianNoise, 0.0),
        };
        let off = (mean - kept).abs() / deviation * (numbers.len() as f64).sqrt();
        if off > FAR || !(0.01..3.0).contains(&deviation) {
            return None;
        }
        let variance = deviation * deviation;
        let rate = match kind {
            Kind::GaussianNoise => deviation,
            _ => variance / (1.0 + variance),
        };
        let junction = Junction {
            node: node.id,
            data,
            path: Vec::new(),
            output: node.output(0)?.id,
            scale: 1.0,
            prescale: None,
            kept: (1.0, 0.0),
            frozen: vec![FrozenInput {
                node: node.id,
                input,
                kept,
            }],
        };
        let meeting = Meeting {
            junction,
            node: node.id,
            data,
            kind,
            // two digits are more than the numbers show
            rate: (rate * 100.0).round() / 100.0,
            scaling: Scaling::Inverted,
        };
        Some((noise, meeting))
    }

    /// True of a constant with the name of a normal draw.
    fn is_normal(&self, value: ValueId) -> bool {
        let value = self.facts.view().value(value);
        let name = value.get().name.as_str().unwrap_or_default();
        let enough = |elements: u64| elements >= FEWEST as u64;
        name.contains("random_normal")
            && self
                .tensor(value.id)
                .and_then(|tensor| tensor.elements())
                .is_some_and(enough)
    }
}

/// Mean and standard deviation; `None` if one of the numbers is out of the question for a normal draw.
fn moments(numbers: &[f64]) -> Option<(f64, f64)> {
    let count = numbers.len() as f64;
    let mean = numbers.iter().sum::<f64>() / count;
    let squares = numbers.iter().map(|number| (number - mean).powi(2));
    let deviation = (squares.sum::<f64>() / (count - 1.0)).sqrt();
    let fits = |number: &f64| (number - mean).abs() <= 6.0 * deviation;
    (deviation > 0.0 && numbers.iter().all(fits)).then_some((mean, deviation))
}
