//! What was measured, compared with what was assumed.

use crate::dropout::Kind;

use super::super::expected::{Draw, Expected};
use super::super::law::Line;
use super::{Experiment, plain};

impl Experiment {
    /// Checks how much of the draw is dropped.
    pub(super) fn check_rate(&mut self) -> Result<(), String> {
        let Some(draw) = self.expected.draw.filter(|_| !self.is_normal()) else {
            return Ok(());
        };
        let drops = self.lines.first().is_some_and(|line| self.drops(line));
        let ends = self.edges.iter().map(|edge| draw.below(edge.0));
        let ends: Vec<f64> = [0.0].into_iter().chain(ends).chain([1.0]).collect();
        let parts = ends.windows(2).map(|pair| pair[1] - pair[0]);
        let dropped = parts.skip(usize::from(!drops)).step_by(2);
        let mut rate: f64 = dropped.sum();
        let near = self.near();
        if let (Draw::Bernoulli { .. }, Some(wanted)) = (draw, self.expected.rate)
            && (1.0 - rate - wanted).abs() <= near
        {
            rate = 1.0 - rate; // as ONNX Runtime draws, for which jax2onnx writes
        }
        self.check_dropped(rate, near)?;
        match self.expected.kind {
            Kind::AlphaDropout => self.check_alpha(rate),
            _ => {
                self.check_zeros()?;
                self.check_inference(self.measured.kept, rate, near)
            }
        }
    }

    /// Checks that what is dropped is 0.
    fn check_zeros(&self) -> Result<(), String> {
        if self.expected.integers || self.drops_keys() {
            return Ok(());
        }
        let mut dropped = self.lines.iter().filter(|line| self.drops(line));
        match dropped.find(|line| !line.is_near(Line::times(0.0), self.tolerance)) {
            None => Ok(()),
            Some(line) => Err(format!(
                "sets what it drops to {}, where 0 was assumed",
                plain(line.shift)
            )),
        }
    }

    /// True of a mask before a Softmax, which makes 0 of what is far below all else: inference leaves the
    /// data as it is (Li et al. 2022, DropKey).
    fn drops_keys(&self) -> bool {
        let mut dropped = self.lines.iter().filter(|line| self.drops(line));
        dropped
            .next()
            .is_some_and(|line| line.shift == f64::NEG_INFINITY)
    }

    pub(super) fn check_dropped(&mut self, rate: f64, near: f64) -> Result<(), String> {
        self.measured.rate = plain(rate);
        match self.expected.rate {
            Some(wanted) if (rate - wanted).abs() > near => {
                Err(format!("drops {}, where {wanted} was assumed", plain(rate)))
            }
            _ => Ok(()),
        }
    }

    /// Checks that what the rewrite leaves is the mean of what comes out, or what is kept where inference
    /// leaves that as it is.
    pub(super) fn check_inference(&self, kept: f64, rate: f64, near: f64) -> Result<(), String> {
        let expected = &self.expected;
        let as_kept = expected.unscaled || expected.integers || self.drops_keys();
        self.check_scale(if as_kept { kept } else { kept * (1.0 - rate) }, near)
    }

    fn check_scale(&self, mean: f64, near: f64) -> Result<(), String> {
        let Some(wanted) = self.expected.scale else {
            return Ok(());
        };
        match (mean - wanted).abs() <= wanted.abs().max(1.0) * self.tolerance.max(near) {
            true => Ok(()),
            false => Err(format!(
                "multiplies its data by {} on average, where the rewrite leaves {}",
                plain(mean),
                plain(wanted)
            )),
        }
    }

    pub(super) fn check_alpha(&self, rate: f64) -> Result<(), String> {
        let (kept, dropped) = Expected::alpha(rate);
        let dropped = Line {
            factor: 0.0,
            shift: dropped,
        };
        // exporters write the constants with few digits
        let tolerance = self.tolerance.max(1e-3);
        for line in &self.lines {
            let wanted = if self.drops(line) { dropped } else { kept };
            if !line.is_near(wanted, tolerance) {
                return Err(format!(
                    "makes {:.5}·x{:+.5} of x, where alpha dropout makes {:.5}·x{:+.5}",
                    line.factor, line.shift, wanted.factor, wanted.shift
                ));
            }
        }
        Ok(())
    }

    /// Gaussian dropout multiplies by N(1, p/(1-p)), noise adds N(0, σ²).
    pub(super) fn check_normal(&mut self) -> Result<(), String> {
        let Some(Draw::Normal { mean, deviation }) = self.expected.draw else {
            return Err("does not draw normal numbers".into());
        };
        let noise = self.expected.kind == Kind::GaussianNoise;
        let part = |line: &Line| match noise {
            true => (line.shift, line.factor),
            false => (line.factor, line.shift),
        };
        let (first, last) = (
            part(&self.lines[0]),
            part(&self.lines[self.lines.len() - 1]),
        );
        let width = self.points[self.points.len() - 1] - self.points[0];
        let slope = (last.0 - first.0) / width;
        let middle = first.0 + slope * (mean - self.points[0]);
        let (centre, other) = if noise { (0.0, 1.0) } else { (1.0, 0.0) };
        let near = |one: f64, two: f64| (one - two).abs() <= (2.0 * self.tolerance).max(4e-4);
        for (point, line) in self.points.iter().zip(&self.lines) {
            let found = part(line);
            let straight = first.0 + slope * (point - self.points[0]);
            if !near(found.0, straight) || !near(found.1, other) {
                return Err(format!(
                    "makes {:.5}·x{:+.5} of x for a draw of {point}",
                    line.factor, line.shift
                ));
            }
        }
        if !near(middle, centre) {
            return Err(format!(
                "has the mean {middle:.5}, where {centre} was assumed"
            ));
        }
        let deviation = (slope * deviation).abs();
        let rate = match noise {
            true => deviation,
            false => deviation * deviation / (1.0 + deviation * deviation),
        };
        (self.measured.rate, self.measured.kept) = (plain(rate), 1.0);
        match self.expected.rate {
            Some(wanted) if (rate - wanted).abs() > 1e-3_f64.max(self.near()) => Err(format!(
                "has the rate {rate:.5}, where {wanted} was assumed"
            )),
            _ => Ok(()),
        }
    }
}
