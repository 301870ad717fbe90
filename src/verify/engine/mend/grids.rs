//! Grids of places, and images cut or padded around their centre.

use super::Repair;
use crate::onnx::Name;
use crate::verify::engine::patch::Patch;
use crate::verify::engine::site::Site;

pub(super) const ALL: &[Repair] = &[
    Repair::of("AffineGrid", |site| space(site).is_some(), affine),
    Repair::of("CenterCropPad", |site| site.rank(0).is_some(), centred),
];

/// The number of axes of the space.
fn space(site: &Site<'_>) -> Option<i64> {
    let axes = site.sizes(0)?.get(1).copied()??;
    Some(axes).filter(|axes| (2..=3).contains(axes))
}

/// The products of the matrices with the places of the space, each place as (x, y, 1) or (x, y, z, 1).
fn affine(mut patch: Patch<'_, '_>) {
    let axes = space(&patch).unwrap_or(2);
    let sizes = patch.int64(&patch.input(1).clone());
    let [mut places, mut sizes_of_space] = [Vec::new(), Vec::new()];
    for axis in 0..axes {
        let index = patch.integers(&[2 + axis]);
        let size = patch.op("Gather", [&sizes, &index]);
        let mut shape = vec![1; axes as usize + 1];
        shape[axis as usize] = -1;
        let place = from_centre(&mut patch, &size);
        places.push(patch.reshape(&place, &shape));
        sizes_of_space.push(size);
    }
    let one = patch.integers(&[1]);
    let shape: Vec<&Name> = sizes_of_space.iter().chain([&one]).collect();
    let shape = patch.concat(&shape, 0);
    let unit = patch.number(0, 1.0);
    let parts: Vec<Name> = places
        .iter()
        .rev()
        .chain([&unit])
        .map(|place| patch.op("Expand", [place, &shape]))
        .collect();
    let parts: Vec<&Name> = parts.iter().collect();
    let base = patch.concat(&parts, -1);
    let base = patch.reshape(&base, &[1, -1, axes + 1]);
    let turned = patch.transpose(&patch.input(0).clone(), &[0, 2, 1]);
    let grid = patch.op("MatMul", [&base, &turned]);
    let (batch, last) = (patch.size(&turned, 0), patch.integers(&[axes]));
    let shape: Vec<&Name> = [&batch]
        .into_iter()
        .chain(&sizes_of_space)
        .chain([&last])
        .collect();
    let shape = patch.concat(&shape, 0);
    patch.end_with("Reshape", [&grid, &shape], Vec::new());
}

/// The places along an axis, from -1 to 1: of the first and last element, or of their outer edges.
fn from_centre(patch: &mut Patch<'_, '_>, size: &Name) -> Name {
    let aligned = patch.int("align_corners", 0) != 0;
    let places = patch.count(size);
    let x = patch.input(0);
    let [places, size] = [&places, size].map(|value| patch.op("CastLike", [value, &x]));
    let (one, two) = (patch.number(0, 1.0), patch.number(0, 2.0));
    let doubled = patch.op("Mul", [&places, &two]);
    let (above, below) = match aligned {
        true => (doubled, patch.op("Sub", [&size, &one])),
        false => (patch.op("Add", [&doubled, &one]), size),
    };
    let share = patch.op("Div", [&above, &below]);
    patch.op("Sub", [&share, &one])
}

/// Half of the elements that are too many are cut from either side, and half of those that are missing added.
fn centred(mut patch: Patch<'_, '_>) {
    let rank = patch.rank(0).unwrap_or_default() as i64;
    let axes = patch
        .ints("axes")
        .map_or_else(|| (0..rank).collect(), <[i64]>::to_vec);
    let x = patch.input(0);
    let sizes = patch.op("Shape", [&x]);
    let axes = patch.integers(&axes);
    let sizes = patch.op("Gather", [&sizes, &axes]);
    let wanted = patch.input(1);
    let [sizes, wanted] = [&sizes, &wanted].map(|value| patch.int64(value));
    let (zero, two) = (patch.integers(&[0]), patch.integers(&[2]));
    let [more, less] = [[&sizes, &wanted], [&wanted, &sizes]].map(|both| {
        let difference = patch.op("Sub", both);
        patch.op("Max", [&difference, &zero])
    });
    let [start, before] = [&more, &less].map(|each| patch.op("Div", [each, &two]));
    let kept = patch.op("Sub", [&sizes, &more]);
    let end = patch.op("Add", [&start, &kept]);
    let x = patch.op("Slice", [&x, &start, &end, &axes]);
    let after = patch.op("Sub", [&less, &before]);
    let pads = patch.concat(&[&before, &after], 0);
    patch.end_with("Pad", [&x, &pads, &Name::default(), &axes], Vec::new());
}
