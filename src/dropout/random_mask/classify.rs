//! Which dropout a law is, if it is one.
//!
//! Sources: Srivastava et al. 2014 (classic), Klambauer et al. 2017 (alpha dropout: `α′`, `a`, `b`),
//! Keras' `GaussianDropout` (σ² = p/(1−p)) and `GaussianNoise`.

use super::law::Law;
use super::maps::Maps;
use super::piece::Piece;
use crate::dropout::alpha::{ALPHA, scale_and_shift};
use crate::dropout::{Kind, Scaling};

/// How far computed numbers may be from what they ought to be: exporters write float32.
const NEAR: f64 = 1e-4;

/// A dropout, by what it computes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Class {
    pub kind: Kind,
    pub scaling: Scaling,
    /// Of an element to be dropped; of Gaussian noise, its standard deviation.
    pub rate: f64,
    /// What a kept element is multiplied by.
    pub scale: f64,
    /// Inference leaves the data as it is, although the mask does not scale it.
    pub is_identity: bool,
}

/// What the data of a mask is like.
#[derive(Clone, Copy, Debug)]
pub(super) struct Setting {
    /// What the data was multiplied by before.
    pub prescale: f64,
    /// How far the scale may be from what it ought to be, if that is more than float32 needs.
    pub precision: f64,
    /// True of draws that are 1 with the probability to be 0.
    pub complement: bool,
}

fn near(x: f64, y: f64) -> bool {
    within(NEAR, x, y)
}

fn within(room: f64, x: f64, y: f64) -> bool {
    (x - y).abs() <= room * y.abs().max(1.0)
}

/// The dropout that `a·x + b` is, for laws `a` and `b`.
pub(super) fn classify(a: &Law, b: &Law, maps: &Maps, setting: Setting) -> Option<Class> {
    let cells = cells(a, b, maps)?;
    if let [(_, a, b)] = cells[..] {
        return normal(a, b, setting.precision.max(NEAR));
    }
    let numbers = cells.iter().map(|(mass, a, b)| match (a, b) {
        (&Piece::Constant(a), &Piece::Constant(b)) => Some((*mass, a, b)),
        _ => None,
    });
    let mut numbers: Vec<(f64, f64, f64)> = numbers.collect::<Option<_>>()?;
    let meant = mask(&numbers, setting);
    if setting.complement && meant.is_some_and(|class| class.scaling != Scaling::Inverted) {
        numbers
            .iter_mut()
            .for_each(|(mass, ..)| *mass = 1.0 - *mass);
        let other = mask(&numbers, setting);
        return other
            .filter(|class| class.scaling == Scaling::Inverted)
            .or(meant);
    }
    meant
}

/// Both laws cell by cell, with the probability of each cell.
fn cells(a: &Law, b: &Law, maps: &Maps) -> Option<Vec<(f64, Piece, Piece)>> {
    if !maps.are_independent(&[a, b]) {
        return None;
    }
    let both = Law::cells_of(a, b).ok()?;
    Some(both.into_iter().filter(|(mass, ..)| *mass > 0.0).collect())
}

fn mask(cells: &[(f64, f64, f64)], setting: Setting) -> Option<Class> {
    let dropped = cells.iter().filter(|(_, a, _)| *a == 0.0);
    let rate: f64 = dropped.clone().map(|(mass, ..)| mass).sum();
    let mut kept = cells.iter().filter(|(_, a, _)| *a != 0.0);
    let &(_, scale, shift) = kept.next()?;
    if !kept.all(|&(_, a, b)| near(a, scale) && near(b, shift)) || rate <= 0.0 || rate >= 1.0 {
        return None;
    }
    let mut lost = dropped;
    let &(_, _, floor) = lost.next()?;
    if !lost.all(|&(_, _, b)| near(b, floor)) {
        return None;
    }
    let class = |kind, scaling, scale| {
        Some(Class {
            kind,
            scaling,
            rate,
            scale,
            is_identity: false,
        })
    };
    if shift == 0.0 && floor == 0.0 {
        let keep = 1.0 - rate;
        for scale in [scale, scale * setting.prescale] {
            if within(setting.precision.max(NEAR), scale * keep, 1.0) {
                return class(Kind::Dropout, Scaling::Inverted, scale);
            }
        }
        let scaling = match near(scale, 1.0) {
            true => Scaling::Classic,
            false => Scaling::Other,
        };
        return class(Kind::Dropout, scaling, scale);
    }
    let (a, b) = scale_and_shift(rate);
    let room = setting.precision.max(NEAR);
    let alpha =
        within(room, scale, a) && within(room, shift, b) && within(room, floor, a * ALPHA + b);
    alpha
        .then(|| class(Kind::AlphaDropout, Scaling::Inverted, scale))
        .flatten()
}

/// The kind of a normal draw that is compared with nothing.
fn normal(a: Piece, b: Piece, room: f64) -> Option<Class> {
    let line = |piece: Piece| match piece {
        Piece::Constant(c) => Some((c, 0.0)),
        Piece::Affine(c, d, var) if var.normal => Some((c, d.abs())),
        _ => None,
    };
    let ((a, a_slope), (b, b_slope)) = (line(a)?, line(b)?);
    if !within(room, a, 1.0) || b.abs() > room {
        return None;
    }
    let (kind, rate) = match (a_slope > NEAR * 0.1, b_slope > NEAR * 0.1) {
        (true, false) => {
            let variance = a_slope * a_slope;
            (Kind::GaussianDropout, variance / (1.0 + variance))
        }
        (false, true) => (Kind::GaussianNoise, b_slope),
        _ => return None,
    };
    Some(Class {
        kind,
        scaling: Scaling::Inverted,
        rate,
        scale: 1.0,
        is_identity: false,
    })
}
