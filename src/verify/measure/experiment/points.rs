//! Trials in which all elements of a draw are the same: where the mask changes, and what it keeps.

use super::super::expected::{Draw, resolution};
use super::super::law::{Line, Outcome};
use super::{Edge, Experiment, Stage, plain};

impl Experiment {
    pub(super) fn take_point(&mut self, at: usize, outcome: &Outcome) -> Result<(), String> {
        if self.expected.draw.is_none() {
            self.stage = None;
            return self.take_frozen(outcome);
        }
        let line = Line::through(outcome, self.tolerance)?;
        if self.expected.counted.is_some() {
            self.stage = Some(Stage::Counted(0));
            return match line.is_near(Line::times(1.0), self.tolerance) {
                true => Ok(()),
                false => Err(format!(
                    "multiplies its data by {} where all of it is kept",
                    plain(line.factor)
                )),
            };
        }
        self.lines.push(line);
        self.stage = Some(Stage::Points(at + 1));
        match self.lines.len() < self.points.len() {
            true => Ok(()),
            false => self.end_points(outcome),
        }
    }

    /// Checks that all points keep or drop, or lie on a line.
    pub(super) fn end_points(&mut self, outcome: &Outcome) -> Result<(), String> {
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
    pub(super) fn next_edge(&mut self, from: usize, outcome: &Outcome) -> Result<(), String> {
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
        self.stage = Some(Stage::Edge(Edge {
            at,
            low,
            high,
            steps: 0,
            is_odd: false,
        }));
        Ok(())
    }

    pub(super) fn take_edge(&mut self, outcome: &Outcome, edge: Edge) -> Result<(), String> {
        let line = Line::through(outcome, self.tolerance)?;
        let Edge {
            at,
            low,
            high,
            steps,
            is_odd,
        } = edge;
        let middle = edge.middle();
        let before = self.drops(&self.lines[at]);
        let known = [self.lines[at], self.lines[at + 1]];
        let size = low.abs().max(high.abs()).max(1e-3);
        let step = resolution(self.element) * size;
        if !known
            .iter()
            .any(|known| line.is_near(*known, self.tolerance))
        {
            if !is_odd {
                let is_odd = true;
                self.stage = Some(Stage::Edge(Edge { is_odd, ..edge }));
                return Ok(());
            }
            if high - low > 16.0 * step {
                return Err(format!(
                    "multiplies what it keeps by {} or {}, as drawn",
                    plain(known[usize::from(before)].factor),
                    plain(line.factor)
                ));
            }
            self.edges.push((middle, known[0], known[1]));
            return self.next_edge(at + 1, outcome);
        }
        let (low, high) = match self.drops(&line) == before {
            true => (middle, high),
            false => (low, middle),
        };
        if high - low > step && steps < 60 {
            let steps = steps + 1;
            let is_odd = false;
            self.stage = Some(Stage::Edge(Edge {
                at,
                low,
                high,
                steps,
                is_odd,
            }));
            return Ok(());
        }
        self.edges.push(((low + high) / 2.0, known[0], known[1]));
        self.next_edge(at + 1, outcome)
    }

    /// The point that keeps (or drops), in the middle of most others that do.
    pub(super) fn surest(&self, dropped: bool) -> Option<usize> {
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
}
