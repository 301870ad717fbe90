//! Dropout written as a random mask: recognised by what it computes, whoever wrote it.
//!
//! From every random source its draw is followed forwards, and what each value computes is sampled:
//! as long as it is `a(u)·x + b(u)` for one x that the draw does not reach, it may be dropout. Which
//! operators do it, and in which order, does not matter. A draw that chooses between different data
//! (a random flip), or is scaled by data (a VAE, diffusion), is none.

mod classify;
mod constants;
mod follow;
mod form;

use std::cell::{Cell, RefCell};

use crate::error::Result;
use crate::hash::HashMap;
use crate::onnx::{AttributeValue, GraphKind, Model, NodeId, Producer, ValueId, Values};

use super::constant::Resolver;
use super::{Form as SiteForm, Kind, MaskUse, Mode, RateOrigin, Scaling, Site};
use classify::Class;
use constants::Uniform;
use form::{Form, is_layout};

/// Samples of a draw at a time.
const SAMPLES: usize = 64;

/// How often the interval a mask flips in is divided by [`SAMPLES`]: to less than a double tells.
const NARROWINGS: usize = 9;

/// How deep a constant is followed.
const DEPTH: usize = 24;

pub(super) fn find(model: &Model, values: &Values) -> Result<Vec<Site>> {
    let sources: Vec<NodeId> = model
        .nodes()
        .filter(|(_, node)| node.draws() && node.op_type != "Multinomial")
        .map(|(id, _)| id)
        .collect();
    if sources.is_empty() {
        return Ok(Vec::new());
    }
    let Ok(order) = model.check_order(values) else {
        return Ok(Vec::new()); // an unsound model is reported by whoever edits it
    };
    let rank = order.iter().enumerate().map(|(i, &id)| (id, i)).collect();
    let finder = Finder {
        model,
        values,
        resolver: Resolver::new(model, values),
        rank,
        known: RefCell::default(),
        default_used: Cell::new(false),
    };
    let mut sites = Vec::new();
    for source in sources {
        sites.extend(finder.site(source)?);
    }
    Ok(sites)
}

/// The distribution of a draw.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Draw {
    Uniform { low: f64, high: f64 },
    Normal { mean: f64, deviation: f64 },
    Bernoulli { one: f64 },
}

struct Finder<'m> {
    model: &'m Model,
    values: &'m Values,
    resolver: Resolver<'m>,
    rank: HashMap<NodeId, usize>,
    /// What is known of constants.
    known: RefCell<HashMap<ValueId, Option<Uniform>>>,
    /// True once a default was used for the source at hand.
    default_used: Cell<bool>,
}

/// Where a draw meets data, and as what.
struct Meeting {
    class: Class,
    node: NodeId,
    data: ValueId,
    output: ValueId,
}

