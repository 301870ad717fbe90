//! The numbers of alpha dropout (Klambauer et al. 2017, section 3), which keeps mean and variance for SELU.

/// −λα of SELU, the value of dropped elements before the scale and shift.
pub(crate) const ALPHA: f64 = -1.758_099_340_847_376_6;

/// `a` and `b` at a rate: a kept element x becomes `a·x + b`, a dropped one `a·ALPHA + b`.
pub(crate) fn scale_and_shift(rate: f64) -> (f64, f64) {
    let a = ((1.0 - rate) * (1.0 + rate * ALPHA * ALPHA)).powf(-0.5);
    (a, -a * ALPHA * rate)
}
