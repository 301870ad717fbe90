//! One look at a draw: where it is dropout of data, under some conditions.

use std::collections::BTreeSet;

use crate::error::Result;
use crate::onnx::{NodeId, Use, ValueId};

use super::Finder;
use super::conditions::Conditions;
use super::draw::Draw;
use super::junctions::{self, Found, Precision};
use super::law::Law;
use super::maps::Maps;
use super::piece::{Interval, Var, inside};
use super::scalar::decimal;
use super::walk::Trace;
use crate::dropout::{Junction, Kind, Scaling};
use crate::semantics::scalar::epsilon;

/// How far the numbers of a mask may be from what they ought to be, relatively: a unit in the last
/// place of float32.
pub(super) const PRECISION: f64 = 1e-7;
/// Half a step of 255, or of 127 if they are symmetric.
const STEP: f64 = 4e-3;

/// What one look at a draw showed.
pub(super) struct Attempt {
    pub junctions: Vec<Found>,
    /// Where the draw drops zeros, which stay what they are.
    pub zeros: Vec<Junction>,
    pub trace: Trace,
    /// Draws with which every junction keeps its data, all elements being the same, and a number of the variable
    /// among them; `None` if elements have to differ for that.
    pub kept: Option<Interval>,
    pub point: Option<f64>,
    /// Draws with which every junction drops its data; empty (the first above the second) if there are
    /// none, or if a junction takes several elements of the draw.
    pub dropped: Interval,
    /// How far numbers may be from what they ought to be, relatively.
    pub precision: f64,
    pub default_used: bool,
}

impl Attempt {
    /// A place where the mask is applied.
    pub fn junction(&self, found: &Found) -> Junction {
        let class = found.class;
        let own = match &found.prescale {
            // the class has both factors, the junction its own
            Some(before) => class.scale / before.factor,
            None => class.scale,
        };
        let scale = match (class.kind, class.scaling, &found.prescale) {
            _ if class.is_identity => 1.0,
            (Kind::Dropout, Scaling::Inverted, None) => 1.0,
            (Kind::Dropout, _, _) => own * (1.0 - decimal(class.rate, self.precision)),
            _ => 1.0,
        };
        let at = |law| {
            self.point
                .and_then(|point| along(law, point))
                .unwrap_or(f64::NAN)
        };
        Junction {
            node: found.node,
            data: found.data.value,
            path: found.data.path.clone(),
            output: found.output,
            scale,
            prescale: found.prescale.map(|before| before.prescale),
            kept: (at(&found.a), at(&found.b)),
            frozen: Vec::new(),
        }
    }

    /// True of inverted dropout of what is inverted dropout already, at another rate.
    fn is_apart(&self) -> bool {
        let base = |found: &Found| match &found.prescale {
            Some(before) => before.prescale.from,
            None => found.data.value,
        };
        let inverted = |found: &Found| found.class.scaling == Scaling::Inverted;
        let all = || self.junctions.iter();
        let pairs = all().flat_map(|one| all().map(move |two| (one, two)));
        let mut pairs = pairs
            .filter(|(one, two)| base(two) == one.output)
            .peekable();
        let apart = |(one, two): (&Found, &Found)| (one.class.rate - two.class.rate).abs() > 1e-6;
        pairs.peek().is_some() && pairs.all(apart) && all().all(inverted)
    }

    /// The junction that classifies the whole: one that inference can omit, or else the first.
    pub fn leading(&self) -> Option<&Found> {
        leading(self.junctions.iter())
    }
}

/// The one of some junctions that classifies them.
pub(super) fn leading<'f>(
    mut junctions: impl Iterator<Item = &'f Found> + Clone,
) -> Option<&'f Found> {
    let mut inverted = junctions
        .clone()
        .filter(|found| found.class.scaling == Scaling::Inverted);
    inverted.next().or(junctions.next())
}

