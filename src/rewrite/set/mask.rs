//! The rate of a random mask: its threshold and its scale, or what else depends on it, changed together.

use crate::dropout::alpha::{ALPHA, scale_and_shift};
use crate::dropout::{Form, Kind, MaskUse, Scaling, Site};
use crate::error::Result;
use crate::rewrite::{Rate, Reason};
use crate::semantics::draws::distribution;
use crate::semantics::operator::Distribution;
use crate::semantics::view::{NodeRef, View};

use super::Changes;
use super::change::Change;
use super::constant::{self, ConstantInput};

/// What a number in a mask is, as a function of the rate.
type Role = fn(f64) -> f64;

/// The attributes of a node, or their defaults.
fn attributes(node: NodeRef<'_>, names: [(&str, f32); 2]) -> [f64; 2] {
    names.map(|(name, default)| f64::from(node.float(name, default)))
}

/// The number below which a node draws with this probability.
fn quantile(node: NodeRef<'_>, share: f64) -> f64 {
    match distribution(node) {
        Some(Distribution::Uniform) => {
            let [low, high] = attributes(node, [("low", 0.0), ("high", 1.0)]);
            low + (high - low) * share
        }
        Some(Distribution::Normal) => {
            let [mean, deviation] = attributes(node, [("mean", 0.0), ("scale", 1.0)]);
            mean + deviation * normal_quantile(share)
        }
        _ => share,
    }
}

/// The quantile of the standard normal distribution, by bisection.
fn normal_quantile(share: f64) -> f64 {
    let below = |x: f64| libm::erfc(-x / std::f64::consts::SQRT_2) / 2.0;
    let (mut low, mut high) = (-40.0, 40.0);
    for _ in 0..80 {
        let middle = (low + high) / 2.0;
        match below(middle) < share {
            true => low = middle,
            false => high = middle,
        }
    }
    (low + high) / 2.0
}

