//! What a random source draws, and at which draws to look.

use std::collections::BTreeSet;

use crate::error::Result;
use crate::onnx::{AttributeValue, DataType, NodeId, ValueId};

use super::classify::{self, Class};
use super::exits;
use super::follow::Trace;
use super::form::Form;
use super::{Attempt, Finder, decimal};
use crate::dropout::Scaling;

/// Samples of a draw at a time.
const SAMPLES: usize = 64;

/// How often the interval a mask flips in is divided by [`SAMPLES`]: to less than float32 tells.
const NARROWINGS: usize = 6;

/// How far the numbers of a mask may be from what they ought to be, relatively: units in the last
/// place of float32, of float16 and of bfloat16.
const PRECISION: f64 = 1e-7;
const HALF: f64 = 1e-3;
const BFLOAT16: f64 = 8e-3;

/// A mask that flips more often than this is none.
const EDGES: usize = 8;

/// The distribution of a draw.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Draw {
    Uniform { low: f64, high: f64 },
    Normal { mean: f64, deviation: f64 },
    Bernoulli { one: f64 },
}

impl Finder<'_> {
    fn draw(&self, source: NodeId) -> Result<Option<Draw>> {
        let node = self.model.node(source);
        let number = |name: &str, default: f64| match node.attribute(name).map(|a| &a.value) {
            Some(AttributeValue::Float(f)) => f64::from(*f),
            _ => default,
        };
        let op_type = node.op_type.as_str().unwrap_or_default();
        Ok(Some(match op_type {
            "RandomUniform" | "RandomUniformLike" | "StatelessRandomUniformV2" => Draw::Uniform {
                low: number("low", 0.0),
                high: number("high", 1.0),
            },
            "RandomNormal" | "RandomNormalLike" | "StatelessRandomNormalV2" => Draw::Normal {
                mean: number("mean", 0.0),
                deviation: number("scale", 1.0),
            },
            "Bernoulli" => match self.values.input(source, 0) {
                Some(input) => match self.number(input)? {
                    Some(one) => Draw::Bernoulli { one },
                    None => return Ok(None),
                },
                None => return Ok(None),
            },
            _ => return Ok(None),
        }))
    }

    /// Looks at a draw: where does it meet data as dropout, if it does?
    pub(super) fn attempt(&self, source: NodeId) -> Result<Option<Attempt>> {
        let strict = self.attempt_within(source, PRECISION)?;
        let Some(leading) = strict.as_ref().and_then(Attempt::leading) else {
            return Ok(strict);
        };
        let plain = (decimal(leading.class.rate, PRECISION) * 1e4).fract();
        let plain = plain.min(1.0 - plain) < 1e-6; // four digits
        if plain && leading.class.scaling == Scaling::Inverted {
            return Ok(strict);
        }
        // numbers of short types are further from what they ought to be
        match self.model.element_type(self.values, leading.data.value) {
            Some(DataType::FLOAT16) => self.attempt_within(source, HALF),
            Some(DataType::BFLOAT16) => self.attempt_within(source, BFLOAT16),
            _ => Ok(strict),
        }
    }

    fn attempt_within(&self, source: NodeId, precision: f64) -> Result<Option<Attempt>> {
        self.default_used.set(false);
        let Some(draw) = self.draw(source)? else {
            return Ok(None);
        };
        match draw {
            Draw::Normal { mean, deviation } => {
                let draws = even(-3.0, 3.0);
                let samples: Vec<f64> = draws.iter().map(|n| mean + deviation * n).collect();
                let classify = |form: &Form, _| classify::normal(form, &draws);
                let all: Vec<_> = samples.iter().map(|&x| (x, x)).collect();
                self.look(source, &all, &classify, Some(SAMPLES / 2), precision)
            }
            Draw::Bernoulli { one } => {
                // jax2onnx passes the complement, as ONNX Runtime's Bernoulli is inverted: the scale
                // tells which is meant
                let of = |form: &Form, prescale, one: f64| {
                    classify::mask(form, &[1.0 - one, one], prescale, precision)
                };
                let classify = |form: &Form, prescale| {
                    let meant = of(form, prescale, one);
                    let other = of(form, prescale, 1.0 - one);
                    other
                        .filter(|class| class.scaling == Scaling::Inverted)
                        .filter(|_| meant.is_some_and(|c| c.scaling != Scaling::Inverted))
                        .or(meant)
                };
                self.look(
                    source,
                    &[(0.0, 0.0), (1.0, 1.0)],
                    &classify,
                    None,
                    precision,
                )
            }
            Draw::Uniform { low, high } => {
                let mut edges = self.edges(source, low, high)?;
                if edges.len() > EDGES {
                    let what = "a mask changes at no more than 8 draws";
                    self.limits.reached(source, what);
                }
                if edges.is_empty() || edges.len() > EDGES {
                    return Ok(None);
                }
                edges.insert(0, low);
                edges.push(high);
                let between: Vec<_> = edges.windows(2).map(|pair| (pair[0], pair[1])).collect();
                let weights = between.iter().map(|(a, b)| (b - a) / (high - low));
                let weights: Vec<f64> = weights.collect();
                let classify =
                    |form: &Form, prescale| classify::mask(form, &weights, prescale, precision);
                self.look(source, &between, &classify, None, precision)
            }
        }
    }

    /// Looks at the middles of intervals in which nothing changes.
    fn look(
        &self,
        source: NodeId,
        intervals: &[(f64, f64)],
        classify: &dyn Fn(&Form, f64) -> Option<Class>,
        kept: Option<usize>,
        precision: f64,
    ) -> Result<Option<Attempt>> {
        let samples: Vec<f64> = intervals.iter().map(|(a, b)| (a + b) / 2.0).collect();
        let trace = self.follow(source, &samples)?;
        if trace.mixed || trace.cut {
            return Ok(None);
        }
        let Some(exits) = exits::find(self, source, &trace, classify)? else {
            return Ok(None);
        };
        let keeps = |i: usize| exits.iter().all(|exit| exit.samples[i].0 != 0.0);
        let kept = kept.or_else(|| (0..samples.len()).rev().find(|&i| keeps(i)));
        let Some(kept) = kept else {
            return Ok(None); // what one exit keeps another drops: a choice
        };
        let drops = |i: &usize| exits.iter().all(|exit| exit.samples[*i].0 == 0.0);
        let dropped = (0..samples.len()).find(drops).map(|i| intervals[i]);
        Ok(Some(Attempt {
            dropped: dropped.unwrap_or((1.0, 0.0)),
            kept: intervals[kept],
            kept_index: kept,
            precision,
            draws: samples,
            default_used: self.default_used.get(),
            exits,
            trace,
        }))
    }

    /// The draws at which a mask flips, as well as numbers tell, in order.
    fn edges(&self, source: NodeId, low: f64, high: f64) -> Result<Vec<f64>> {
        let coarse = even(low, high);
        let flips = flips(&self.follow(source, &coarse)?);
        let places: BTreeSet<usize> = flips.iter().map(|&(_, i)| i).collect();
        let mut edges = Vec::new();
        for place in places.into_iter().take(EDGES + 1) {
            let Some(&(value, _)) = flips.iter().find(|&&(_, i)| i == place) else {
                continue;
            };
            let (mut low, mut high) = (coarse[place - 1], coarse[place]);
            for _ in 1..NARROWINGS {
                let samples = even(low, high);
                let trace = self.follow(source, &samples)?;
                let flip = self::flips(&trace).into_iter().find(|&(v, _)| v == value);
                let Some((_, i)) = flip else {
                    break; // at a place between two numbers
                };
                (low, high) = (samples[i - 1], samples[i]);
            }
            edges.push((low + high) / 2.0);
        }
        Ok(edges)
    }
}

/// Values that are dropped at one sample and kept at the one before, or the other way round.
fn flips(trace: &Trace) -> Vec<(ValueId, usize)> {
    let mut found = Vec::new();
    for &(_, value) in &trace.made {
        let form = &trace.forms[&value];
        if form.data.is_some() {
            let dropped = |i: usize| form.samples[i].0 == 0.0;
            let edges = (1..form.samples.len()).filter(|&i| dropped(i) != dropped(i - 1));
            found.extend(edges.map(|i| (value, i)));
        }
    }
    found
}

/// Both ends and what lies evenly between: a mask that flips in an interval is seen to flip.
fn even(low: f64, high: f64) -> Vec<f64> {
    let step = (high - low) / SAMPLES as f64;
    let inner = (1..SAMPLES).map(|i| low + step * i as f64);
    std::iter::once(low).chain(inner).chain([high]).collect()
}