impl Finder<'_> {
    /// Finds the places where a draw is applied to data as dropout. Converters merge equal draws, so that what
    /// one layer drops another may drop more of: each that is dropout in itself is.
    pub(super) fn attempt(
        &self,
        source: NodeId,
        conditions: &Conditions,
    ) -> Result<Option<Attempt>> {
        let Some((attempt, before)) = self.one_attempt(source, conditions)? else {
            return Ok(None);
        };
        if before.is_empty() || !conditions.starts.is_empty() {
            return Ok(Some(attempt));
        }
        let apart = self.one_attempt(source, &conditions.starting(before))?;
        let apart = apart.map(|(attempt, _)| attempt).filter(Attempt::is_apart);
        Ok(Some(apart.unwrap_or(attempt)))
    }

    fn one_attempt(
        &self,
        source: NodeId,
        conditions: &Conditions,
    ) -> Result<Option<(Attempt, BTreeSet<ValueId>)>> {
        conditions.default_used.set(false);
        let Some(draw) = self.draw(source, conditions)? else {
            return Ok(None);
        };
        let trace = self.walk(&self.seeds(source, conditions)?, conditions)?;
        if trace.cancelled {
            return Ok(None);
        }
        // jax2onnx passes the complement, as ONNX Runtime's Bernoulli is inverted: the scale
        // tells which is meant. What others write means what the specification says.
        let bernoulli = draw.law.as_affine().is_none();
        let precision = Precision {
            room: PRECISION,
            complement: bernoulli && self.view.model.producer_name == *"jax2onnx",
        };
        let strict = junctions::find(self, &trace, conditions, precision)?;
        let (junctions, room) =
            match self.room(&trace, strict.as_ref().map(|(found, _)| &found[..])) {
                Some(room) => {
                    let precision = Precision { room, ..precision };
                    (junctions::find(self, &trace, conditions, precision)?, room)
                }
                None => (strict, PRECISION),
            };
        let Some((junctions, before)) = junctions else {
            return Ok(None);
        };
        let zeros = self.zeros(&trace, conditions)?;
        let Some(found) = attempt(junctions, trace, &draw, room) else {
            return Ok(None);
        };
        let found = Attempt {
            zeros,
            default_used: conditions.default_used.get(),
            ..found
        };
        Ok(Some((found, before)))
    }

    /// Values of a mask times zero that something else reads: the first state of an unrolled loop.
    fn zeros(&self, trace: &Trace, conditions: &Conditions) -> Result<Vec<Junction>> {
        let mut zeros = Vec::new();
        for &(id, output) in &trace.made {
            let form = &trace.forms[&output];
            let known = |value: ValueId| trace.forms.contains_key(&value);
            let inside = |at| match at {
                Use::Input { node, .. } => self
                    .view
                    .node(node)
                    .outputs()
                    .flatten()
                    .any(|output| known(output.id)),
                _ => false,
            };
            if !form.is_numeric() || !form.rest.is_zero() || self.uses(output).all(inside) {
                continue;
            }
            let inputs = self.view.node(id).inputs().flatten();
            for data in inputs.filter(|input| !known(input.id)) {
                if self.number(data.id, conditions)? == Some(0.0) {
                    zeros.push(Junction {
                        node: id,
                        data: data.id,
                        path: Vec::new(),
                        output,
                        scale: 1.0,
                        prescale: None,
                        kept: (1.0, 0.0),
                        frozen: Vec::new(),
                    });
                    break;
                }
            }
        }
        Ok(zeros)
    }

    /// The room that numbers of a short type need, where they are further from what they ought to be.
    fn room(&self, trace: &Trace, strict: Option<&[Found]>) -> Option<f64> {
        let first = strict.and_then(|junctions| leading(junctions.iter()));
        let plain = |rate: f64| {
            let fract = (decimal(rate, PRECISION) * 1e4).fract();
            fract.min(1.0 - fract) < 1e-6 // four digits
        };
        let told =
            |found: &Found| found.class.scaling == Scaling::Inverted && plain(found.class.rate);
        if first.is_some_and(told) {
            return None;
        }
        if trace.quantized {
            return Some(STEP);
        }
        let dropped = || {
            let mut made = trace
                .made
                .iter()
                .filter_map(|(_, value)| trace.forms[value].terms.first());
            made.next().map(|term| term.atom.value)
        };
        let data = first.map(|found| found.data.value).or_else(dropped)?;
        let of_type = epsilon(self.view.value(data).element_type()?);
        Some(of_type).filter(|epsilon| *epsilon > f64::from(f32::EPSILON))
    }
}

