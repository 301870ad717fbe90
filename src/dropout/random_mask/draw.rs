//! What a random source draws, and at which draws to look.

use std::collections::BTreeSet;

use crate::error::Result;
use crate::onnx::{AttributeValue, DataType, NodeId};

use super::classify::{self, Class};
use super::exits;
use super::follow::Trace;
use super::form::{Curve, Element, Form};
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

/// The maximum number of flips of a mask.
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

    /// Finds the places where a draw is applied to data as dropout.
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
                // tells which is meant. What others write means what the specification says.
                let complements = self.model.producer_name == *"jax2onnx";
                let classify = |form: &Form, prescale| {
                    let of = |one: f64| {
                        let mask = classify::mask(form, &[1.0 - one, one], prescale, precision)?;
                        Some((mask, mask.scaling == Scaling::Inverted))
                    };
                    let (meant, other) = (of(one), of(1.0 - one));
                    match (meant, other) {
                        (Some((_, false)), Some((other, true))) if complements => Some(other),
                        (meant, _) => meant.map(|(class, _)| class),
                    }
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
        if !are_nested(&exits) {
            return Ok(None); // a choice, with some of both
        }
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

    /// The draws at which a mask flips, as well as numbers tell, in order; more than [`EDGES`] if there
    /// are more.
    fn edges(&self, source: NodeId, low: f64, high: f64) -> Result<Vec<f64>> {
        let mut edges = Vec::new();
        self.narrow(source, (low, high), NARROWINGS, &mut edges)?;
        Ok(edges)
    }

    fn narrow(
        &self,
        source: NodeId,
        (low, high): (f64, f64),
        times: usize,
        edges: &mut Vec<f64>,
    ) -> Result<()> {
        let samples = even(low, high);
        let flips = flips(&self.follow(source, &samples)?);
        if flips.is_empty() && times < NARROWINGS {
            edges.push((low + high) / 2.0); // at a place between two numbers
        }
        for i in flips {
            let (low, high) = (samples[i - 1], samples[i]);
            match times {
                _ if edges.len() > EDGES => break,
                1 => edges.push((low + high) / 2.0),
                _ => self.narrow(source, (low, high), times - 1, edges)?,
            }
        }
        Ok(())
    }
}

/// Samples at which something flips that was otherwise at the one before: what is dropped or kept,
/// how much of the data is kept, or a comparison with the draw.
fn flips(trace: &Trace) -> BTreeSet<usize> {
    let mut found = BTreeSet::new();
    for (_, value) in &trace.made {
        let form = &trace.forms[value];
        let flips = |i: usize| {
            let (one, two) = (form.samples[i - 1], form.samples[i]);
            match (&form.data, form.curve) {
                (Some(_), Curve::Lines) => (one.0 == 0.0) != (two.0 == 0.0),
                (Some(_), Curve::Steps) => one != two,
                (None, _) => form.element == Some(Element::Bool) && one != two,
            }
        };
        found.extend((1..form.samples.len()).filter(|&i| flips(i)));
    }
    found
}

/// True if of any two exits one keeps at least what the other keeps.
fn are_nested(exits: &[exits::Found]) -> bool {
    let kept = |found: &exits::Found| -> Vec<bool> {
        let samples = found.samples.iter();
        samples.map(|(a, _)| *a != 0.0).collect()
    };
    let kinds: BTreeSet<Vec<bool>> = exits.iter().map(kept).collect();
    let within = |one: &[bool], two: &[bool]| one.iter().zip(two).all(|(one, two)| one <= two);
    kinds.iter().all(|one| {
        let mut others = kinds.iter();
        others.all(|two| within(one, two) || within(two, one))
    })
}

/// Both ends and what lies evenly between: a mask that flips in an interval is seen to flip.
fn even(low: f64, high: f64) -> Vec<f64> {
    let step = (high - low) / SAMPLES as f64;
    let inner = (1..SAMPLES).map(|i| low + step * i as f64);
    std::iter::once(low).chain(inner).chain([high]).collect()
}
