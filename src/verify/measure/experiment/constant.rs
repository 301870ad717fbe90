//! Constant masks: nothing is drawn, so the elements themselves are the evidence.

use crate::dropout::Kind;

use super::super::expected::Expected;
use super::super::law::{Line, Outcome};
use super::{Experiment, plain};

impl Experiment {
    /// A constant mask.
    pub(super) fn take_frozen(&mut self, outcome: &Outcome) -> Result<(), String> {
        self.measured.constant = true;
        self.measured.shared = vec![false; outcome.shape.len()];
        match self.expected.kind {
            Kind::Dropout => self.take_zeros(outcome),
            Kind::AlphaDropout => self.take_alpha(outcome),
            Kind::GaussianDropout | Kind::GaussianNoise => self.take_spread(outcome),
        }
    }

    fn take_zeros(&mut self, outcome: &Outcome) -> Result<(), String> {
        let pairs = || outcome.left.iter().zip(&outcome.output);
        let kept = pairs().filter(|(_, y)| **y != 0.0);
        let kept = kept.map(|(x, y)| y / x).next();
        let factor = kept.ok_or("drops all its data")?;
        let line = Line::times(factor);
        let odd = pairs().find(|&(&x, &y)| y != 0.0 && !line.makes(y, x, self.tolerance));
        if let Some((x, y)) = odd {
            return Err(format!(
                "makes {y} of {x}, and multiplies others by {factor}"
            ));
        }
        let all = outcome.output.len() as f64;
        let dropped = outcome.output.iter().filter(|y| **y == 0.0).count() as f64;
        self.measured.rate = plain(dropped / all);
        self.measured.kept = factor;
        self.check_share(dropped, all)?;
        let rate = self.expected.rate.unwrap_or(dropped / all);
        self.check_inference(factor, rate, self.near())
    }

    /// Elements that alpha dropout keeps, and the number to which it sets the others.
    fn take_alpha(&mut self, outcome: &Outcome) -> Result<(), String> {
        let rate = self.expected.rate.ok_or("has no rate")?;
        let (kept, dropped) = Expected::alpha(rate);
        let dropped = Line {
            factor: 0.0,
            shift: dropped,
        };
        // exporters write the constants with few digits
        let tolerance = self.tolerance.max(1e-3);
        let mut count = 0;
        for (&x, &y) in outcome.left.iter().zip(&outcome.output) {
            let drops = dropped.makes(y, x, tolerance);
            if !drops && !kept.makes(y, x, tolerance) {
                return Err(format!("makes {y} of {x}, unlike alpha dropout"));
            }
            count += usize::from(drops);
        }
        let (count, all) = (count as f64, outcome.output.len() as f64);
        (self.measured.rate, self.measured.kept) = (plain(count / all), kept.factor);
        self.check_share(count, all)
    }

    /// Factors around 1, or noise around 0: their mean and their spread.
    fn take_spread(&mut self, outcome: &Outcome) -> Result<(), String> {
        let noise = self.expected.kind == Kind::GaussianNoise;
        let pairs = outcome.left.iter().zip(&outcome.output);
        let parts: Vec<f64> = match noise {
            true => pairs.map(|(x, y)| y - x).collect(),
            false => pairs.map(|(x, y)| y / x - 1.0).collect(),
        };
        let all = parts.len() as f64;
        let drawn = self
            .expected
            .drawn
            .map_or(all, |drawn| (drawn as f64).min(all));
        let mean = parts.iter().sum::<f64>() / all;
        let variance = parts.iter().map(|part| part * part).sum::<f64>() / all;
        let rate = match noise {
            true => variance.sqrt(),
            false => variance / (1.0 + variance),
        };
        (self.measured.rate, self.measured.kept) = (plain(rate), 1.0);
        let wanted = self.expected.rate.unwrap_or(rate);
        let wanted = match noise {
            true => wanted * wanted,
            false => wanted / (1.0 - wanted),
        };
        let room = 5.0 * (2.0 / drawn).sqrt();
        let near = mean.abs() <= 5.0 * (wanted / drawn).sqrt();
        match near && (variance - wanted).abs() <= room * wanted {
            true => Ok(()),
            false => Err(format!(
                "has the mean {mean:.4} and the variance {variance:.4} around its data, where the \
                 variance {wanted:.4} was assumed"
            )),
        }
    }

    /// Checks how many elements are dropped: the mask was drawn once.
    fn check_share(&self, dropped: f64, all: f64) -> Result<(), String> {
        let rate = self.expected.rate.unwrap_or(dropped / all);
        let drawn = self
            .expected
            .drawn
            .map_or(all, |drawn| (drawn as f64).min(all));
        let room = 5.0 * (drawn * rate * (1.0 - rate)).sqrt() + 1.0;
        match (dropped / all - rate).abs() * drawn <= room {
            true => Ok(()),
            false => Err(format!(
                "drops {:.4} of {all} elements, where {rate} was assumed",
                dropped / all
            )),
        }
    }
}
