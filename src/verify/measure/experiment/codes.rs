//! Trials in which elements of a draw differ: which of them decides each element of the output.

use super::super::expected::Counted;
use super::super::law::{Line, Map, Outcome};
use super::{COUNTS, Experiment, SAMPLES, Stage, plain};

impl Experiment {
    /// Chooses a number that keeps and one that drops.
    pub(super) fn begin_codes(&mut self, outcome: &Outcome) -> Result<(), String> {
        self.measured.shared = vec![true; outcome.shape.len()];
        let last = self.lines.len() - 1;
        let pair = match self.is_normal() {
            true => Some((last / 3, last - last / 3)),
            false => self.surest(false).zip(self.surest(true)),
        };
        let Some((kept, dropped)) = pair.filter(|_| self.drawn > 0) else {
            return self.end_codes(outcome);
        };
        let at = |place: usize| (self.points[place], self.lines[place]);
        self.two = Some([at(kept), at(dropped)]);
        self.codes = vec![0; outcome.output.len()];
        self.stage = Some(Stage::Code {
            bit: 0,
            inverted: false,
        });
        Ok(())
    }

    pub(super) fn take_code(
        &mut self,
        outcome: &Outcome,
        bit: u32,
        inverted: bool,
    ) -> Result<(), String> {
        let Some([kept, dropped]) = self.two else {
            return Ok(());
        };
        let mut seen = Vec::with_capacity(outcome.output.len());
        for (&y, &x) in outcome.output.iter().zip(&outcome.left) {
            let [keeps, drops] = [kept, dropped].map(|(_, line)| line.makes(y, x, self.tolerance));
            if !keeps && !drops {
                return Err(format!(
                    "makes {y} of {x} where different elements are drawn, so that elements decide \
                     about each other"
                ));
            }
            // where both are the same, neither is seen
            seen.push((keeps != drops).then_some(drops));
        }
        if !inverted {
            self.seen = seen;
            let inverted = true;
            self.stage = Some(Stage::Code { bit, inverted });
            return Ok(());
        }
        for (code, (one, other)) in self.codes.iter_mut().zip(self.seen.iter().zip(&seen)) {
            match (one, other) {
                (Some(one), Some(other)) if one != other => *code |= usize::from(*one) << bit,
                _ => self.several = true,
            }
        }
        if self.drawn >> (bit + 1) > 0 {
            let (bit, inverted) = (bit + 1, false);
            self.stage = Some(Stage::Code { bit, inverted });
            return Ok(());
        }
        self.end_codes(outcome)
    }

    pub(super) fn end_codes(&mut self, outcome: &Outcome) -> Result<(), String> {
        if self.several {
            self.stage = Some(Stage::Sample(0));
            return Ok(());
        }
        self.stage = self.expected.switched.then_some(Stage::Off);
        self.check_rate()?;
        if self.two.is_none() {
            return Ok(());
        }
        let map = Map {
            draws: std::mem::take(&mut self.codes),
        };
        // not along axes: rows that a Gather repeats
        let Some(shared) = map.shared(&outcome.shape) else {
            return Ok(());
        };
        let is_shared = shared.contains(&true);
        self.measured.shared = shared;
        // data of one element along an axis shows nothing about it
        if is_shared && self.expected.shared == Some(false) {
            return Err("shares draws between elements, where none was assumed to".into());
        }
        let long = outcome.shape.iter().any(|&size| size > 1);
        if !is_shared && self.expected.shared == Some(true) && long && self.drawn > 1 {
            return Err("draws for each element, where some were assumed to share".into());
        }
        Ok(())
    }

    /// Counts what is dropped of random draws.
    pub(super) fn take_sample(&mut self, outcome: &Outcome, number: u32) -> Result<(), String> {
        let Some([kept, dropped]) = self.two else {
            return Ok(());
        };
        for (&y, &x) in outcome.output.iter().zip(&outcome.left) {
            let [keeps, drops] = [kept, dropped].map(|(_, line)| line.makes(y, x, self.tolerance));
            if !keeps && !drops {
                return Err(format!("makes {y} of {x} for some draws"));
            }
            self.dropped += usize::from(drops);
        }
        self.stage = Some(Stage::Sample(number + 1));
        if number + 1 < SAMPLES {
            return Ok(());
        }
        self.stage = self.expected.switched.then_some(Stage::Off);
        let elements = outcome.output.len();
        let rate = self.dropped as f64 / (elements * SAMPLES as usize) as f64;
        // elements that share draws are not independent: those of the draw are
        let independent = elements.min(self.drawn / 2).max(1) * SAMPLES as usize;
        let wanted = self.expected.rate.unwrap_or(rate);
        let within = 5.0 * (wanted * (1.0 - wanted) / independent as f64).sqrt();
        self.measured.within = within;
        self.check_dropped(rate, within)?;
        self.check_inference(self.measured.kept, wanted, self.near())
    }

    pub(super) fn take_off(&mut self, outcome: &Outcome) -> Result<(), String> {
        self.stage = None;
        let line = Line::through(outcome, self.tolerance)?;
        let wanted = self.expected.scale.unwrap_or(line.factor);
        match line.is_near(Line::times(wanted), self.tolerance) {
            true => Ok(()),
            false => Err(format!(
                "makes {:.5}·x{:+.5} of x with its switch off, where the rewrite leaves {}·x",
                line.factor,
                line.shift,
                plain(wanted)
            )),
        }
    }

    /// A mask that keeps the mean of the data, or blocks that are not scaled.
    pub(super) fn take_counted(&mut self, outcome: &Outcome, number: u32) -> Result<(), String> {
        let factors = outcome.output.iter().zip(&outcome.left);
        let factors: Vec<f64> = factors.map(|(y, x)| y / x).collect();
        let all = factors.len() as f64;
        let dropped = factors.iter().filter(|factor| **factor == 0.0).count();
        let blocks = self.expected.counted == Some(Counted::Blocks);
        let mean = factors.iter().sum::<f64>() / all;
        let tolerance = 1e-3_f64.max(self.tolerance);
        let odd = match blocks {
            true => (factors.iter().copied())
                .find(|factor| *factor != 0.0 && (factor - 1.0).abs() > tolerance),
            // where nothing is kept there is no mean
            false => {
                Some(mean).filter(|mean| (mean - 1.0).abs() > tolerance && dropped < factors.len())
            }
        };
        if let Some(odd) = odd.filter(|odd| !odd.is_nan()) {
            return Err(match blocks {
                true => format!("multiplies what it keeps by {}", plain(odd)),
                false => format!("has {} of the mean of its data", plain(odd)),
            });
        }
        self.dropped += dropped;
        self.stage = Some(Stage::Counted(number + 1));
        if number + 1 < COUNTS {
            return Ok(());
        }
        self.stage = self.expected.switched.then_some(Stage::Off);
        if self.dropped == 0 {
            return Err("drops nothing".into());
        }
        let count = f64::from(COUNTS);
        let rate = self.dropped as f64 / (all * count);
        self.measured.kept = 1.0;
        self.measured.shared = vec![false; outcome.shape.len()];
        let wanted = self.expected.rate.unwrap_or(rate);
        let independent = count * (self.drawn.min(factors.len()) as f64);
        let within = 5.0 * (wanted * (1.0 - wanted) / independent).sqrt();
        self.measured.within = within;
        self.check_dropped(rate, within)
    }
}
