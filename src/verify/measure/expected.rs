//! What a rewrite assumes about a use of a mask, as numbers to be measured.

use crate::dropout::{Form, Junction, Kind, Scaling, Site};
use crate::onnx::{DataType, NodeId};
use crate::semantics::draws::{distribution, drawn, second_of_two};
use crate::semantics::facts::Facts;
use crate::semantics::operator::Distribution;
use crate::semantics::scalar::epsilon;
use crate::semantics::view::View;

use super::law::Line;

/// −λα of SELU, what alpha dropout sets elements to before its own scale (Klambauer et al. 2017). Stated
/// here again: evidence shares no formula with what finds masks.
const ALPHA: f64 = -1.758_099_340_847_376_6;

/// What is assumed of a region.
#[derive(Clone, Debug)]
pub(super) struct Expected {
    pub kind: Kind,
    /// The probability to drop, or the standard deviation of noise; `None` where callers differ.
    pub rate: Option<f64>,
    /// What kept elements become.
    pub kept: Option<Line>,
    /// What the rewrite leaves is multiplied by this; `None` where the data is 0.
    pub scale: Option<f64>,
    /// Whether elements share draws; `None` if the shape of the data is not known.
    pub shared: Option<bool>,
    pub draw: Option<Draw>,
    /// Numbers for which the mask should keep and drop.
    pub points: Vec<f64>,
    pub switched: bool,
    /// Whether inference leaves the data as the mask leaves what it keeps, whatever it drops.
    pub unscaled: bool,
    /// Whether the data is integers, which dropout replaces by another: words by the unknown word.
    pub integers: bool,
    /// How elements are scaled, where several elements of the draw decide about each: by the share that is
    /// kept, or not at all.
    pub counted: Option<Counted>,
    /// The number of elements that were drawn for a constant mask.
    pub drawn: Option<usize>,
}

/// Masks that the law of one element does not describe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Counted {
    /// Rescaled by their own mean: DropBlock, DropHead.
    Rescaled,
    /// Blocks that nothing rescales.
    Blocks,
}

/// How the elements of a draw are distributed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Draw {
    Uniform {
        low: f64,
        high: f64,
    },
    Normal {
        mean: f64,
        deviation: f64,
    },
    /// A number with this probability, and else zero.
    Bernoulli {
        one: f64,
        number: f64,
    },
}

impl Expected {
    pub fn of(view: View<'_>, site: &Site, junction: &Junction, draw: Option<Draw>) -> Expected {
        let frozen = site.form == Form::FrozenMask;
        // the factor that the data has already
        let before = junction.prescale.map_or(1.0, |_| 1.0 / junction.scale);
        let points = site
            .kept_draw
            .as_ref()
            .map(|kept| [Some(kept.value), kept.dropped])
            .into_iter();
        Expected {
            kind: site.kind,
            rate: site.rate,
            kept: (!frozen).then_some(Line {
                factor: junction.kept.0 * before,
                shift: junction.kept.1,
            }),
            scale: Some(junction.scale * before),
            shared: Some(site.noise_shape.is_some()),
            draw,
            points: points.flatten().flatten().collect(),
            switched: site.switch.is_some(),
            unscaled: is_unscaled(junction),
            integers: is_integer(view, junction),
            counted: counted(site, junction),
            drawn: drawn_for(view, junction),
        }
    }

    /// The same of what lacks a factor.
    pub fn without(mut self, factor: f64) -> Expected {
        if let Some(kept) = &mut self.kept {
            kept.factor /= factor;
            kept.shift /= factor;
        }
        self.scale = self.scale.map(|scale| scale / factor);
        self
    }

    /// What kept and dropped elements of alpha dropout become at this rate.
    pub fn alpha(rate: f64) -> (Line, f64) {
        let factor = ((1.0 - rate) * (1.0 + rate * ALPHA * ALPHA)).powf(-0.5);
        let shift = -factor * ALPHA * rate;
        (Line { factor, shift }, factor * ALPHA + shift)
    }
}

