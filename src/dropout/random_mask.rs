//! Dropout written as a random mask, recognised by what it computes.
//!
//! From every random source its draw is followed forwards, and what each value computes is sampled:
//! as long as it is `a(u)·x + b(u)` for one x that the draw does not reach, it may be dropout. Which
//! operators do it, and in which order, does not matter. A draw that chooses between different data
//! (a random flip), or is scaled by data (a VAE, diffusion), is not dropout.

mod alive;
mod apply;
mod assume;
mod branch;
mod cancel;
mod classify;
mod constants;
mod draw;
mod exits;
mod fit;
mod fixed;
mod follow;
mod form;
mod gate;

use std::cell::{Cell, OnceCell, RefCell};

use crate::error::Result;
use crate::hash::{HashMap, HashSet};
use crate::onnx::{AttributeValue, GraphKind, Model, Node, NodeId, Producer, Use, ValueId, Values};
use crate::semantics::view::View;

use super::constant::Resolver;
use super::limit::Limits;
use super::noise_shape::{Fit, NoiseShapes};
use super::{
    Exit, Form as SiteForm, KeptDraw, Kind, MaskUse, Mode, Prescale, RateOrigin, Scaling, Site,
};
use constants::Uniform;
use exits::Found;
use follow::Trace;
use form::Element;

pub(super) fn find(view: View<'_>, limits: &Limits) -> Result<Vec<Site>> {
    let View { model, values } = view;
    let sources: Vec<NodeId> = model
        .nodes()
        .filter(|(_, node)| node.draws() && node.op_type != "Multinomial")
        .map(|(id, _)| id)
        .collect();
    if sources.is_empty() {
        return Ok(Vec::new());
    }
    let Ok(order) = model.check_order(values) else {
        return Ok(Vec::new()); // an unsound model is reported by whoever edits it
    };
    let rank = order.iter().enumerate().map(|(i, &id)| (id, i)).collect();
    let finder = Finder {
        model,
        values,
        limits,
        resolver: Resolver::new(model, values).noting(limits),
        rank,
        fixed: fixed::fixed(model, values, &order),
        alive: alive::alive(model, values),
        known: RefCell::default(),
        assumed: RefCell::default(),
        default_used: Cell::new(false),
        found: RefCell::default(),
        shapes: OnceCell::new(),
    };
    let mut sites = Vec::new();
    let mut left: Vec<NodeId> = sources;
    left.retain(|id| finder.alive.contains(id));
    for round in 1..=ROUNDS {
        let before = left.len();
        let mut others = Vec::new();
        for source in left {
            let Some(site) = finder.site(source)? else {
                others.push(source);
                continue;
            };
            let exits = site.exits.iter();
            let plain = exits.filter(|exit| exit.prescale.is_none() && exit.path.is_empty());
            let found = plain.map(|exit| (exit.output, (exit.data, exit.scale)));
            finder.found.borrow_mut().extend(found);
            sites.push(site);
        }
        // what was found now may be what stood in the way of another
        if others.is_empty() || others.len() == before {
            break;
        }
        if round == ROUNDS {
            let what = "draws whose masks depend on each other are looked at in at most 8 rounds";
            others
                .iter()
                .for_each(|&source| limits.reached(source, what));
        }
        left = others;
    }
    sites.sort_by_key(|site| site.source());
    give_back_factors(&mut sites);
    Ok(sites)
}

/// A factor that makes up for what one mask drops cannot make up for another's.
fn give_back_factors(sites: &mut [Site]) {
    let exits = sites.iter().flat_map(|site| &site.exits);
    let exits: HashSet<NodeId> = exits.map(|exit| exit.node).collect();
    for site in sites {
        for exit in &mut site.exits {
            let taken = |prescale: &Prescale| exits.contains(&prescale.node);
            if exit.prescale.take_if(|prescale| taken(prescale)).is_some() {
                site.scaling = match (exit.kept.0 - 1.0).abs() < 1e-6 {
                    true => Scaling::Classic,
                    false => Scaling::Other,
                };
                site.inference_scale = round(exit.scale);
            }
        }
    }
}

