//! Forms of older opsets, which tract does not read.

use super::Repair;
use crate::onnx::{DataType, Node};
use crate::verify::engine::patch::{Patch, int};
use crate::verify::engine::site::Site;

pub(super) const ALL: &[Repair] = &[
    Repair::of(
        "Cast",
        |site| element_by_word(site).is_some(),
        |mut patch| {
            let element = element_by_word(&patch).unwrap_or(DataType::FLOAT);
            let result = patch.cast(&patch.input(0).clone(), element);
            patch.give(0, &result);
        },
    ),
    Repair::of(
        "TopK",
        |site| site.node.attribute("k").is_some(),
        |mut patch| {
            let x = patch.input(0);
            let count = patch.int("k", 1);
            let count = patch.integers(&[count]);
            let axis = int("axis", patch.int("axis", -1));
            let outputs = patch.node.outputs.clone();
            patch.end(outputs, Node::new("TopK").on([x, count]).with(axis));
        },
    ),
    Repair::of(
        "Reshape",
        |site| site.ints("shape").is_some(),
        |mut patch| {
            let shape = patch.ints("shape").map(<[i64]>::to_vec).unwrap_or_default();
            let result = patch.reshape(&patch.input(0).clone(), &shape);
            patch.give(0, &result);
        },
    ),
    Repair::of("Add", starts_at_an_axis, aligned),
    Repair::of("Sub", starts_at_an_axis, aligned),
    Repair::of("Mul", starts_at_an_axis, aligned),
    Repair::of("Div", starts_at_an_axis, aligned),
];

/// Before opset 6, `Cast` names its type by a word.
fn element_by_word(site: &Site<'_>) -> Option<DataType> {
    let word = site.text("to").to_lowercase();
    DataType::from_name(&word)
}

/// Before opset 7, the second input may be broadcast from an axis of the first on.
fn starts_at_an_axis(site: &Site<'_>) -> bool {
    site.int("broadcast", 0) != 0 && missing(site).is_some_and(|missing| missing > 0)
}

/// The number of axes that the second input lacks at the end.
fn missing(site: &Site<'_>) -> Option<i64> {
    site.node.attribute("axis")?;
    let [wide, narrow] = [site.rank(0)? as i64, site.rank(1)? as i64];
    let axis = site.int("axis", 0);
    let axis = if axis < 0 { axis + wide } else { axis };
    if !(0..=wide).contains(&axis) {
        return None;
    }
    Some(wide - axis - narrow)
}

fn aligned(mut patch: Patch<'_, '_>) {
    let [a, b] = [patch.input(0), patch.input(1)];
    let mut shape = vec![0; patch.rank(1).unwrap_or_default()];
    shape.resize(
        shape.len() + missing(&patch).unwrap_or_default() as usize,
        1,
    );
    let b = patch.reshape(&b, &shape);
    let op_type = patch.node.op_type.to_string();
    patch.end_with(&op_type, [&a, &b], Vec::new());
}
