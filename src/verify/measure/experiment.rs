//! The trials that measure one region, each decided by what came out of those before.

use crate::dropout::Kind;
use crate::onnx::DataType;

use super::expected::{Draw, Expected, resolution};
use super::law::{Line, Map, Outcome};

/// What is fed in a trial.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Trial {
    pub draw: Fill,
    /// Whether the switch is on.
    pub on: bool,
}

/// The elements of the draw.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Fill {
    /// All the same.
    All(f64),
    /// Those whose index has a bit (or has it not, if inverted) are the second, the others the first.
    Coded {
        numbers: (f64, f64),
        bit: u32,
        inverted: bool,
    },
    /// As the draw has them.
    Random,
}

/// What a region was measured to do.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Measured {
    /// The probability to drop; the standard deviation of noise.
    pub rate: f64,
    /// How far the rate may be from that; 0 if it was found exactly.
    pub within: f64,
    /// What kept elements are multiplied by.
    pub kept: f64,
    /// For each axis of the output, whether draws are shared along it.
    pub shared: Vec<bool>,
}

/// Why nothing was measured.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Fault {
    /// The region does something else than what is assumed.
    Unlike(String),
    /// What it does cannot be measured.
    Unknown(String),
}

#[derive(Clone, Debug, PartialEq)]
enum Stage {
    /// The same number everywhere, point by point.
    Points(usize),
    /// Between two points, where the mask changes.
    Edge {
        at: usize,
        low: f64,
        high: f64,
        steps: u32,
    },
    /// Which element of the draw decides which of the output.
    Code { bit: u32, inverted: bool },
    /// Drawn at random, run by run: where elements are decided by several of a draw.
    Sample(u32),
    /// With the switch off.
    Off,
}

/// Runs with random draws.
const SAMPLES: u32 = 512;

/// The measurement of one region, so far.
pub(super) struct Experiment {
    expected: Expected,
    tolerance: f64,
    /// Of the draw: its type and the number of its elements.
    element: DataType,
    drawn: usize,
    points: Vec<f64>,
    lines: Vec<Line>,
    /// Where the mask changes, with the lines before and after.
    edges: Vec<(f64, Line, Line)>,
    stage: Option<Stage>,
    /// A number that keeps and one that drops, and what elements become of them.
    two: Option<[(f64, Line); 2]>,
    codes: Vec<usize>,
    seen: Vec<Option<bool>>,
    /// Whether several elements of the draw decide about one.
    several: bool,
    dropped: usize,
    measured: Measured,
    fault: Option<Fault>,
}

impl Experiment {
    pub fn new(expected: Expected, tolerance: f64, (element, drawn): (DataType, usize)) -> Self {
        let points = match expected.draw {
            Some(draw) => draw.points(&expected.points),
            None => vec![0.0],
        };
        Experiment {
            expected,
            tolerance,
            element,
            drawn,
            points,
            lines: Vec::new(),
            edges: Vec::new(),
            stage: Some(Stage::Points(0)),
            two: None,
            codes: Vec::new(),
            seen: Vec::new(),
            several: false,
            dropped: 0,
            measured: Measured::default(),
            fault: None,
        }
    }

    /// What to try next; `None` at the end.
    pub fn next(&self) -> Option<Trial> {
        if self.fault.is_some() {
            return None;
        }
        let draw = match self.stage.as_ref()? {
            Stage::Points(at) => Fill::All(self.points[*at]),
            Stage::Edge { low, high, .. } => Fill::All((low + high) / 2.0),
            Stage::Code { bit, inverted } => {
                let [kept, dropped] = self.two?;
                Fill::Coded {
                    numbers: (kept.0, dropped.0),
                    bit: *bit,
                    inverted: *inverted,
                }
            }
            Stage::Sample(_) => Fill::Random,
            Stage::Off => Fill::Coded {
                numbers: (self.points[0], self.points[self.points.len() - 1]),
                bit: 0,
                inverted: false,
            },
        };
        let on = self.stage != Some(Stage::Off);
        Some(Trial { draw, on })
    }