/// Operators that leave little of how large a number is.
const ROUNDING: &[&str] = &[
    "Floor",
    "Ceil",
    "Round",
    "QuantizeLinear",
    "DynamicQuantizeLinear",
];

/// The number of passes over draws that are not dropout.
const ROUNDS: usize = 8;

struct Finder<'m> {
    model: &'m Model,
    values: &'m Values,
    limits: &'m Limits,
    resolver: Resolver<'m>,
    rank: HashMap<NodeId, usize>,
    /// What nodes make of constants and of shapes.
    fixed: HashSet<ValueId>,
    /// Nodes that lead somewhere.
    alive: HashSet<NodeId>,
    /// The known constants.
    known: RefCell<HashMap<ValueId, Option<Uniform>>>,
    /// What inputs of the model are taken to be, to see what they do.
    assumed: RefCell<HashMap<ValueId, f64>>,
    /// True once a default was used for the source at hand.
    default_used: Cell<bool>,
    /// What earlier sources were found to be dropout of, and at which scale: a mask of one source may
    /// be the data of another.
    found: RefCell<HashMap<ValueId, (ValueId, f64)>>,
    shapes: OnceCell<NoiseShapes<'m>>,
}

/// What one look at a draw showed.
struct Attempt {
    exits: Vec<Found>,
    trace: Trace,
    /// Draws with which every exit keeps its data, and the index of their sample.
    kept: (f64, f64),
    kept_index: usize,
    /// Draws with which every exit drops its data; empty (the first above the second) if there are
    /// none.
    dropped: (f64, f64),
    /// How far numbers may be from what they ought to be, relatively.
    precision: f64,
    /// The samples of the draw.
    draws: Vec<f64>,
    default_used: bool,
}

impl Attempt {
    /// The exit that says what the whole is: one that inference can leave away, or else the first.
    fn leading(&self) -> Option<&Found> {
        let inverted = |found: &&Found| found.class.scaling == Scaling::Inverted;
        self.exits.iter().find(inverted).or(self.exits.first())
    }
}

