//! Operators that address elements by indices.

use super::{Repair, always};
use crate::onnx::{DataType, Name};
use crate::verify::engine::patch::{Patch, int};
use crate::verify::engine::site::Site;

pub(super) const ALL: &[Repair] = &[
    Repair::of("ScatterND", counts_from_the_end, |patch| {
        counted(patch, "ScatterND")
    }),
    Repair::of("GatherND", counts_from_the_end, |patch| {
        counted(patch, "GatherND")
    }),
    Repair::of("ReverseSequence", |site| site.rank(0).is_some(), reversed),
    Repair::of("Trilu", |site| site.has(1), triangle),
    Repair::of("CumSum", always, sums),
];

/// Negative indices count from the end, for which tract looks before the first element.
fn counts_from_the_end(site: &Site) -> bool {
    let known = site
        .inputs
        .get(1)
        .and_then(|indices| indices.integers.as_ref());
    known.is_none_or(|indices| indices.iter().any(|&index| index < 0))
}

fn counted(mut patch: Patch<'_, '_>, op_type: &str) {
    let [data, indices] = [patch.input(0), patch.input(1)];
    let batch = patch.int("batch_dims", 0);
    let indices = patch.int64(&indices);
    let sizes = patch.op("Shape", [&data]);
    let first = patch.integers(&[batch]);
    let depth = patch.size(&indices, -1);
    let axes = patch.count(&depth);
    let axes = patch.op("Add", [&axes, &first]);
    let sizes = patch.op("Gather", [&sizes, &axes]);
    let sizes = patch.int64(&sizes);
    let from_start = patch.op("Add", [&indices, &sizes]);
    let zero = patch.integer(0);
    let is_negative = patch.op("Less", [&indices, &zero]);
    let indices = patch.op("Where", [&is_negative, &from_start, &indices]);
    let mut inputs = patch.node.inputs.clone();
    inputs[1] = indices;
    let attributes = patch.node.attributes.clone();
    patch.end_with(op_type, &inputs, attributes);
}

/// Each column of a batch has its own length, up to which it is reversed: the elements are gathered by
/// `length - 1 - t` where t is less than the length, and by t elsewhere.
fn reversed(mut patch: Patch<'_, '_>) {
    let [x, lengths] = [patch.input(0), patch.input(1)];
    let rank = patch.rank(0).unwrap_or(2) as i64;
    let [time, batch] = [patch.int("time_axis", 0), patch.int("batch_axis", 1)];
    let along = |axis: i64| -> Vec<i64> {
        (0..rank)
            .map(|other| if other == axis { -1 } else { 1 })
            .collect()
    };
    let steps = patch.size(&x, time);
    let steps = patch.count(&steps);
    let steps = patch.reshape(&steps, &along(time));
    let lengths = patch.int64(&lengths);
    let lengths = patch.reshape(&lengths, &along(batch));
    let one = patch.integer(1);
    let last = patch.op("Sub", [&lengths, &one]);
    let mirrored = patch.op("Sub", [&last, &steps]);
    let is_within = patch.op("Less", [&steps, &lengths]);
    let from = patch.op("Where", [&is_within, &mirrored, &steps]);
    let shape = patch.op("Shape", [&x]);
    let from = patch.op("Expand", [&from, &shape]);
    patch.end_with("GatherElements", [&x, &from], vec![int("axis", time)]);
}

/// A number of `Trilu` or `CumSum` may be a list of one, or have been a size.
fn number(patch: &mut Patch<'_, '_>, input: usize) -> Name {
    let value = patch.input(input);
    let value = patch.int64(&value);
    patch.reshape(&value, &[])
}

fn triangle(mut patch: Patch<'_, '_>) {
    let (x, k) = (patch.input(0), number(&mut patch, 1));
    let attributes = patch.node.attributes.clone();
    patch.end_with("Trilu", [&x, &k], attributes);
}

/// tract may have made sizes of the integers, which it cannot add up: doubles hold them exactly.
fn sums(mut patch: Patch<'_, '_>) {
    let (x, axis) = (patch.input(0), number(&mut patch, 1));
    let attributes = patch.node.attributes.clone();
    if patch.element(0) != Some(DataType::INT64) {
        patch.end_with("CumSum", [&x, &axis], attributes);
        return;
    }
    let numbers = patch.cast(&x, DataType::DOUBLE);
    let sums = patch.op_with("CumSum", [&numbers, &axis], attributes);
    let sums = patch.int64(&sums);
    patch.give(0, &sums);
}
