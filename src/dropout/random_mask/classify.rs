//! Which dropout a form is, if it is one.
//!
//! Sources: Srivastava et al. 2014 (classic), Klambauer et al. 2017 (alpha dropout: `α′`, `a`, `b`),
//! Keras' `GaussianDropout` (σ² = p/(1−p)) and `GaussianNoise`.

use super::form::{Curve, Form};
use crate::dropout::{Kind, Scaling};

/// −λα of SELU.
const ALPHA: f64 = -1.758_099_340_847_376_6;

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
}

fn near(x: f64, y: f64) -> bool {
    within(NEAR, x, y)
}

fn within(room: f64, x: f64, y: f64) -> bool {
    (x - y).abs() <= room * y.abs().max(1.0)
}

/// What a form of a draw that is uniform (or zero and one) comes to; `weights` are the
/// probabilities of the samples, `prescale` what the data was multiplied by before; `precision` is
/// how far the scale may be from what it ought to be, if that is more than float32 needs.
pub(super) fn mask(form: &Form, weights: &[f64], prescale: f64, precision: f64) -> Option<Class> {
    // what follows the draw by lines is kept in more than one way
    form.data.as_ref().filter(|_| form.curve == Curve::Steps)?;
    let dropped = form.samples.iter().zip(weights);
    let rate: f64 = dropped
        .filter(|((a, _), _)| *a == 0.0)
        .map(|(_, w)| w)
        .sum();
    let mut kept = form.samples.iter().filter(|(a, _)| *a != 0.0);
    let &(scale, shift) = kept.next()?;
    if !kept.all(|&(a, b)| near(a, scale) && near(b, shift)) || rate <= 0.0 || rate >= 1.0 {
        return None;
    }
    let mut lost = form.samples.iter().filter(|(a, _)| *a == 0.0);
    let &(_, floor) = lost.next()?;
    if !lost.all(|&(_, b)| near(b, floor)) {
        return None;
    }
    let class = |kind, scaling, scale| {
        Some(Class {
            kind,
            scaling,
            rate,
            scale,
        })
    };
    if shift == 0.0 && floor == 0.0 {
        let keep = 1.0 - rate;
        for scale in [scale, scale * prescale] {
            if within(precision.max(NEAR), scale * keep, 1.0) {
                return class(Kind::Dropout, Scaling::Inverted, scale);
            }
        }
        let scaling = match near(scale, 1.0) {
            true => Scaling::Classic,
            false => Scaling::Other,
        };
        return class(Kind::Dropout, scaling, scale);
    }
    let a = ((1.0 - rate) * (1.0 + rate * ALPHA * ALPHA)).powf(-0.5);
    let b = -a * ALPHA * rate;
    let alpha = near(scale, a) && near(shift, b) && near(floor, a * ALPHA + b);
    alpha
        .then(|| class(Kind::AlphaDropout, Scaling::Inverted, scale))
        .flatten()
}

/// What a form of a normal draw comes to; `draws` are the samples of the draw, of mean 0 and
/// deviation 1 before its own.
pub(super) fn normal(form: &Form, draws: &[f64]) -> Option<Class> {
    form.data.as_ref()?;
    // both a and b are linear in the draw, if the form is one of these
    let line = |y: &dyn Fn(usize) -> f64| -> Option<(f64, f64)> {
        let (first, last) = (0, draws.len() - 1);
        let slope = (y(last) - y(first)) / (draws[last] - draws[first]);
        let offset = y(first) - slope * draws[first];
        let fits = (0..draws.len()).all(|i| near(y(i), offset + slope * draws[i]));
        fits.then_some((offset, slope.abs()))
    };
    let (a, a_slope) = line(&|i| form.samples[i].0)?;
    let (b, b_slope) = line(&|i| form.samples[i].1)?;
    if !near(a, 1.0) || b.abs() > NEAR {
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
    })
}
