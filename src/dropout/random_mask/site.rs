//! The sites of a draw.

use crate::dropout::noise_shape::Fit;
use crate::dropout::origin::lists_constants;
use crate::dropout::{
    Form, Junction, KeptDraw, Kind, MaskUse, Mode, Prescale, RateOrigin, Scaling, Site,
};
use crate::error::Result;
use crate::hash::{HashMap, HashSet};
use crate::onnx::{AttributeValue, Node, NodeId, Use, ValueId};
use crate::semantics::operator::{Linear, Role};

use super::Finder;
use super::attempt::{Attempt, leading};
use super::classify::Class;
use super::judge::Judged;
use super::junctions::Found;
use super::piece::Interval;
use super::scalar::{self, decimal};
use super::walk::Trace;

/// A factor that makes up for what one mask drops cannot make up for another's.
pub(super) fn give_back_factors(sites: &mut [Site]) {
    let junctions = sites.iter().flat_map(|site| &site.junctions);
    let junctions: HashSet<NodeId> = junctions.map(|junction| junction.node).collect();
    for site in sites {
        for junction in &mut site.junctions {
            let taken = |prescale: &Prescale| junctions.contains(&prescale.node);
            if junction
                .prescale
                .take_if(|prescale| taken(prescale))
                .is_some()
            {
                site.scaling = match (junction.kept.0 - 1.0).abs() < 1e-6 {
                    true => Scaling::Classic,
                    false => Scaling::Other,
                };
                site.inference_scale = round(junction.scale);
            }
        }
    }
}

/// What all junctions of a draw have in common.
struct Common {
    switch: Option<(ValueId, f64)>,
    mode: Mode,
    given: Option<(ValueId, f64)>,
    /// True if an input of the model is its rate.
    is_given: bool,
    kept_draw: Option<KeptDraw>,
    mask: MaskUse,
    entangled: Option<String>,
    precision: f64,
}