    /// Takes what came out.
    pub fn take(&mut self, outcome: &Outcome) {
        let Some(stage) = self.stage.clone() else {
            return;
        };
        let taken = match stage {
            Stage::Points(at) => self.take_point(at, outcome),
            Stage::Edge {
                at,
                low,
                high,
                steps,
            } => self.take_edge(outcome, at, (low, high), steps),
            Stage::Code { bit, inverted } => self.take_code(outcome, bit, inverted),
            Stage::Sample(number) => self.take_sample(outcome, number),
            Stage::Off => self.take_off(outcome),
        };
        if let Err(why) = taken {
            self.refute(why);
        }
    }

    /// Ends it: the model could not be run.
    pub fn stop(&mut self, why: String) {
        self.fault.get_or_insert(Fault::Unknown(why));
    }

    /// Ends it: the region does something else.
    pub fn refute(&mut self, why: String) {
        self.fault.get_or_insert(Fault::Unlike(why));
    }

    /// How the elements of the draw are distributed.
    pub fn draw(&self) -> Option<Draw> {
        self.expected.draw
    }

    pub fn result(&self) -> Result<Measured, Fault> {
        match (&self.fault, &self.stage) {
            (Some(fault), _) => Err(fault.clone()),
            (None, Some(_)) => Err(Fault::Unknown("its measurement did not end".into())),
            (None, None) => Ok(self.measured.clone()),
        }
    }

    fn take_point(&mut self, at: usize, outcome: &Outcome) -> Result<(), String> {
        if self.expected.draw.is_none() {
            self.stage = None;
            return self.take_frozen(outcome);
        }
        let line = Line::through(outcome, self.tolerance)?;
        self.lines.push(line);
        self.stage = Some(Stage::Points(at + 1));
        match self.lines.len() < self.points.len() {
            true => Ok(()),
            false => self.end_points(outcome),
        }
    }

    /// Checks that all points keep or drop, or lie on a line.
    fn end_points(&mut self, outcome: &Outcome) -> Result<(), String> {
        if self.is_normal() {
            self.check_normal()?;
            return self.begin_codes(outcome);
        }
        let kept: Vec<Line> = (self.lines.iter().copied())
            .filter(|line| !self.drops(line))
            .collect();
        let Some(&first) = kept.first() else {
            return Err("drops all its data, whatever is drawn".into());
        };
        if let Some(other) = kept
            .iter()
            .find(|line| !line.is_near(first, self.tolerance))
        {
            return Err(format!(
                "multiplies what it keeps by {} or {}, as drawn",
                plain(first.factor),
                plain(other.factor)
            ));
        }
        if let Some(wanted) = self.expected.kept
            && !first.is_near(wanted, self.tolerance)
        {
            return Err(format!(
                "multiplies what it keeps by {}, where {} was assumed",
                plain(first.factor),
                plain(wanted.factor)
            ));
        }
        self.measured.kept = first.factor;
        self.next_edge(0, outcome)
    }

    /// The next pair of points between which the mask changes.
    fn next_edge(&mut self, from: usize, outcome: &Outcome) -> Result<(), String> {
        let pairs = self.lines.windows(2).enumerate().skip(from);
        let mut changes = pairs.filter(|(_, pair)| self.drops(&pair[0]) != self.drops(&pair[1]));
        let Some((at, pair)) = changes.next() else {
            return self.begin_codes(outcome);
        };
        if let Some(Draw::Bernoulli { .. }) = self.expected.draw {
            self.edges.push((1.0, pair[0], pair[1]));
            return self.begin_codes(outcome);
        }
        let (low, high) = (self.points[at], self.points[at + 1]);
        let steps = 0;
        self.stage = Some(Stage::Edge {
            at,
            low,
            high,
            steps,
        });
        Ok(())
    }

    fn take_edge(
        &mut self,
        outcome: &Outcome,
        at: usize,
        (low, high): (f64, f64),
        steps: u32,
    ) -> Result<(), String> {
        let line = Line::through(outcome, self.tolerance)?;
        let middle = (low + high) / 2.0;
        let before = self.drops(&self.lines[at]);
        let known = [self.lines[at], self.lines[at + 1]];
        if !known
            .iter()
            .any(|known| line.is_near(*known, self.tolerance))
        {
            return Err(format!(
                "multiplies what it keeps by {} or {}, as drawn",
                plain(known[usize::from(before)].factor),
                plain(line.factor)
            ));
        }
        let (low, high) = match self.drops(&line) == before {
            true => (middle, high),
            false => (low, middle),
        };
        let size = low.abs().max(high.abs()).max(1e-3);
        if high - low > resolution(self.element) * size && steps < 60 {
            let steps = steps + 1;
            self.stage = Some(Stage::Edge {
                at,
                low,
                high,
                steps,
            });
            return Ok(());
        }
        self.edges.push(((low + high) / 2.0, known[0], known[1]));
        self.next_edge(at + 1, outcome)
    }