impl Finder<'_> {
    fn site(&self, source: NodeId) -> Result<Option<Site>> {
        let Some(judged) = self.judge(source)? else {
            return Ok(None);
        };
        let assume::Judged {
            attempt,
            calls,
            switch,
            passes,
            given,
            refused,
        } = judged;
        let Some(leading) = attempt.leading() else {
            return Ok(None);
        };
        let class = leading.class;
        let mut exits: Vec<Exit> = Vec::new();
        let mut entangled = refused.or(attempt.trace.escapes.map(|at| self.escape(at)));
        let mut rates = vec![class.rate];
        let (mut kept, mut dropped) = (attempt.kept, attempt.dropped);
        for other in std::iter::once(&attempt).chain(&calls) {
            kept = common(kept, other.kept);
            dropped = common(dropped, other.dropped);
            rates.extend(other.leading().map(|found| found.class.rate));
            for found in &other.exits {
                let exit = exit(found, other);
                match exits.iter().find(|known| known.output == exit.output) {
                    None => exits.push(exit),
                    Some(known) if known.prescale == exit.prescale && known.path == exit.path => {
                        let same = (known.scale - exit.scale).abs() <= 1e-9 * known.scale.abs();
                        if !same && exit.prescale.is_none() {
                            entangled =
                                Some("the calls of its function have different scales".into());
                        }
                    }
                    Some(_) => entangled = Some("the calls of its function differ".into()),
                }
            }
        }
        match self.fit(&exits, &attempt.trace) {
            Fit::Within => {}
            Fit::Unknown => {
                entangled =
                    Some("its mask may be larger than the data, whose shape is not known".into());
            }
            Fit::Larger => entangled = Some("its mask is larger than the data".into()),
        }
        if let Some(id) = exits.iter().find_map(|exit| self.rounded(exit)) {
            let place = self.model.place(id);
            entangled = Some(format!(
                "{place} rounds its output, which its mask does not scale"
            ));
        }
        share_factors(&mut exits);
        if self.is_nested(&exits, &attempt.trace) {
            entangled = Some("the mask is applied again to data it has already masked".into());
        }
        rates.dedup();
        if !passes {
            entangled = Some("it scales the data if its switch is off".into());
        }
        let mut switch = switch;
        if switch.is_none() && calls.is_empty() {
            switch = self.gate(&mut exits)?;
        }
        let switched = switch.is_some();
        let switch = switch.or(match self.branch_switch(&attempt) {
            Ok(switch) => switch,
            Err(why) => {
                entangled = Some(why.into());
                None
            }
        });
        let node = self.model.node(source);
        // an exit may have been moved behind a choice
        let place = exits
            .iter()
            .position(|exit| exit.data == leading.data.value);
        let output = place.map_or(leading.output, |place| exits[place].output);
        let base = leading.data.value;
        let base = leading.prescale.map_or(base, |(prescale, _)| prescale.from);
        let nodes = vec![leading.node, source];
        Ok(Some(Site {
            kind: class.kind,
            mode: match switched || self.gated(source) {
                true => Mode::Runtime,
                false => Mode::Active,
            },
            rate: match rates[..] {
                [rate] if given.is_none() => Some(decimal(rate, attempt.precision)),
                _ => None,
            },
            rate_origin: match attempt.default_used || given.is_some() {
                true => RateOrigin::Input,
                false => RateOrigin::Mask,
            },
            scaling: class.scaling,
            inference_scale: match (class.kind, class.scaling) {
                (Kind::Dropout, Scaling::Classic | Scaling::Other) => {
                    round(class.scale * (1.0 - class.rate))
                }
                _ => 1.0,
            },
            seed: seed(node),
            mask: match attempt.trace.escapes {
                None => MaskUse::None,
                Some(Use::Output { .. }) => MaskUse::Output,
                Some(_) => MaskUse::Used,
            },
            input: Some(base),
            input_name: Some(self.values[base].name.clone()),
            output: Some(output),
            output_name: Some(self.values[output].name.clone()),
            switch: switch.map(|(value, _)| value),
            off: switch.map(|(_, off)| off),
            given,
            kept_draw: middle(kept).map(|value| KeptDraw {
                source,
                value,
                dropped: middle(dropped),
            }),
            exits,
            entangled,
            ..Site::new(SiteForm::RandomMask, leading.node.graph, nodes)
        }))
    }

    /// The node that rounds what an exit makes, where inference would scale that: to round a multiple
    /// and to take the multiple of what is rounded are two things.
    fn rounded(&self, exit: &Exit) -> Option<NodeId> {
        let mut open: Vec<ValueId> = (exit.needs_scale().then_some(exit.output))
            .into_iter()
            .collect();
        let mut seen = HashSet::default();
        while let Some(value) = open.pop() {
            for at in self.uses(value) {
                let Use::Input { node: id, input: 0 } = at else {
                    continue;
                };
                let node = self.model.node(id);
                let op_type = node.op_type.as_str().unwrap_or_default();
                let whole = apply::is_cast(op_type)
                    && self.cast_to(id).is_some_and(|to| to != Element::Float);
                if whole || ROUNDING.contains(&op_type) {
                    return Some(id);
                }
                let passes =
                    apply::is_layout(op_type) || matches!(op_type, "Mul" | "Div" | "Neg" | "Abs");
                if passes && seen.insert(id) {
                    open.extend(self.values.output(self.model, id, 0));
                }
            }
        }
        None
    }

    fn escape(&self, at: Use) -> String {
        match at {
            Use::Output { graph, .. } => {
                let scope = self.model.scope(graph);
                format!("its mask is an output of {scope}")
            }
            Use::Input { node, .. } => format!("{} uses its mask", self.model.place(node)),
            _ => "its mask is used by name".to_string(),
        }
    }

    /// True if the source stands in a branch that only a run decides on.
    fn gated(&self, source: NodeId) -> bool {
        let mut graph = source.graph;
        while let GraphKind::Attribute { node, .. } = self.model.graph(graph).kind {
            if self.model.node(node).is("If") {
                let known = self.resolver.input(node, 0);
                if known.is_ok_and(|finding| finding.runtime) {
                    return true;
                }
            }
            graph = node.graph;
        }
        false
    }

    /// True if one exit is made of another: what one lets out is not the data, to the other.
    fn is_nested(&self, exits: &[Exit], trace: &Trace) -> bool {
        if exits.len() < 2 {
            return false;
        }
        let mut seen = HashSet::default();
        let mut open: Vec<NodeId> = exits.iter().map(|exit| exit.node).collect();
        while let Some(id) = open.pop() {
            let inputs = 0..self.model.node(id).inputs.len();
            for value in inputs.filter_map(|input| self.values.input(id, input)) {
                if exits.iter().any(|exit| exit.output == value) {
                    return true;
                }
                if trace.forms.contains_key(&value) && seen.insert(value) {
                    open.extend(self.made_by(value));
                }
            }
        }
        false
    }

    /// The uses of a value that lead to an output.
    fn uses(&self, value: ValueId) -> impl Iterator<Item = Use> {
        self.values.uses(value).filter(|at| match at {
            Use::Input { node, .. } => self.alive.contains(node),
            _ => true,
        })
    }

    /// The node that makes a value.
    fn made_by(&self, value: ValueId) -> Option<NodeId> {
        match self.values[value].producer {
            Producer::Node { node, .. } => Some(node),
            _ => None,
        }
    }
}

