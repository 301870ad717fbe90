//! The rate of a random mask: its threshold and its scale, or what else depends on it, changed together.

use crate::dropout::{Form, Kind, Scaling, Site};
use crate::error::Result;
use crate::onnx::{Model, Values};
use crate::rewrite::Rate;

use super::leaf::{self, Change, Leaf, Place};

/// −λα of SELU, the value of dropped elements in alpha dropout (Klambauer et al. 2017).
const ALPHA: f64 = -1.758_099_340_847_376_6;

/// What a number in a mask is, as a function of the rate.
type Role = fn(f64) -> f64;

const DROP: Role = |p| p;
const KEEP: Role = |p| 1.0 - p;
const SCALE: Role = |p| 1.0 / (1.0 - p);
/// The standard deviation of Gaussian dropout (Srivastava et al. 2014, section 10).
const DEVIATION: Role = |p| (p / (1.0 - p)).sqrt();
/// Alpha dropout is `a·(x·m + α·(1-m)) + b`.
const A: Role = |p| ((1.0 - p) * (1.0 + p * ALPHA * ALPHA)).powf(-0.5);
const B: Role = |p| -A(p) * ALPHA * p;
const A_ALPHA: Role = |p| A(p) * ALPHA;
const MINUS_A_ALPHA: Role = |p| -A(p) * ALPHA;
const OF_DROPPED: Role = |p| A(p) * ALPHA + B(p);

/// What has to change, or why it cannot.
pub(super) fn changes(
    model: &Model,
    values: &Values,
    site: &Site,
    rate: Rate,
) -> Result<std::result::Result<Vec<Change>, String>> {
    let refuse = |why: &str| {
        Ok(Err(format!(
            "{why}; replace it with a Dropout operator, with `strip` and then `insert`"
        )))
    };
    if site.form != Form::RandomMask {
        return refuse("its mask is a constant without a rate");
    }
    if site.kind == Kind::GaussianNoise {
        return Ok(Err(
            "Gaussian noise has no rate; exclude it with `--where kind=dropout`".into(),
        ));
    }
    if site.kind == Kind::Dropout && site.scaling != Scaling::Inverted {
        return refuse("its scale is in a different graph from its draw");
    }
    if let Some(why) = &site.entangled {
        return Ok(Err(format!(
            "{why}, so a different rate cannot be verified"
        )));
    }
    if rate.value() == 0.0 {
        return refuse("a mask that keeps everything would not be recognised as dropout");
    }
    let Some(now) = site.rate else {
        return refuse("its rate is decided at run time");
    };
    let mut changes: Vec<Change> = Vec::new();
    let (mut thresholds, mut scales) = (0, 0);
    for id in site.mask_nodes(model, values) {
        for input in 0..model.node(id).inputs.len() {
            let Some(leaf) = leaf::find(model, values, (id, input))? else {
                continue;
            };
            if !leaf_is_float(model, values, &leaf) {
                continue;
            }
            let Some((role, threshold)) = role(model, site, (id, input), &leaf, now) else {
                continue;
            };
            match threshold {
                true => thresholds += 1,
                false => scales += 1,
            }
            changes.push(Change {
                at: (id, input),
                leaf,
                number: role(rate.value()),
            });
        }
    }
    match (site.kind, thresholds, scales) {
        (Kind::GaussianDropout, _, 0) => refuse("its deviation is not a separate constant"),
        (Kind::GaussianDropout, ..) => Ok(Ok(changes)),
        (_, 0, _) => refuse("its threshold is not a separate constant"),
        (_, _, 0) => refuse("its scale is not a separate constant"),
        _ => Ok(Ok(changes)),
    }
}

fn leaf_is_float(model: &Model, values: &Values, leaf: &Leaf) -> bool {
    let element = model.element_type(values, leaf.value);
    element.is_none_or(|element| element.is_float())
}

/// What a number is, and whether it decides what is dropped.
fn role(
    model: &Model,
    site: &Site,
    (id, input): Place,
    leaf: &Leaf,
    rate: f64,
) -> Option<(Role, bool)> {
    let number = leaf.number;
    let near = |other: f64| (number - other).abs() <= leaf.precision() * other.abs().max(0.1);
    let node = model.node(id);
    let is = |ops: &[&str]| ops.iter().any(|op| node.is(op));
    let one_of = |roles: &[Role]| roles.iter().copied().find(|role| near(role(rate)));
    if site.kind == Kind::GaussianDropout {
        let deviation = one_of(&[DEVIATION]).filter(|_| node.is("Mul"));
        return deviation.map(|role| (role, false));
    }
    if is(&["Less", "LessOrEqual", "Greater", "GreaterOrEqual"]) {
        let kept_above = site.kept_draw?.value > number;
        let role = one_of(if kept_above { &[DROP] } else { &[KEEP] });
        return role.map(|role| (role, true));
    }
    if node.is("Bernoulli") {
        return one_of(&[KEEP]).map(|role| (role, true));
    }
    if site.kind == Kind::AlphaDropout {
        let roles = [A, B, A_ALPHA, MINUS_A_ALPHA, OF_DROPPED];
        let role = one_of(&roles).filter(|_| is(&["Add", "Mul", "Sub", "Where"]));
        return role.map(|role| (role, false));
    }
    if node.is("Add") {
        return one_of(&[KEEP]).map(|role| (role, true));
    }
    if node.is("Div") && input == 1 {
        return one_of(&[KEEP]).map(|role| (role, false));
    }
    let scale = one_of(&[SCALE]).filter(|_| node.is("Mul"));
    scale.map(|role| (role, false))
}