fn attempt(junctions: Vec<Found>, trace: Trace, draw: &Draw, precision: f64) -> Option<Attempt> {
    let mut laws: Vec<&Law> = Vec::new();
    for found in &junctions {
        if !laws.contains(&&found.a) {
            laws.push(&found.a);
        }
    }
    if !are_nested(&laws, &trace.maps) {
        return None; // a choice, with some of both
    }
    let spans = spans(laws.iter().flat_map(|law| law.ends()), draw.var);
    let is = |law: &Law, u: f64, kept: bool| along(law, u).is_some_and(|a| (a != 0.0) == kept);
    let every = |kept: bool| {
        let laws = &laws;
        move |span: &&Interval| laws.iter().all(|law| is(law, inside(**span), kept))
    };
    let kept = spans.iter().rev().find(every(true)).copied();
    if kept.is_none() && laws.len() > 1 {
        return None; // what one junction keeps another drops: a choice
    }
    let dropped = spans
        .iter()
        .find(every(false))
        .filter(|_| is_one_coin(&laws));
    Some(Attempt {
        kept: kept.map(|span| draw.values(span)),
        point: kept.map(inside),
        dropped: dropped.map_or((1.0, 0.0), |span| draw.values(*span)),
        precision,
        default_used: false,
        junctions,
        zeros: Vec::new(),
        trace,
    })
}

/// True if all laws drop the same elements, each by one element of the draw.
fn is_one_coin(laws: &[&Law]) -> bool {
    let mut supports = laws.iter().map(|law| {
        let cells = law.cells().map(|(cell, _, piece)| {
            let ends: Vec<Interval> = cell.iter().map(|(_, interval)| *interval).collect();
            (ends, piece.at(&[]) == Some(0.0))
        });
        cells.collect::<Vec<_>>()
    });
    let first = supports.next();
    supports.all(|other| Some(other) == first) && laws.iter().all(|law| law.vars().len() <= 1)
}

/// A law where all its variables are the same number.
pub(super) fn along(law: &Law, u: f64) -> Option<f64> {
    let point: Vec<(Var, f64)> = law.vars().into_iter().map(|var| (var, u)).collect();
    law.at(&point)
}

/// The intervals of a variable between some numbers.
pub(super) fn spans(ends: impl Iterator<Item = f64>, var: Var) -> Vec<Interval> {
    let (low, high) = var.range();
    let mut ends: Vec<f64> = ends.chain([low, high]).collect();
    ends.sort_by(f64::total_cmp);
    ends.dedup();
    ends.windows(2).map(|pair| (pair[0], pair[1])).collect()
}

/// True if of any two laws of the same elements one keeps at least what the other keeps.
fn are_nested(laws: &[&Law], maps: &Maps) -> bool {
    let nested = |one: &Law, two: &Law| {
        let pairs = one
            .vars()
            .into_iter()
            .flat_map(|var| two.vars().into_iter().map(move |of| (var, of)));
        let mut shared = pairs.filter(|&(var, of)| var == of || !maps.are_disjoint(var, of));
        if shared.next().is_none() {
            return true;
        }
        // elements that were moved about are elements of the same draw
        let first = one.vars()[0];
        let two = match two.vars()[..] {
            [_] => two.renamed(|_| first),
            _ => two.clone(),
        };
        let Ok(cells) = Law::cells_of(one, &two) else {
            return false;
        };
        let is_zero = |piece: super::piece::Piece| piece.at(&[]) == Some(0.0);
        let only = |first: bool| {
            cells.iter().any(|(mass, one, two)| {
                *mass > 0.0 && is_zero(*one) != first && is_zero(*two) == first
            })
        };
        !(only(true) && only(false))
    };
    (0..laws.len()).all(|index| {
        laws[index + 1..]
            .iter()
            .all(|other| nested(laws[index], other))
    })
}
