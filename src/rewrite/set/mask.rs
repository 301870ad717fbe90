//! The rate of a random mask: its threshold and its scale, changed together.

use crate::dropout::{Form, Kind, Scaling, Site};
use crate::error::Result;
use crate::onnx::{Model, NodeId, Values};
use crate::rewrite::Rate;

use super::leaf::{self, Change};

/// How near a number is to what it is taken for: exporters write float32.
const NEAR: f64 = 1e-6;

/// What a number in a mask is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    /// p.
    Drop,
    /// 1 − p.
    Keep,
    /// 1 / (1 − p).
    Scale,
}

/// What has to change, or why it cannot.
pub(super) fn changes(
    model: &Model,
    values: &Values,
    site: &Site,
    rate: Rate,
) -> Result<std::result::Result<Vec<Change>, String>> {
    let refuse = |why: &str| Ok(Err(why.to_string()));
    if site.form != Form::RandomMask {
        return refuse("what is left of its mask has no rate to set");
    }
    if site.kind != Kind::Dropout {
        return Ok(Err(format!(
            "the constants of {} are not changed",
            site.kind
        )));
    }
    if site.scaling != Scaling::Inverted {
        return refuse("it is not scaled where it is drawn: its scale is somewhere else");
    }
    if rate.value() == 0.0 {
        return refuse(
            "a mask that keeps everything is not known for dropout any more: `strip` takes it out",
        );
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
            let Some((role, threshold)) = role(model, site, id, input, leaf.number, now) else {
                continue;
            };
            match threshold {
                true => thresholds += 1,
                false => scales += 1,
            }
            let number = match role {
                Role::Drop => rate.value(),
                Role::Keep => 1.0 - rate.value(),
                Role::Scale => rate.scale(),
            };
            changes.push(Change {
                at: (id, input),
                leaf,
                number,
            });
        }
    }
    match (thresholds, scales) {
        (0, _) => refuse("its threshold is no constant of its own"),
        (_, 0) => refuse("its scale is no constant of its own"),
        _ => Ok(Ok(changes)),
    }
}

fn leaf_is_float(model: &Model, values: &Values, leaf: &leaf::Leaf) -> bool {
    let element = model.element_type(values, leaf.value);
    element.is_none_or(|element| element.is_float())
}

/// What a number is, and whether it decides what is dropped.
fn role(
    model: &Model,
    site: &Site,
    id: NodeId,
    input: usize,
    number: f64,
    rate: f64,
) -> Option<(Role, bool)> {
    let near = |other: f64| (number - other).abs() <= NEAR * other.abs().max(0.1);
    let node = model.node(id);
    let is = |ops: &[&str]| ops.iter().any(|op| node.is(op));
    let (drop, keep) = (near(rate), near(1.0 - rate));
    if is(&["Less", "LessOrEqual", "Greater", "GreaterOrEqual"]) {
        let kept_above = site.kept_draw?.value > number;
        return match kept_above {
            true if drop => Some((Role::Drop, true)),
            false if keep => Some((Role::Keep, true)),
            _ => None,
        };
    }
    if is(&["Add", "Bernoulli"]) {
        return keep.then_some((Role::Keep, true));
    }
    if node.is("Div") && input == 1 {
        return keep.then_some((Role::Keep, false));
    }
    (node.is("Mul") && near(1.0 / (1.0 - rate))).then_some((Role::Scale, false))
}