impl Finder<'_> {
    /// The dropouts that are made of a draw: one for each rate.
    pub(super) fn sites(&self, source: NodeId) -> Result<Vec<Site>> {
        match self.judge(source)? {
            Some(judged) => self.judged(source, judged),
            None => Ok(Vec::new()),
        }
    }

    /// The dropouts of what a draw was found to be.
    pub(super) fn judged(&self, source: NodeId, judged: Judged) -> Result<Vec<Site>> {
        let attempt = &judged.attempt;
        let (mut junctions, entangled) = junctions(&judged);
        let mut switch = judged.switch;
        let obstacle = self.obstacle(&junctions, &attempt.trace);
        let mut entangled = obstacle
            .or(self.hidden(source, &junctions, &attempt.trace))
            .or(entangled);
        share_factors(&mut junctions);
        if attempt.trace.starts.is_empty() && self.is_nested(&junctions, &attempt.trace) {
            entangled = Some("the mask is applied again to data it has already masked".into());
        }
        if !judged.passes {
            entangled = Some("it scales the data if its switch is off".into());
        }
        let before: Vec<ValueId> = junctions.iter().map(|place| place.output).collect();
        if switch.is_none() && judged.contexts.is_empty() {
            switch = self.gate(&mut junctions)?;
        }
        let of_branch = self.branch_switch(attempt).unwrap_or_else(|why| {
            entangled = Some(why.into());
            None
        });
        let switch = switch.or(of_branch);
        if attempt.kept.is_none() {
            entangled = Some("it keeps elements only where those of the draw differ".into());
        }
        let is_default = attempt.default_used && !lists_constants(self.view.model);
        let is_replaceable = judged.given.is_some() || is_default;
        let fixed = switch.map(|(value, _)| self.constant(value, &self.conditions));
        let is_off = fixed
            .transpose()?
            .flatten()
            .is_some_and(|known| !known.default);
        if is_off && !judged.passes {
            return Ok(Vec::new()); // it is never on, and when off it is not the identity
        }
        let common = Common {
            switch,
            mode: match switch.is_some() || is_replaceable {
                _ if is_off => Mode::Inert,
                true => Mode::Runtime,
                false => Mode::Active,
            },
            given: judged.given,
            is_given: attempt.default_used || judged.given.is_some(),
            kept_draw: kept_draw(source, attempt, &judged.contexts),
            mask: mask_use(&attempt.trace),
            entangled,
            precision: attempt.precision,
        };
        let moved: HashMap<ValueId, Junction> = before.into_iter().zip(junctions).collect();
        let zeros: Vec<ValueId> = attempt.zeros.iter().map(|zero| zero.output).collect();
        let sites = self.groups(&judged).into_iter().enumerate();
        let sites = sites.filter_map(|(place, group)| {
            let zeros = if place == 0 { &zeros[..] } else { &[] };
            self.site(source, &judged, (&group, zeros), &moved, &common)
        });
        Ok(sites.flat_map(|site| by_calls(&judged, site)).collect())
    }

    /// The dropout of one rate; `moved` has the junctions by the values they were found at.
    fn site(
        &self,
        source: NodeId,
        judged: &Judged,
        (group, zeros): (&[&Found], &[ValueId]),
        moved: &HashMap<ValueId, Junction>,
        common: &Common,
    ) -> Option<Site> {
        let leading = leading(group.iter().copied())?;
        let class = leading.class;
        let output = moved
            .get(&leading.output)
            .map_or(leading.output, |junction| junction.output);
        let base = match &leading.prescale {
            Some(before) => before.prescale.from,
            None => leading.data.value,
        };
        let others = judged.contexts.iter().filter_map(Attempt::leading);
        let is_same = others
            .map(|found| found.class.rate)
            .all(|rate| rate == class.rate);
        let rate = (is_same && common.given.is_none()).then_some(class.rate);
        let mut seen = HashSet::default();
        let junctions = group.iter().filter(|found| seen.insert(found.output));
        let junctions = junctions
            .map(|found| found.output)
            .chain(zeros.iter().copied());
        let junctions = junctions.filter_map(|output| moved.get(&output).cloned());
        Some(Site {
            kind: class.kind,
            mode: common.mode,
            rate: rate.map(|rate| decimal(rate, common.precision)),
            rate_origin: match common.is_given {
                true => RateOrigin::Input,
                false => RateOrigin::Mask,
            },
            scaling: class.scaling,
            inference_scale: inference_scale(&class),
            seed: seed(self.view.model.node(source)),
            mask: common.mask,
            input: Some(base),
            input_name: Some(self.view.value(base).get().name.clone()),
            output: Some(output),
            output_name: Some(self.view.value(output).get().name.clone()),
            switch: common.switch.map(|(value, _)| value),
            off: common.switch.map(|(_, off)| off),
            given: common.given,
            kept_draw: common.kept_draw.map(Box::new),
            junctions: junctions.collect(),
            entangled: common.entangled.clone(),
            ..Site::new(
                Form::RandomMask,
                leading.node.graph,
                vec![leading.node, source],
            )
        })
    }

    /// The junctions of a draw by kind, rate and layer: converters merge the draws of different layers. All
    /// together where contexts have rates of their own.
    fn groups<'j>(&self, judged: &'j Judged) -> Vec<Vec<&'j Found>> {
        let mut groups: Vec<Vec<&Found>> = Vec::new();
        if !judged.contexts.is_empty() {
            let all = std::iter::once(&judged.attempt).chain(&judged.contexts);
            return vec![all.flat_map(|attempt| &attempt.junctions).collect()];
        }
        let scope = |found: &Found| {
            crate::dropout::layer_name::dropout_scope(self.view.node(found.node).get())
        };
        for found in &judged.attempt.junctions {
            let same = |group: &&mut Vec<&Found>| {
                let (one, two) = (group[0].class, found.class);
                one.kind == two.kind
                    && (one.rate - two.rate).abs() < 1e-6
                    && scope(group[0]) == scope(found)
            };
            match groups.iter_mut().find(same) {
                Some(group) => group.push(found),
                None => groups.push(vec![found]),
            }
        }
        groups
    }

    /// Why the junctions cannot be cut off.
    fn obstacle(&self, junctions: &[Junction], trace: &Trace) -> Option<String> {
        if let Some(id) = junctions.iter().find_map(|junction| self.rounded(junction)) {
            let place = self.view.node(id).place();
            return Some(format!(
                "{place} rounds its output, which its mask does not scale"
            ));
        }
        match self.fit(junctions, trace) {
            Fit::Within => {}
            Fit::Unknown => {
                let why = "its mask may be larger than the data, whose shape is not known";
                return Some(why.into());
            }
            Fit::Larger => return Some("its mask is larger than the data".into()),
        }
        trace.escapes.map(|at| match at {
            Use::Output { graph, .. } => {
                format!("its mask is an output of {}", self.view.model.scope(graph))
            }
            Use::Input { node, .. } => format!("{} uses its mask", self.view.node(node).place()),
            _ => "its mask is used by name".to_string(),
        })
    }

    /// Why a mask that is an output of the model cannot stay: it is drawn in a branch or a body, or applied in
    /// another graph.
    fn hidden(&self, source: NodeId, junctions: &[Junction], trace: &Trace) -> Option<String> {
        let elsewhere = junctions
            .iter()
            .any(|junction| junction.node.graph != source.graph);
        let apart = elsewhere || self.view.owner(source.graph).is_some();
        let shown = trace.shown.filter(|_| apart);
        let main = self.view.model.scope(self.view.model.main());
        shown.map(|_| format!("its mask is an output of {main}"))
    }

    /// The node that rounds what a junction makes, where inference would scale that: to round a multiple
    /// and to take the multiple of what is rounded are two things.
    fn rounded(&self, junction: &Junction) -> Option<NodeId> {
        let scaled = junction.needs_scale().then_some(junction.output);
        let mut open: Vec<ValueId> = scaled.into_iter().collect();
        let mut seen = HashSet::default();
        while let Some(value) = open.pop() {
            for at in self.uses(value) {
                let Use::Input { node: id, input } = at else {
                    continue;
                };
                let node = self.view.node(id);
                let Some(operator) = node
                    .operator()
                    .filter(|operator| operator.is_data(input as usize))
                else {
                    continue;
                };
                let to = self.element_of(node, &[]);
                let whole = to.is_some_and(|to| !to.is_float());
                let quantizes = operator.role == Role::Cast && whole;
                if quantizes || scalar::rounds(operator.name) {
                    return Some(id);
                }
                let scales = matches!(operator.linear, Linear::Bilinear | Linear::Quotient);
                let plain = scalar::is_scalar(operator.name, node.get().inputs.len());
                let passes =
                    operator.copies() || plain && scales || matches!(operator.name, "Neg" | "Abs");
                if passes && seen.insert(id) {
                    open.extend(node.output(0).map(|output| output.id));
                }
            }
        }
        None
    }

    /// True if one junction is made of another: what one produces is not the data, to the other.
    fn is_nested(&self, junctions: &[Junction], trace: &Trace) -> bool {
        if junctions.len() < 2 {
            return false;
        }
        let outputs: HashSet<ValueId> = junctions.iter().map(|junction| junction.output).collect();
        let mut seen = HashSet::default();
        let mut open: Vec<NodeId> = junctions.iter().map(|junction| junction.node).collect();
        while let Some(id) = open.pop() {
            for value in self.view.node(id).inputs().flatten() {
                if outputs.contains(&value.id) {
                    return true;
                }
                let form = trace.forms.get(&value.id);
                if form.is_some_and(|form| !form.plus) && seen.insert(value.id) {
                    open.extend(value.node().map(|node| node.id));
                }
            }
        }
        false
    }
}

