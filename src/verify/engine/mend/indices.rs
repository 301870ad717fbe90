//! Operators that address elements by indices, and grids of places.

use super::Repair;
use super::site::Site;

pub(super) const ALL: &[Repair] = &[
    Repair::of("ScatterND", counts_from_the_end, COUNTED),
    Repair::of("GatherND", counts_from_the_end, COUNTED),
    // each column of a batch has its own length, up to which it is reversed
    Repair::of(
        "ReverseSequence",
        super::always,
        "x lengths => y
         flat = Reshape(x, [0, 0, -1])
         step = Unsqueeze(count(size(x, [0])), [1, 2])
         length = Unsqueeze(CastLike(lengths, 0i), [0, 2])
         if time_axis: step = Unsqueeze(count(size(x, [1])), [0, 2])
         if time_axis: length = Unsqueeze(CastLike(lengths, 0i), [1, 2])
         from = Where(Less(step, length), Sub(Sub(length, [1]), step), step)
         y = GatherElements(flat, Expand(from, Shape(flat))){axis=@time_axis}
         y = Reshape(y, Shape(x))",
    ),
    // the number may be a list of one
    Repair::of(
        "Trilu",
        is_list,
        "x k => y
         y = Trilu(x, scalar(k)){*}",
    ),
    Repair::of(
        "CumSum",
        is_list,
        "x axis => y
         y = CumSum(x, scalar(axis)){*}",
    ),
    Repair::made("AffineGrid", |site| space(site).is_some(), affine),
    Repair::made("CenterCropPad", |site| site.rank(0).is_some(), centred),
];

/// Negative indices count from the end, for which tract looks before the first element.
fn counts_from_the_end(site: &Site<'_>) -> bool {
    let known = site.integers("", 1);
    site.has(1) && known.is_none_or(|indices| indices.iter().any(|&index| index < 0))
}

const COUNTED: &str = "data indices updates => y
    indices = CastLike(indices, 0i)
    axes = Add(count(size(indices, [-1])), @batch_dims=0i)
    from_start = Add(indices, Gather(Shape(data), axes))
    y = self(data, Where(Less(indices, 0i), from_start, indices), updates){*}";

fn is_list(site: &Site<'_>) -> bool {
    site.has(1) && site.rank(1) != Some(0)
}

/// The number of axes of the space: by the matrices, or by the number of sizes.
fn space(site: &Site<'_>) -> Option<i64> {
    let rows = site.sizes(0).and_then(|sizes| *sizes.get(1)?);
    let sizes = || (*site.sizes(1)?.first()?)?.checked_sub(2);
    let axes = rows.or_else(sizes)?;
    Some(axes).filter(|axes| (2..=3).contains(axes))
}

/// The products of the matrices with the places of the space, each place as (x, y, 1) or (x, y, z, 1): from -1 to 1,
/// of the first and last element, or of their outer edges.
fn affine(site: &Site<'_>) -> String {
    let axes = space(site).unwrap_or(2);
    let mut text = "theta sizes => y\n sizes = CastLike(sizes, 0i)\n".to_string();
    let [mut places, mut sizes] = [String::new(), String::new()];
    for axis in 0..axes {
        let mut shape = vec![1; axes as usize + 1];
        shape[axis as usize] = -1;
        text += &format!(
            "n{axis} = Gather(sizes, [{}])
             size = CastLike(n{axis}, theta)
             twice = Mul(CastLike(count(n{axis}), theta), 2)
             if align_corners: place = Div(twice, Sub(size, 1))
             if !align_corners: place = Div(Add(twice, 1), size)
             p{axis} = Reshape(Sub(place, 1), {shape:?})\n",
            axis + 2
        );
        places.insert_str(0, &format!("Expand(p{axis}, shape), "));
        sizes += &format!("n{axis}, ");
    }
    let width = axes + 1;
    text + &format!(
        "shape = Concat({sizes}[1]){{axis=0}}
         base = Reshape(Concat({places}Expand(1, shape)){{axis=-1}}, [1, -1, {width}])
         grid = MatMul(base, Transpose(theta){{perm=[0, 2, 1]}})
         y = Reshape(grid, Concat(size(theta, [0]), {sizes}[{axes}]){{axis=0}})"
    )
}

/// Half of the elements that are too many are cut from either side, and half of those that are missing added.
fn centred(site: &Site<'_>) -> String {
    let rank = site.rank(0).unwrap_or_default() as i64;
    let axes = site
        .ints("axes")
        .map_or_else(|| (0..rank).collect(), <[i64]>::to_vec);
    format!(
        "x wanted => y
         sizes = size(x, {axes:?})
         wanted = CastLike(wanted, 0i)
         more = Max(Sub(sizes, wanted), [0])
         less = Max(Sub(wanted, sizes), [0])
         start = Div(more, [2])
         before = Div(less, [2])
         x = Slice(x, start, Add(start, Sub(sizes, more)), {axes:?})
         y = Pad(x, Concat(before, Sub(less, before)){{axis=0}}, none, {axes:?})"
    )
}