/// What two intervals have in common.
fn common(one: (f64, f64), two: (f64, f64)) -> (f64, f64) {
    (one.0.max(two.0), one.1.min(two.1))
}

/// The middle of an interval, unless it is empty.
fn middle((low, high): (f64, f64)) -> Option<f64> {
    (low <= high).then_some((low + high) / 2.0)
}

/// A factor before that one exit makes up for is shared if another exit has it in its data.
fn share_factors(exits: &mut [Exit]) {
    let data = exits.iter().filter(|exit| exit.prescale.is_none());
    let data: Vec<ValueId> = data.map(|exit| exit.data).collect();
    for exit in exits {
        if let Some(prescale) = &mut exit.prescale {
            prescale.shared |= data.contains(&exit.data);
        }
    }
}

fn exit(found: &Found, attempt: &Attempt) -> Exit {
    let class = found.class;
    let own = match found.prescale {
        // the class has both factors, the exit its own
        Some((_, factor)) => class.scale / factor,
        None => class.scale,
    };
    let scale = match (class.kind, class.scaling, found.prescale) {
        (Kind::Dropout, Scaling::Inverted, None) => 1.0,
        (Kind::Dropout, _, _) => own * (1.0 - decimal(class.rate, attempt.precision)),
        _ => 1.0,
    };
    Exit {
        node: found.node,
        data: found.data.value,
        path: found.data.path.clone(),
        output: found.output,
        scale,
        prescale: found.prescale.map(|(prescale, _)| prescale),
        kept: found.samples[attempt.kept_index],
        frozen: None,
    }
}

fn seed(node: &Node) -> Option<i64> {
    match node.attribute("seed").map(|a| &a.value) {
        Some(AttributeValue::Float(seed)) => Some(*seed as i64),
        Some(AttributeValue::Int(seed)) => Some(*seed),
        _ => None,
    }
}

/// The shortest decimal that is the rate as nearly as its type tells: the file has the rate, or what
/// it leaves, or where it falls between other numbers.
fn decimal(rate: f64, precision: f64) -> f64 {
    let rounded = (1..9).map(|digits| {
        let unit = 10f64.powi(digits);
        (rate * unit).round() / unit
    });
    let near = |decimal: &f64| (decimal - rate).abs() < precision;
    rounded.into_iter().find(near).unwrap_or(rate)
}

fn round(value: f64) -> f64 {
    (value * 1e6).round() / 1e6
}
