//! Resampling of older opsets, which tract lacks or reads by the rules of newer ones.

use super::Repair;
use crate::onnx::{DataType, Name};
use crate::verify::engine::patch::{Patch, int, text};

pub(super) const ALL: &[Repair] = &[
    Repair::of("Upsample", |site| site.rank(0).is_some(), upsampled),
    Repair::of("Resize", |site| site.opset == 10, floored),
];

/// Up to opset 10, the element nearest below is taken.
fn floored(mut patch: Patch<'_, '_>) {
    let mut attributes = patch.node.attributes.clone();
    attributes.push(text("nearest_mode", "floor"));
    let inputs = patch.node.inputs.clone();
    patch.end_with("Resize", &inputs, attributes);
}

/// Axis by axis: the element at i of the result lies at i / scale.
fn upsampled(mut patch: Patch<'_, '_>) {
    let mut x = patch.input(0);
    let rank = patch.rank(0).unwrap_or_default();
    let given = match patch.has(1) {
        true => patch.input(1),
        false => {
            let scales: Vec<u8> = patch
                .floats("scales")
                .iter()
                .flat_map(|s| s.to_le_bytes())
                .collect();
            patch.constant(DataType::FLOAT, &[rank as i64], &scales)
        }
    };
    let is_linear = matches!(patch.text("mode"), "linear" | "bilinear");
    for axis in 0..rank as i64 {
        let index = patch.integers(&[axis]);
        let scale = patch.op("Gather", [&given, &index]);
        x = stretched(&mut patch, x, (axis, rank as i64), &scale, is_linear);
    }
    patch.give(0, &x);
}

fn stretched(
    patch: &mut Patch<'_, '_>,
    x: Name,
    (axis, rank): (i64, i64),
    scale: &Name,
    is_linear: bool,
) -> Name {
    let size = patch.size(&x, axis);
    let wide = patch.cast(&size, DataType::FLOAT);
    let total = patch.op("Mul", [&wide, scale]);
    let total = patch.op("Floor", [&total]);
    let total = patch.cast(&total, DataType::INT64);
    let places = patch.count(&total);
    let places = patch.cast(&places, DataType::FLOAT);
    let places = patch.op("Div", [&places, scale]);
    let below = patch.op("Floor", [&places]);
    let lower = patch.cast(&below, DataType::INT64);
    let lower = patch.int64(&lower);
    let along = vec![int("axis", axis)];
    let first = patch.op_with("Gather", [&x, &lower], along.clone());
    if !is_linear {
        return first;
    }
    let one = patch.integers(&[1]);
    let size = patch.int64(&size);
    let last = patch.op("Sub", [&size, &one]);
    let upper = patch.op("Add", [&lower, &one]);
    let upper = patch.op("Min", [&upper, &last]);
    let second = patch.op_with("Gather", [&x, &upper], along);
    let weight = patch.op("Sub", [&places, &below]);
    let shape: Vec<i64> = (0..rank)
        .map(|other| if other == axis { -1 } else { 1 })
        .collect();
    let weight = patch.reshape(&weight, &shape);
    let weight = patch.op("CastLike", [&weight, &x]);
    let rise = patch.op("Sub", [&second, &first]);
    let rise = patch.op("Mul", [&rise, &weight]);
    patch.op("Add", [&first, &rise])
}
