//! The trials that measure one region, each decided by what came out of those before.

mod checks;
mod codes;
mod constant;
mod points;

use crate::dropout::Kind;
use crate::onnx::DataType;

use super::expected::{Draw, Expected};
use super::law::{Line, Outcome};

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
    /// Whether nothing is drawn: the mask is a constant.
    pub constant: bool,
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
    Edge(Edge),
    /// Which element of the draw decides which of the output.
    Code { bit: u32, inverted: bool },
    /// Drawn at random, run by run: where elements are decided by several of a draw.
    Sample(u32),
    /// As well, where the share that is kept decides about the scale.
    Counted(u32),
    /// With the switch off.
    Off,
}

/// An interval in which the mask changes.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Edge {
    /// The index of the point before it.
    at: usize,
    low: f64,
    high: f64,
    steps: u32,
    /// The middle is the one number at which the mask does neither: the sign of 0 is 0.
    is_odd: bool,
}

impl Edge {
    fn middle(&self) -> f64 {
        let share = if self.is_odd { 0.4375 } else { 0.5 };
        self.low + (self.high - self.low) * share
    }
}

/// The tolerance of numbers that are rounded to 256 steps.
pub(super) const COARSE: f64 = 0.04;

/// Runs with random draws.
const SAMPLES: u32 = 512;

/// Runs with random draws, of masks that are rescaled by their count.
const COUNTS: u32 = 128;

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
        let mut points = match expected.draw {
            Some(_) if expected.counted.is_some() => {
                expected.points.iter().take(1).copied().collect()
            }
            Some(draw) => draw.points(&expected.points),
            None => vec![0.0],
        };
        if let Some(Draw::Normal { mean, deviation }) = expected.draw {
            let sigmas = |point: f64| (point - mean) / deviation;
            if tolerance >= COARSE {
                // what is rounded to few steps is cut off at an end of them
                points.retain(|&point| sigmas(point).abs() <= 1.2);
            }
            if let (Kind::GaussianDropout, Some(rate)) = (expected.kind, expected.rate) {
                // where the data and its noise cancel, rounding is all that is left
                let sigma = (rate / (1.0 - rate)).sqrt();
                points.retain(|&point| (1.0 + sigma * sigmas(point)).abs() > 0.2);
            }
        }
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
            Stage::Edge(edge) => Fill::All(edge.middle()),
            Stage::Code { bit, inverted } => {
                let [kept, dropped] = self.two?;
                Fill::Coded {
                    numbers: (kept.0, dropped.0),
                    bit: *bit,
                    inverted: *inverted,
                }
            }
            Stage::Sample(_) | Stage::Counted(_) => Fill::Random,
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
            Stage::Edge(edge) => self.take_edge(outcome, edge),
            Stage::Code { bit, inverted } => self.take_code(outcome, bit, inverted),
            Stage::Sample(number) => self.take_sample(outcome, number),
            Stage::Counted(number) => self.take_counted(outcome, number),
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
