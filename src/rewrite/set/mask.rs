//! The rate of a random mask: its threshold and its scale, or what else depends on it, changed together.

use crate::dropout::alpha::{ALPHA, scale_and_shift};
use crate::dropout::{Form, Kind, MaskUse, Scaling, Site};
use crate::error::Result;
use crate::rewrite::{Rate, Reason};
use crate::semantics::view::{NodeRef, View};

use super::Changes;
use super::change::Change;
use super::constant::{self, ConstantInput};

/// What a number in a mask is, as a function of the rate.
type Role = fn(f64) -> f64;

const DROP: Role = |p| p;
const KEEP: Role = |p| 1.0 - p;
const SCALE: Role = |p| 1.0 / (1.0 - p);
/// The standard deviation of Gaussian dropout (Srivastava et al. 2014, section 10).
const DEVIATION: Role = |p| (p / (1.0 - p)).sqrt();
/// Alpha dropout is `a·(x·m + α·(1-m)) + b`.
const A: Role = |p| scale_and_shift(p).0;
const B: Role = |p| scale_and_shift(p).1;
const A_ALPHA: Role = |p| A(p) * ALPHA;
const MINUS_A_ALPHA: Role = |p| -A(p) * ALPHA;
const OF_DROPPED: Role = |p| A(p) * ALPHA + B(p);

/// What has to change, or why it cannot.
pub(super) fn changes(view: View<'_>, site: &Site, rate: Rate) -> Result<Changes> {
    let refuse = |why: &str| {
        let why =
            format!("{why}; replace it with a Dropout operator, with `strip` and then `insert`");
        Ok(Err(Reason::Inexpressible(why.into())))
    };
    if site.form != Form::RandomMask {
        return refuse("its mask is a constant without a rate");
    }
    if site.kind == Kind::GaussianNoise {
        let why = "Gaussian noise has no rate; exclude it with `--where kind=dropout`";
        return Ok(Err(Reason::Inexpressible(why.into())));
    }
    if site.scaling != Scaling::Inverted && site.inference_scale == 1.0 {
        return refuse("its mask has no scale of its own");
    }
    if site.kind == Kind::Dropout && site.scaling != Scaling::Inverted {
        return refuse("its scale is in a different graph from its draw");
    }
    if let Some(why) = &site.entangled {
        let why = format!("{why}, so a different rate cannot be verified");
        return Ok(Err(Reason::Entangled(why.into())));
    }
    if site.mask == MaskUse::Output {
        let why = "its mask is an output, which a different rate would change as well";
        return Ok(Err(Reason::Shared(why.into())));
    }
    if rate.value() == 0.0 {
        return refuse("a mask that keeps everything would not be recognised as dropout");
    }
    let Some(now) = site.rate else {
        return refuse("its rate is decided at run time");
    };
    let mut changes: Vec<Change> = Vec::new();
    let (mut thresholds, mut scales) = (0, 0);
    for id in site.mask_nodes(view.model, view.values) {
        let node = view.node(id);
        for input in 0..node.inputs().len() {
            let Some(constant) = constant::find(node, input)? else {
                continue;
            };
            let element = view.value(constant.value).element_type();
            if !element.is_none_or(|element| element.is_float()) {
                continue;
            }
            let Some((role, threshold)) = role(site, (node, input), &constant, now) else {
                continue;
            };
            match threshold {
                true => thresholds += 1,
                false => scales += 1,
            }
            changes.push(Change {
                at: (id, input),
                constant,
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

/// What a number is, and whether it decides what is dropped.
fn role(
    site: &Site,
    (node, input): (NodeRef<'_>, usize),
    constant: &ConstantInput,
    rate: f64,
) -> Option<(Role, bool)> {
    let number = constant.number;
    let near = |other: f64| (number - other).abs() <= constant.precision() * other.abs().max(0.1);
    let is = |ops: &[&str]| ops.contains(&node.op());
    let one_of = |roles: &[Role]| roles.iter().copied().find(|role| near(role(rate)));
    if site.kind == Kind::GaussianDropout {
        let deviation = one_of(&[DEVIATION]).filter(|_| node.op() == "Mul");
        return deviation.map(|role| (role, false));
    }
    if is(&["Less", "LessOrEqual", "Greater", "GreaterOrEqual"]) {
        let kept_above = site.kept_draw?.value > number;
        let role = one_of(if kept_above { &[DROP] } else { &[KEEP] });
        return role.map(|role| (role, true));
    }
    if node.op() == "Bernoulli" {
        return one_of(&[KEEP]).map(|role| (role, true));
    }
    if site.kind == Kind::AlphaDropout {
        let roles = [A, B, A_ALPHA, MINUS_A_ALPHA, OF_DROPPED];
        let role = one_of(&roles).filter(|_| is(&["Add", "Mul", "Sub", "Where"]));
        return role.map(|role| (role, false));
    }
    if node.op() == "Add" {
        return one_of(&[KEEP]).map(|role| (role, true));
    }
    if node.op() == "Div" && input == 1 {
        return one_of(&[KEEP]).map(|role| (role, false));
    }
    let scale = one_of(&[SCALE]).filter(|_| node.op() == "Mul");
    scale.map(|role| (role, false))
}