/// The junctions of a draw, in all contexts, and why they cannot be cut off.
fn junctions(judged: &Judged) -> (Vec<Junction>, Option<String>) {
    let mut junctions: Vec<Junction> = Vec::new();
    let mut places: HashMap<ValueId, usize> = HashMap::default();
    let mut entangled = None;
    for attempt in std::iter::once(&judged.attempt).chain(&judged.contexts) {
        let found = attempt.junctions.iter();
        let found = found.map(|found| attempt.junction(found));
        for junction in found.chain(attempt.zeros.iter().cloned()) {
            let Some(&place) = places.get(&junction.output) else {
                places.insert(junction.output, junctions.len());
                junctions.push(junction);
                continue;
            };
            let known = &junctions[place];
            if known.prescale != junction.prescale || known.path != junction.path {
                entangled = Some("the calls of its function differ".into());
                continue;
            }
            let same = (known.scale - junction.scale).abs() <= 1e-9 * known.scale.abs();
            if !same && junction.prescale.is_none() {
                entangled = Some("the calls of its function have different scales".into());
            }
        }
    }
    (junctions, entangled)
}

/// A site for each context, if they have rates of their own.
fn by_calls(judged: &Judged, site: Site) -> Vec<Site> {
    if judged.calls.is_empty() || site.rate.is_some() {
        return vec![site];
    }
    let attempts = std::iter::once(&judged.attempt).chain(&judged.contexts);
    let contexts: Vec<_> = attempts.zip(&judged.calls).collect();
    // they were found from the last call on
    let sites = contexts.into_iter().rev().filter_map(|(attempt, calls)| {
        let rate = attempt.leading()?.class.rate;
        // what a call keeps has the scale of that call
        let junctions = site.junctions.iter().map(|known| {
            let found = attempt
                .junctions
                .iter()
                .find(|found| found.output == known.output);
            let own = found.map(|found| attempt.junction(found));
            let (kept, scale) = own.map_or((known.kept, known.scale), |own| (own.kept, own.scale));
            Junction {
                kept,
                scale,
                ..known.clone()
            }
        });
        Some(Site {
            rate: Some(decimal(rate, attempt.precision)),
            junctions: junctions.collect(),
            calls: calls.clone(),
            ..site.clone()
        })
    });
    sites.collect()
}

