//! Padding that tract lacks: negative, by another part of the data, of booleans, or by a computed number.

use super::Repair;
use crate::onnx::{DataType, Name};
use crate::semantics::facts::axis_of;
use crate::verify::engine::patch::{Patch, int};
use crate::verify::engine::site::Site;

pub(super) const ALL: &[Repair] = &[Repair::of("Pad", needs, padded)];

/// The elements to add before and after each axis: negative ones are removed.
fn amounts(site: &Site) -> Option<Vec<[i64; 2]>> {
    let pads = site.list("pads", 1)?;
    let rank = site.rank(0)?;
    let axes: Vec<i64> = match site.has(3) {
        true => site.inputs[3].integers.clone()?,
        false => (0..rank as i64).collect(),
    };
    let (before, after) = pads.split_at_checked(axes.len())?;
    let mut amounts = vec![[0, 0]; rank];
    for (axis, (&before, &after)) in axes.iter().zip(before.iter().zip(after)) {
        *amounts.get_mut(axis_of(*axis, rank)?)? = [before, after];
    }
    Some(amounts)
}

fn needs(site: &Site) -> bool {
    let is_odd = |value: &[i64; 2]| value.iter().any(|&amount| amount < 0);
    let is_plain_number = site.inputs.get(2).is_none_or(|number| {
        !site.has(2) || number.is_constant && number.sizes.as_deref() == Some(&[])
    });
    let asks = site.text("mode") == "wrap"
        || matches!(site.element(0), Some(DataType::BOOL | DataType::INT64))
        || !is_plain_number;
    amounts(site).is_some_and(|amounts| asks || amounts.iter().any(is_odd))
}

fn padded(mut patch: Patch<'_, '_>) {
    let amounts = amounts(&patch).unwrap_or_default();
    let is_boolean = patch.element(0) == Some(DataType::BOOL);
    let mut x = patch.input(0);
    if is_boolean {
        x = patch.cast(&x, DataType::UINT8);
    }
    x = cropped(&mut patch, x, &amounts);
    for (axis, amount) in amounts.iter().enumerate() {
        let [before, after] = amount.map(|amount| amount.max(0));
        if before == 0 && after == 0 {
            continue;
        }
        x = match patch.text("mode") {
            "wrap" | "reflect" | "edge" => continued(&mut patch, x, axis as i64, [before, after]),
            _ => filled(&mut patch, x, axis as i64, [before, after]),
        };
    }
    if is_boolean {
        x = patch.cast(&x, DataType::BOOL);
    }
    patch.give(0, &x);
}

/// Without the elements that negative amounts remove.
fn cropped(patch: &mut Patch<'_, '_>, x: Name, amounts: &[[i64; 2]]) -> Name {
    let cut = amounts.iter().enumerate();
    let cut = cut.filter(|(_, amount)| amount.iter().any(|&amount| amount < 0));
    let [mut starts, mut ends, mut axes] = [Vec::new(), Vec::new(), Vec::new()];
    for (axis, &[before, after]) in cut {
        starts.push((-before).max(0));
        ends.push(if after < 0 { after } else { i64::MAX });
        axes.push(axis as i64);
    }
    match axes.is_empty() {
        true => x,
        false => patch.slice(&x, [&starts, &ends, &axes]),
    }
}

/// With elements of the data along an axis: the element at index i of the result is that at i - before,
/// continued around, mirrored, or with the nearest.
fn continued(patch: &mut Patch<'_, '_>, x: Name, axis: i64, [before, after]: [i64; 2]) -> Name {
    let size = patch.size(&x, axis);
    let size = patch.int64(&size);
    let added = patch.integers(&[before + after]);
    let total = patch.op("Add", [&size, &added]);
    let places = patch.count(&total);
    let before = patch.integers(&[before]);
    let places = patch.op("Sub", [&places, &before]);
    let (zero, one) = (patch.integers(&[0]), patch.integers(&[1]));
    let last = patch.op("Sub", [&size, &one]);
    let places = match patch.text("mode") {
        "wrap" => patch.op("Mod", [&places, &size]),
        "edge" => {
            let places = patch.op("Max", [&places, &zero]);
            patch.op("Min", [&places, &last])
        }
        _ => {
            let places = patch.op("Abs", [&places]);
            let beyond = patch.op("Sub", [&places, &last]);
            let beyond = patch.op("Abs", [&beyond]);
            patch.op("Sub", [&last, &beyond])
        }
    };
    let axis = vec![int("axis", axis)];
    patch.op_with("Gather", [&x, &places], axis)
}

/// With a number before and after the data along an axis.
fn filled(patch: &mut Patch<'_, '_>, x: Name, axis: i64, amounts: [i64; 2]) -> Name {
    let number = match patch.has(2) {
        true => {
            let number = patch.input(2);
            patch.reshape(&number, &[])
        }
        false => {
            let number = patch.float("value", 0.0);
            patch.number(0, number.into())
        }
    };
    let number = patch.op("CastLike", [&number, &x]);
    let parts = amounts.map(|amount| {
        let shape = patch.op("Shape", [&x]);
        let rank = patch.rank(0).unwrap_or(0);
        let parts: Vec<Name> = (0..rank as i64)
            .map(|other| match other == axis {
                true => patch.integers(&[amount]),
                false => {
                    let other = patch.integers(&[other]);
                    patch.op("Gather", [&shape, &other])
                }
            })
            .collect();
        let parts: Vec<&Name> = parts.iter().collect();
        let shape = patch.concat(&parts, 0);
        patch.op("Expand", [&number, &shape])
    });
    let [before, after] = &parts;
    let all = [(amounts[0], before), (1, &x), (amounts[1], after)];
    let all: Vec<&Name> = all
        .into_iter()
        .filter(|(n, _)| *n > 0)
        .map(|(_, part)| part)
        .collect();
    patch.concat(&all, axis)
}
