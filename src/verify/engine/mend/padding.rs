//! Padding that tract lacks: negative, by another part of the data, of booleans, or by a computed number.

use super::Repair;
use super::site::Site;
use crate::onnx::DataType;
use crate::semantics::facts::axis_of;

pub(super) const ALL: &[Repair] = &[Repair::made("Pad", needs, padded)];

/// The elements to add before and after each axis: negative ones are removed.
fn amounts(site: &Site<'_>) -> Option<[Vec<i64>; 2]> {
    let pads = site.integers("pads", 1)?;
    let rank = site.rank(0)?;
    let axes: Vec<i64> = match site.has(3) {
        true => site.integers("", 3)?,
        false => (0..rank as i64).collect(),
    };
    let (before, after) = pads.split_at_checked(axes.len())?;
    let mut amounts = [vec![0; rank], vec![0; rank]];
    for (axis, (&before, &after)) in axes.iter().zip(before.iter().zip(after)) {
        let axis = axis_of(*axis, rank)?;
        (amounts[0][axis], amounts[1][axis]) = (before, after);
    }
    Some(amounts)
}

fn needs(site: &Site<'_>) -> bool {
    let is_plain_number = !site.has(2) || site.is_constant(2) && site.rank(2) == Some(0);
    let is_boolean = site.element(0) == Some(DataType::BOOL);
    let asks = site.text("mode") == "wrap" || is_boolean || !is_plain_number;
    amounts(site).is_some_and(|amounts| asks || amounts.iter().flatten().any(|&amount| amount < 0))
}

fn padded(site: &Site<'_>) -> String {
    let [before, after] = amounts(site).unwrap_or_default();
    let mut text = "x pads number => y
        y = x
        if x.type=bool: y = Cast(x){to=uint8}
        value = CastLike(@value=0, y)
        if number: value = CastLike(Reshape(number, []), y)"
        .to_string();
    for axis in 0..before.len() {
        let [start, end] = [before[axis].saturating_neg().max(0), after[axis]];
        let end = if end < 0 { end } else { i64::MAX };
        if start > 0 || end < 0 {
            text += &format!("\n y = Slice(y, [{start}], [{end}], [{axis}])");
        }
    }
    let added: Vec<i64> = before
        .iter()
        .chain(&after)
        .map(|&amount| amount.max(0))
        .collect();
    match site.text("mode") {
        "wrap" => {
            for (axis, amounts) in added[..before.len()]
                .iter()
                .zip(&added[before.len()..])
                .enumerate()
            {
                let (before, both) = (amounts.0, amounts.0.saturating_add(*amounts.1));
                text += &format!(
                    "
                    size = size(y, [{axis}])
                    places = Sub(count(Add(size, [{both}])), [{before}])
                    y = Gather(y, Mod(places, size)){{axis={axis}}}"
                );
            }
        }
        "" | "constant" => {
            text += &format!(
                "
                inside = Cast(Pad(Expand(1f, Shape(y)), {added:?})){{to=bool}}
                y = Where(inside, Pad(y, {added:?}), value)"
            );
        }
        _ => text += &format!("\n y = Pad(y, {added:?}){{mode}}"),
    }
    text + "\n if x.type=bool: y = Cast(y){to=bool}"
}