/// What inference multiplies by.
fn inference_scale(class: &Class) -> f64 {
    match (class.kind, class.scaling) {
        (Kind::Dropout, Scaling::Classic | Scaling::Other) if !class.is_identity => {
            round(class.scale * (1.0 - class.rate))
        }
        _ => 1.0,
    }
}

fn mask_use(trace: &Trace) -> MaskUse {
    match trace.escapes.or(trace.shown) {
        None => MaskUse::None,
        Some(Use::Output { .. }) => MaskUse::Output,
        Some(_) => MaskUse::Used,
    }
}

/// A draw that keeps everything in every call, and one that drops everything.
fn kept_draw(source: NodeId, attempt: &Attempt, contexts: &[Attempt]) -> Option<KeptDraw> {
    let (mut kept, mut dropped) = (attempt.kept, attempt.dropped);
    for other in contexts {
        kept = kept.zip(other.kept).map(|(one, two)| common(one, two));
        dropped = common(dropped, other.dropped);
    }
    kept.and_then(middle).map(|value| KeptDraw {
        source,
        value,
        dropped: middle(dropped),
    })
}

/// What two intervals have in common.
fn common(one: Interval, two: Interval) -> Interval {
    (one.0.max(two.0), one.1.min(two.1))
}

/// The middle of an interval, unless it is empty.
fn middle((low, high): Interval) -> Option<f64> {
    (low <= high).then_some((low + high) / 2.0)
}

/// A factor before that one junction makes up for is shared if another junction has it in its data.
fn share_factors(junctions: &mut [Junction]) {
    let data = junctions
        .iter()
        .filter(|junction| junction.prescale.is_none());
    let data: HashSet<ValueId> = data.map(|junction| junction.data).collect();
    for junction in junctions {
        if let Some(prescale) = &mut junction.prescale {
            prescale.shared |= data.contains(&junction.data);
        }
    }
}

pub(super) fn seed(node: &Node) -> Option<i64> {
    match node.attribute("seed").map(|a| &a.value) {
        Some(AttributeValue::Float(seed)) => Some(*seed as i64),
        Some(AttributeValue::Int(seed)) => Some(*seed),
        _ => None,
    }
}

fn round(value: f64) -> f64 {
    (value * 1e6).round() / 1e6
}
