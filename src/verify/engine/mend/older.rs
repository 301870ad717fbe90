//! Forms of older opsets, which tract lacks or reads by the rules of newer ones.

use super::Repair;
use super::site::Site;
use crate::onnx::DataType;

pub(super) const ALL: &[Repair] = &[
    // tract makes sizes of what is cast to int64, which some of its operators do not take
    Repair::made(
        "Cast",
        |site| element(site).is_some(),
        |site| {
            let element = element(site).and_then(DataType::name).unwrap_or_default();
            let cast = match element {
                "int64" => "CastLike(x, 0i)".to_string(),
                element => format!("Cast(x){{to={element}}}"),
            };
            format!("x => y\n y = {cast}")
        },
    ),
    Repair::of(
        "TopK",
        |site| site.node.attribute("k").is_some(),
        "x => y indices
         y, indices = TopK(x, [@k]){axis}",
    ),
    Repair::of(
        "Reshape",
        |site| site.ints("shape").is_some(),
        "x => y
         y = Reshape(x, @shape)",
    ),
    Repair::made("Add", starts_at_an_axis, aligned),
    Repair::made("Sub", starts_at_an_axis, aligned),
    Repair::made("Mul", starts_at_an_axis, aligned),
    Repair::made("Div", starts_at_an_axis, aligned),
    // up to opset 10, the element nearest below is taken
    Repair::of(
        "Resize",
        |site| site.opset == 10,
        "x scales => y
         y = Resize(x, scales){*, nearest_mode=floor}",
    ),
    Repair::made("Upsample", |site| site.rank(0).is_some(), upsampled),
];

/// Copies are written in the form of the newest opset.
#[cfg(feature = "ort")]
pub(super) const ORT: &[Repair] = &[Repair::of(
    "ConstantOfShape",
    |site| site.opset < 9,
    "shape => y
     y = Reshape(Tile(Reshape(@value=0f, [1]), ReduceProd(shape)), shape)",
)];

/// The element type of a cast to int64, or, before opset 6, to a word.
fn element(site: &Site<'_>) -> Option<DataType> {
    let word = DataType::from_name(&site.text("to").to_lowercase());
    word.or((site.int("to", 0) == i64::from(DataType::INT64.0)).then_some(DataType::INT64))
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
    let axis = if axis < 0 {
        axis.saturating_add(wide)
    } else {
        axis
    };
    if !(0..=wide).contains(&axis) {
        return None;
    }
    Some(wide - axis - narrow)
}

fn aligned(site: &Site<'_>) -> String {
    let mut shape = vec![0; site.rank(1).unwrap_or_default()];
    shape.resize(shape.len() + missing(site).unwrap_or_default() as usize, 1);
    format!("a b => y\n y = self(a, Reshape(b, {shape:?}))")
}

/// Axis by axis: the element at i of the result lies at i / scale.
fn upsampled(site: &Site<'_>) -> String {
    let rank = site.rank(0).unwrap_or_default();
    let is_linear = matches!(site.text("mode"), "linear" | "bilinear");
    let is_whole = is_linear && site.element(0).is_some_and(|element| !element.is_float());
    let (first, last) = match is_whole {
        true => ("Cast(x){to=float}", "CastLike(y, x)"),
        false => ("x", "y"),
    };
    let mut text = format!(
        "x scales => y
        if !scales: scales = @scales
        y = {first}"
    );
    for axis in 0..rank {
        text += &format!(
            "
            size = size(y, [{axis}])
            scale = Gather(scales, [{axis}])
            total = Floor(Mul(Cast(size){{to=float}}, scale))
            places = Div(Cast(count(total)){{to=float}}, scale)
            lower = CastLike(Floor(places), 0i)
            first = Gather(y, lower){{axis={axis}}}"
        );
        let mut along = vec![1; rank];
        along[axis] = -1;
        text += &match is_linear {
            false => "\n y = first".to_string(),
            true => format!(
                "
                second = Gather(y, Min(Add(lower, [1]), Sub(size, [1]))){{axis={axis}}}
                weight = CastLike(Reshape(Sub(places, Floor(places)), {along:?}), y)
                y = Add(first, Mul(Sub(second, first), weight))"
            ),
        };
    }
    text + &format!("\n y = {last}")
}