    /// Checks how much of the draw is dropped.
    fn check_rate(&mut self) -> Result<(), String> {
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
            _ => self.check_scale(self.measured.kept * (1.0 - rate), near),
        }
    }

    fn check_dropped(&mut self, rate: f64, near: f64) -> Result<(), String> {
        self.measured.rate = plain(rate);
        match self.expected.rate {
            Some(wanted) if (rate - wanted).abs() > near => {
                Err(format!("drops {}, where {wanted} was assumed", plain(rate)))
            }
            _ => Ok(()),
        }
    }

    /// Counts what is dropped of random draws.
    fn take_sample(&mut self, outcome: &Outcome, number: u32) -> Result<(), String> {
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
        self.check_scale(self.measured.kept * (1.0 - wanted), self.near())
    }

    /// Checks that the mean of what comes out is what the rewrite leaves.
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

    fn check_alpha(&self, rate: f64) -> Result<(), String> {
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
    fn check_normal(&mut self) -> Result<(), String> {
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
        let near = |one: f64, two: f64| (one - two).abs() <= 20.0 * self.tolerance;
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

    /// Chooses a number that keeps and one that drops.
    fn begin_codes(&mut self, outcome: &Outcome) -> Result<(), String> {
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

    /// The point that keeps (or drops), in the middle of most others that do.
    fn surest(&self, dropped: bool) -> Option<usize> {
        let mut best: Option<(usize, usize)> = None;
        let mut start = 0;
        for at in 0..self.lines.len() {
            if self.drops(&self.lines[at]) != dropped {
                start = at + 1;
                continue;
            }
            let long = at + 1 - start;
            if best.is_none_or(|(_, longest)| long > longest) {
                best = Some((start + (long - 1) / 2, long));
            }
        }
        Some(best?.0)
    }

    fn take_code(&mut self, outcome: &Outcome, bit: u32, inverted: bool) -> Result<(), String> {
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

    fn end_codes(&mut self, outcome: &Outcome) -> Result<(), String> {
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
        let Some(shared) = map.shared(&outcome.shape) else {
            return Err("shares draws between elements in no order of axes".into());
        };
        let is_shared = shared.contains(&true);
        self.measured.shared = shared;
        // data of one element along an axis shows nothing about it
        if is_shared && !self.expected.shared {
            return Err("shares draws between elements, where none was assumed to".into());
        }
        let long = outcome.shape.iter().any(|&size| size > 1);
        if !is_shared && self.expected.shared && long && self.drawn > 1 {
            return Err("draws for each element, where some were assumed to share".into());
        }
        Ok(())
    }

    fn take_off(&mut self, outcome: &Outcome) -> Result<(), String> {
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

    /// A constant mask: zeros, and one multiple.
    fn take_frozen(&mut self, outcome: &Outcome) -> Result<(), String> {
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
        self.measured.shared = vec![false; outcome.shape.len()];
        let rate = self.expected.rate.unwrap_or(dropped / all);
        // the mask was drawn once
        if (dropped - all * rate).abs() > 5.0 * (all * rate * (1.0 - rate)).sqrt() + 1.0 {
            return Err(format!(
                "drops {:.4} of {all} elements, where {rate} was assumed",
                dropped / all
            ));
        }
        self.check_scale(factor * (1.0 - rate), self.near())
    }

    fn is_normal(&self) -> bool {
        matches!(
            self.expected.kind,
            Kind::GaussianDropout | Kind::GaussianNoise
        )
    }

    fn drops(&self, line: &Line) -> bool {
        line.factor == 0.0
    }

    /// How close a measured rate has to be to an assumed one: thresholds are rounded as all numbers are.
    fn near(&self) -> f64 {
        (self.tolerance / 8.0).max(2e-6)
    }
}

/// Six digits: what was measured in single precision has no more.
fn plain(number: f64) -> f64 {
    let digits = format!("{number:.6}");
    digits.parse().unwrap_or(number)
}