/// The attribute that is the deviation of Gaussian dropout, if the draw has it and the rate is this.
pub(super) fn deviation(view: View<'_>, site: &Site, rate: f64) -> Option<&'static str> {
    let node = view.node(site.source()?);
    let [_, deviation] = attributes(node, [("mean", 0.0), ("scale", 1.0)]);
    let own = site.kind == Kind::GaussianDropout && node.get().attribute("scale").is_some();
    (own && (deviation - DEVIATION(rate)).abs() <= 1e-6 * deviation).then_some("scale")
}

/// The same at another rate.
pub(super) fn deviation_at(rate: Rate) -> f32 {
    DEVIATION(rate.value()) as f32
}

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

fn refused(why: &str) -> Reason {
    let why = format!("{why}; replace it with a Dropout operator, with `strip` and then `insert`");
    Reason::Inexpressible(why.into())
}

/// The rate of a mask that another may take the place of.
fn rate_to_change(site: &Site, rate: Rate) -> Result<f64, Reason> {
    if site.form != Form::RandomMask {
        return Err(refused("its mask is a constant without a rate"));
    }
    if site.kind == Kind::GaussianNoise {
        let why = "Gaussian noise has no rate; exclude it with `--where kind=dropout`";
        return Err(Reason::Inexpressible(why.into()));
    }
    if site.scaling != Scaling::Inverted && site.inference_scale == 1.0 {
        return Err(refused("its mask has no scale of its own"));
    }
    if site.kind == Kind::Dropout && site.scaling != Scaling::Inverted {
        return Err(refused("its scale is in a different graph from its draw"));
    }
    if let Some(why) = &site.entangled {
        let why = format!("{why}, so a different rate cannot be verified");
        return Err(Reason::Entangled(why.into()));
    }
    if site.mask == MaskUse::Output {
        let why = "its mask is an output, which a different rate would change as well";
        return Err(Reason::Shared(why.into()));
    }
    if rate.value() == 0.0 {
        return Err(refused(
            "a mask that keeps everything would not be recognised as dropout",
        ));
    }
    site.rate
        .ok_or_else(|| refused("its rate is decided at run time"))
}

/// What has to change, or why it cannot.
pub(super) fn changes(view: View<'_>, site: &Site, rate: Rate) -> Result<Changes> {
    let now = match rate_to_change(site, rate) {
        Ok(now) => now,
        Err(reason) => return Ok(Err(reason)),
    };
    let refuse = |why| Ok(Err(refused(why)));
    let mut changes: Vec<Change> = Vec::new();
    let (mut thresholds, mut scales) = (0, 0);
    for id in site.mask_nodes(view) {
        let node = view.node(id);
        for input in 0..node.inputs().len() {
            let Some(constant) = constant::find(node, input)? else {
                continue;
            };
            let element = view.value(constant.value).element_type();
            if !element.is_none_or(|element| element.is_float()) {
                continue;
            }
            let found = threshold(view, site, (node, input), &constant, (now, rate.value()));
            let threshold = found.is_some();
            let found = found.or_else(|| {
                let role = role(site, (node, input), &constant, now)?;
                Some(role(rate.value()))
            });
            let Some(number) = found else {
                continue;
            };
            match threshold {
                true => thresholds += 1,
                false => scales += 1,
            }
            changes.push(Change {
                at: (id, input),
                constant,
                number,
            });
        }
    }
    match (site.kind, thresholds, scales) {
        (Kind::GaussianDropout, _, 0) if deviation(view, site, now).is_some() => Ok(Ok(changes)),
        (Kind::GaussianDropout, _, 0) => refuse("its deviation is not a separate constant"),
        (Kind::GaussianDropout, ..) => Ok(Ok(changes)),
        (_, 0, _) => refuse("its threshold is not a separate constant"),
        (_, _, 0) => refuse("its scale is not a separate constant"),
        _ => Ok(Ok(changes)),
    }
}

/// True of a number that equals this one, to the precision of its type.
fn is_near(constant: &ConstantInput, other: f64) -> bool {
    (constant.number - other).abs() <= constant.precision() * other.abs().max(0.1)
}

/// The number that decides what is dropped, at the other of two rates; `None` if this one does not.
fn threshold(
    view: View<'_>,
    site: &Site,
    (node, input): (NodeRef<'_>, usize),
    constant: &ConstantInput,
    (now, then): (f64, f64),
) -> Option<f64> {
    if site.kind == Kind::GaussianDropout {
        return None;
    }
    let source = view.node(site.source()?);
    let kept = site.kept_draw.as_ref()?.value;
    let share = |is_dropped: bool, rate: f64| if is_dropped { rate } else { 1.0 - rate };
    let of_share = |is_dropped| {
        let is_it = is_near(constant, share(is_dropped, now));
        is_it.then(|| share(is_dropped, then))
    };
    match node.op() {
        // a draw, or what is left of it where it is compared with 0 or rounded
        "Less" | "LessOrEqual" | "Greater" | "GreaterOrEqual" | "Sub" => {
            let is_dropped = kept > constant.number;
            let is_it = is_near(constant, quantile(source, share(is_dropped, now)));
            is_it.then(|| quantile(source, share(is_dropped, then)))
        }
        "Bernoulli" => of_share(kept == 0.0),
        "Dropout" if node.id == source.id && input == 1 => of_share(true),
        "Add" if site.kind != Kind::AlphaDropout => of_share(false),
        _ => None,
    }
}

/// What a number is that something is multiplied by.
fn role(
    site: &Site,
    (node, input): (NodeRef<'_>, usize),
    constant: &ConstantInput,
    rate: f64,
) -> Option<Role> {
    let near = |other: f64| is_near(constant, other);
    let one_of = |roles: &[Role]| roles.iter().copied().find(|role| near(role(rate)));
    match (site.kind, node.op()) {
        (Kind::GaussianDropout, "Mul") => one_of(&[DEVIATION]),
        (Kind::GaussianDropout, _) => None,
        (Kind::AlphaDropout, "Add" | "Mul" | "Sub" | "Where") => {
            one_of(&[A, B, A_ALPHA, MINUS_A_ALPHA, OF_DROPPED])
        }
        (Kind::AlphaDropout, _) => None,
        (_, "Div") if input == 1 => one_of(&[KEEP]),
        (_, "Mul") => one_of(&[SCALE]),
        _ => None,
    }
}
