//! Pooling by norms.

use super::Repair;
use crate::onnx::Name;
use crate::verify::engine::patch::{Patch, int};
use crate::verify::engine::site::Site;

pub(super) const ALL: &[Repair] = &[
    Repair::of("LpPool", is_even, windows),
    Repair::of("GlobalLpPool", |site| site.rank(0).is_some(), all),
];

/// Without windows that reach over the end.
fn is_even(site: &Site<'_>) -> bool {
    site.int("ceil_mode", 0) == 0 && site.ints("kernel_shape").is_some()
}

/// `(Σ |x|ᵖ)^(1/p)`, the sum over windows from their mean.
fn windows(mut patch: Patch<'_, '_>) {
    let own = ["auto_pad", "dilations", "kernel_shape", "pads", "strides"];
    let mut attributes = patch.attributes(&own);
    attributes.push(int("count_include_pad", 1));
    let window = patch.ints("kernel_shape").unwrap_or_default().iter();
    let window: f64 = window.map(|&size| size as f64).product();
    let powers = powers(&mut patch);
    let mean = patch.op_with("AveragePool", [&powers], attributes);
    let window = patch.number(0, window);
    let sum = patch.op("Mul", [&mean, &window]);
    root(patch, &sum);
}

fn all(mut patch: Patch<'_, '_>) {
    let axes: Vec<i64> = (2..patch.rank(0).unwrap_or(2) as i64).collect();
    let powers = powers(&mut patch);
    let sum = patch.along(("ReduceSum", 13), &powers, &axes, Vec::new());
    root(patch, &sum);
}

fn powers(patch: &mut Patch<'_, '_>) -> Name {
    let p = patch.int("p", 2) as f64;
    let p = patch.number(0, p);
    let size = patch.op("Abs", [&patch.input(0)]);
    patch.op("Pow", [&size, &p])
}

fn root(mut patch: Patch<'_, '_>, sum: &Name) {
    let p = patch.int("p", 2) as f64;
    let p = patch.number(0, 1.0 / p);
    patch.end_with("Pow", [sum, &p], Vec::new());
}