impl Draw {
    /// How a node draws.
    ///
    /// # Errors
    /// It is not known, for this reason.
    pub fn of(facts: Facts<'_>, id: NodeId) -> Result<Draw, String> {
        let node = facts.view().node(id);
        let number = |name: &str, default: f32| f64::from(node.float(name, default));
        match distribution(node) {
            Some(Distribution::Uniform) => Ok(Draw::Uniform {
                low: number("low", 0.0),
                high: number("high", 1.0),
            }),
            Some(Distribution::Normal) => Ok(Draw::Normal {
                mean: number("mean", 0.0),
                deviation: number("scale", 1.0),
            }),
            Some(Distribution::Bernoulli) => {
                // a binomial draw has shape, seed, trials and probability
                let place = if node.is("StatelessRandomBinomial") {
                    3
                } else {
                    0
                };
                let one = node.input(place).and_then(|input| facts.constant(input.id));
                let one = one.ok_or("the probability of its draw is not constant")?;
                let (one, number) = (one.value, 1.0);
                Ok(Draw::Bernoulli { one, number })
            }
            Some(Distribution::Multinomial) => {
                let one = second_of_two(node).ok().flatten();
                let one = one.ok_or("the probabilities of its draw are not known")?;
                Ok(Draw::Bernoulli { one, number: 1.0 })
            }
            None if node.is("Dropout") => {
                let number = |input: usize, default| match node.input(input) {
                    Some(input) => facts.constant(input.id).map(|known| known.value),
                    None => Some(default),
                };
                let rate = number(1, 0.5).ok_or("the ratio of its draw is not constant")?;
                let mask =
                    drawn(node).map(|value| value.id) == node.output(1).map(|value| value.id);
                let data = if mask {
                    Some(1.0 - rate)
                } else {
                    number(0, 1.0)
                };
                let data = data.ok_or("the data of its draw is not constant")?;
                let one = 1.0 - rate;
                let number = data / one;
                Ok(Draw::Bernoulli { one, number })
            }
            _ => Err(format!("what {} draws is not known", node.place())),
        }
    }

    /// Numbers over the whole range, in order, with these among them.
    pub fn points(self, among: &[f64]) -> Vec<f64> {
        let mut points: Vec<f64> = match self {
            Draw::Bernoulli { number, .. } => return vec![0.0, number],
            Draw::Uniform { low, high } => {
                let inside = (0..GRID).map(|at| (f64::from(at) + 0.5) / f64::from(GRID));
                let ends = [0.0, 1e-6, 1e-4, 1e-3, 4e-3];
                let ends = ends.into_iter().flat_map(|end| [end, 1.0 - end]);
                let shares = inside.chain(ends.filter(|share| *share < 1.0));
                shares.map(|share| low + (high - low) * share).collect()
            }
            Draw::Normal { mean, deviation } => {
                let half = f64::from(GRID) / 2.0;
                let steps = (0..=GRID).map(|at| (f64::from(at) - half) / half * 6.0);
                steps.map(|step| mean + deviation * step).collect()
            }
        };
        points.extend(among.iter().filter(|&&point| self.has(point)));
        points.sort_by(f64::total_cmp);
        points.dedup();
        points
    }

    fn has(self, point: f64) -> bool {
        match self {
            Draw::Uniform { low, high } => (low..high).contains(&point),
            _ => point.is_finite(),
        }
    }

    /// The probability of drawing less than a number.
    pub fn below(self, point: f64) -> f64 {
        match self {
            Draw::Uniform { low, high } => ((point - low) / (high - low)).clamp(0.0, 1.0),
            Draw::Normal { mean, deviation } => {
                let z = (point - mean) / deviation;
                libm::erfc(-z / std::f64::consts::SQRT_2) / 2.0
            }
            Draw::Bernoulli { one, number } => match point {
                point if point <= 0.0 => 0.0,
                point if point <= number => 1.0 - one,
                _ => 1.0,
            },
        }
    }
}

fn counted(site: &Site, junction: &Junction) -> Option<Counted> {
    let blocks =
        site.form == Form::RandomMask && site.kind == Kind::Dropout && is_unscaled(junction);
    match site.scaling {
        Scaling::Count => Some(Counted::Rescaled),
        _ if blocks && site.rate.is_none() && site.given.is_none() => Some(Counted::Blocks),
        _ => None,
    }
}

/// True of a mask that leaves what it keeps as it is, where inference does so as well.
fn is_unscaled(junction: &Junction) -> bool {
    junction.kept == (1.0, 0.0) && junction.scale == 1.0
}

fn is_integer(view: View<'_>, junction: &Junction) -> bool {
    let element = view.value(junction.data).element_type();
    element.is_some_and(|element| !element.is_float())
}

fn drawn_for(view: View<'_>, junction: &Junction) -> Option<usize> {
    let frozen = junction.frozen.first()?;
    let mask = view.node(frozen.node).input(frozen.input)?;
    let sizes = &mask.initializer()?.dims;
    usize::try_from(sizes.iter().product::<i64>()).ok()
}

/// The number of points between the ends.
const GRID: u32 = 32;

/// How close two ends of an interval have to be to be one point, in a type.
pub(super) fn resolution(element: DataType) -> f64 {
    epsilon(element).max(1e-12)
}