impl Finder<'_> {
    fn site(&self, source: NodeId) -> Result<Option<Site>> {
        self.default_used.set(false);
        let Some(draw) = self.draw(source)? else {
            return Ok(None);
        };
        let Some(meeting) = self.meeting(source, draw)? else {
            return Ok(None);
        };
        let node = self.model.node(source);
        let seed = match node.attribute("seed").map(|a| &a.value) {
            Some(AttributeValue::Float(seed)) => Some(*seed as i64),
            Some(AttributeValue::Int(seed)) => Some(*seed),
            _ => None,
        };
        let Meeting {
            class,
            node: exit,
            data,
            output,
        } = meeting;
        Ok(Some(Site {
            id: 0,
            form: SiteForm::RandomMask,
            kind: class.kind,
            mode: match self.gated(source) {
                true => Mode::Runtime,
                false => Mode::Active,
            },
            rate: Some(decimal(class.rate)),
            rate_origin: match self.default_used.get() {
                true => RateOrigin::Input,
                false => RateOrigin::Mask,
            },
            scaling: class.scaling,
            inference_scale: match (class.kind, class.scaling) {
                (Kind::Dropout, Scaling::Classic | Scaling::Other) => {
                    round(class.scale * (1.0 - class.rate))
                }
                _ => 1.0,
            },
            noise_shape: None,
            seed,
            mask: MaskUse::Used,
            graph: exit.graph,
            nodes: vec![exit, source],
            input: Some(data),
            input_name: Some(self.values[data].name.clone()),
            output: Some(output),
            output_name: Some(self.values[output].name.clone()),
            switch: None,
            exits: Vec::new(),
            layer: None,
            problem: None,
        }))
    }

    /// True if the source stands in a branch that only a run decides on.
    fn gated(&self, source: NodeId) -> bool {
        let mut graph = source.graph;
        while let GraphKind::Attribute { node, .. } = self.model.graph(graph).kind {
            if self.model.node(node).is("If") {
                let known = self.resolver.input(node, 0);
                if known.is_ok_and(|finding| finding.runtime) {
                    return true;
                }
            }
            graph = node.graph;
        }
        false
    }

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

    /// Finds where a draw meets data as dropout.
    fn meeting(&self, source: NodeId, draw: Draw) -> Result<Option<Meeting>> {
        match draw {
            Draw::Normal { mean, deviation } => {
                let draws = even(-3.0, 3.0);
                let samples: Vec<f64> = draws.iter().map(|n| mean + deviation * n).collect();
                self.best(source, &samples, |form, _| classify::normal(form, &draws))
            }
            Draw::Bernoulli { one } => {
                // jax2onnx passes the complement, as ONNX Runtime's Bernoulli is inverted: the scale
                // tells which is meant
                let of = |form: &Form, prescale, one: f64| {
                    classify::mask(form, &[1.0 - one, one], prescale)
                };
                self.best(source, &[0.0, 1.0], |form, prescale| {
                    let meant = of(form, prescale, one);
                    let other = of(form, prescale, 1.0 - one);
                    other
                        .filter(|class| class.scaling == Scaling::Inverted)
                        .filter(|_| meant.is_some_and(|c| c.scaling != Scaling::Inverted))
                        .or(meant)
                })
            }
            Draw::Uniform { low, high } => {
                let Some(threshold) = self.threshold(source, low, high)? else {
                    return Ok(None);
                };
                let below = (threshold - low) / (high - low);
                let samples = [(low + threshold) / 2.0, (threshold + high) / 2.0];
                self.best(source, &samples, |form, prescale| {
                    classify::mask(form, &[below, 1.0 - below], prescale)
                })
            }
        }
    }

    /// Where a mask made of a uniform draw flips, as well as numbers tell; `None` if it never does.
    fn threshold(&self, source: NodeId, low: f64, high: f64) -> Result<Option<f64>> {
        let (mut low, mut high) = (low, high);
        let mut mask = None;
        for _ in 0..NARROWINGS {
            let samples = even(low, high);
            let mut flip = None;
            self.follow(source, &samples, |value, _, form| {
                if flip.is_some() || mask.is_some_and(|mask| mask != value) {
                    return;
                }
                let dropped = |i: usize| form.samples[i].0 == 0.0;
                let edge = (1..samples.len()).find(|&i| dropped(i) != dropped(i - 1));
                flip = edge.map(|i| (value, i));
            })?;
            let Some((value, i)) = flip else {
                break; // it never does, or at a place between two numbers
            };
            mask = Some(value);
            (low, high) = (samples[i - 1], samples[i]);
        }
        Ok(mask.map(|_| (low + high) / 2.0))
    }

    /// The first value that is dropout which inference can leave away; else the first that is any.
    fn best(
        &self,
        source: NodeId,
        samples: &[f64],
        classify: impl Fn(&Form, f64) -> Option<Class>,
    ) -> Result<Option<Meeting>> {
        let mut found: Vec<(ValueId, NodeId, Form)> = Vec::new();
        let pure = self.follow(source, samples, |value, node, form| {
            found.push((value, node, form.clone()));
        })?;
        if !pure {
            return Ok(None);
        }
        let mut best: Option<Meeting> = None;
        for (output, node, form) in found {
            let Some(data) = form.data else { continue };
            let (base, prescale) = self.prescale(data)?;
            let Some(class) = classify(&form, prescale) else {
                continue;
            };
            let inverted = class.scaling == Scaling::Inverted;
            if best.is_none() || inverted {
                let folded = inverted && class.kind == Kind::Dropout && prescale != 1.0;
                best = Some(Meeting {
                    class,
                    node,
                    data: if folded { base } else { data },
                    output,
                });
            }
            if inverted {
                break;
            }
        }
        Ok(best)
    }

    /// What a value was multiplied by before, and what it was then.
    fn prescale(&self, value: ValueId) -> Result<(ValueId, f64)> {
        let mut at = value;
        for _ in 0..DEPTH {
            let Producer::Node { node: id, .. } = self.values[at].producer else {
                break;
            };
            let node = self.model.node(id);
            let op_type = node.op_type.as_str().unwrap_or_default();
            let inputs = (self.values.input(id, 0), self.values.input(id, 1));
            match (op_type, inputs) {
                (op, (Some(x), _)) if is_layout(op) && node.in_default_domain() => at = x,
                ("Mul" | "Div", (Some(x), Some(y))) if node.in_default_domain() => {
                    return Ok(match (self.number(x)?, self.number(y)?) {
                        (None, Some(factor)) if op_type == "Mul" => (x, factor),
                        (None, Some(divisor)) => (x, 1.0 / divisor),
                        (Some(factor), None) if op_type == "Mul" => (y, factor),
                        _ => (value, 1.0),
                    });
                }
                _ => break,
            }
        }
        Ok((value, 1.0))
    }
}

/// The shortest decimal that is the rate as nearly as float32 tells: the file has the rate, or what
/// it leaves, or where it falls between other numbers.
fn decimal(rate: f64) -> f64 {
    let rounded = (1..9).map(|digits| {
        let unit = 10f64.powi(digits);
        (rate * unit).round() / unit
    });
    let near = |decimal: &f64| (decimal - rate).abs() < 1e-7;
    rounded.into_iter().find(near).unwrap_or(rate)
}

/// Both ends and what lies evenly between: a mask that flips in an interval is seen to flip.
fn even(low: f64, high: f64) -> Vec<f64> {
    let step = (high - low) / SAMPLES as f64;
    let inner = (1..SAMPLES).map(|i| low + step * i as f64);
    std::iter::once(low).chain(inner).chain([high]).collect()
}

fn round(value: f64) -> f64 {
    (value * 1e6).round() / 1e6
}
