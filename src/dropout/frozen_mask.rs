//! Frozen masks: a mask that was drawn once, while exporting, and is a constant since. It drops the
//! same elements in every run.
//!
//! A constant of zeros and one other number that data is multiplied by, or chosen by, is a mask of
//! dropout where kept elements are scaled by `1/(1-p)`, p is a plausible rate and as many
//! elements are zero as p makes plausible. Without such a scale much else looks like it (padding,
//! causal and channel masks, one-hot rows, pruning), so that names are required as well; in doubt there is no
//! site. No mask has an order: one with stripes, borders or a mirror image was never drawn. Rows may be alike
//! where there is a scale.

mod alpha;
mod constant;
mod named;
mod noise;
mod place;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use crate::hash::HashMap;
use crate::onnx::{Name, NodeId, Use, ValueId, Values};
use crate::semantics::facts::Facts;

use super::limit::Limits;
use super::order;
use super::origin::Origins;
use super::scores::is_scores;
use super::{Form, FrozenInput, Junction, Kind, MaskUse, Mode, RateOrigin, Scaling, Site};
use constant::Mask;

/// Fewer elements show nothing.
const FEWEST: usize = 32;

/// Fewer elements show nothing, where the scale is one that nothing else has.
const FEWEST_SCALED: usize = 16;

/// Fewer elements show nothing, even with the names of a dropout.
const FEWEST_NAMED: usize = 2;

/// Fewer elements show nothing, where no scale shows it.
const FEWEST_UNSCALED: usize = 64;

/// How far numbers in float32 may be from what they ought to be.
const NEAR: f64 = 1e-5;

pub(super) fn find(facts: Facts<'_>, origins: &Origins<'_>, limits: &Limits) -> Vec<Site> {
    let finder = Finder {
        facts,
        limits,
        masks: RefCell::default(),
    };
    // one site a mask, with all its uses
    let mut found: BTreeMap<ValueId, Vec<Meeting>> = BTreeMap::new();
    for node in facts.view().nodes() {
        let meeting = match node.op() {
            "Mul" => finder.meeting(node.id).or_else(|| finder.noise(node)),
            "Where" => finder.meeting(node.id),
            "Add" => finder.noise(node),
            _ => continue,
        };
        if let Some((mask, meeting)) = meeting.filter(|(_, met)| origins.is_data(met.data)) {
            found.entry(mask).or_default().push(meeting);
        }
    }
    let values = facts.view().values;
    found
        .into_values()
        .filter_map(|meetings| site(values, &meetings))
        .collect()
}

struct Finder<'m> {
    facts: Facts<'m>,
    limits: &'m Limits,
    masks: RefCell<HashMap<ValueId, Option<Rc<Mask>>>>,
}

/// The place where a frozen mask is applied.
struct Meeting {
    junction: Junction,
    /// The node that the mask is an input of.
    node: NodeId,
    data: ValueId,
    kind: Kind,
    rate: f64,
    scaling: Scaling,
}

fn site(values: &Values, meetings: &[Meeting]) -> Option<Site> {
    let first = meetings.first()?;
    let name = |value: ValueId| -> Option<Name> { Some(values[value].name.clone()) };
    let mut nodes = vec![first.junction.node];
    nodes.extend(Some(first.node).filter(|&node| node != first.junction.node));
    Some(Site {
        kind: first.kind,
        mode: Mode::Frozen,
        rate: Some(first.rate),
        rate_origin: RateOrigin::Mask,
        scaling: first.scaling,
        inference_scale: match first.scaling {
            Scaling::Inverted => 1.0,
            _ => first.junction.scale,
        },
        mask: MaskUse::Used,
        input: Some(first.data),
        input_name: name(first.data),
        output: Some(first.junction.output),
        output_name: name(first.junction.output),
        junctions: meetings.iter().map(|m| m.junction.clone()).collect(),
        ..Site::new(Form::FrozenMask, first.junction.node.graph, nodes)
    })
}

impl Finder<'_> {
    /// Dropout by a constant mask, if this node is that.
    fn meeting(&self, id: NodeId) -> Option<(ValueId, Meeting)> {
        let node = self.facts.view().node(id);
        let input = |i: usize| node.input(i).map(|value| value.id);
        if node.is("Mul") {
            let (x, y) = (input(0)?, input(1)?);
            let pairs = [(y, x), (x, y)];
            return pairs.into_iter().find_map(|(mask, data)| {
                let known = self.mask(mask)?;
                let meeting = self.judge(id, data, mask, &known)?;
                Some((known.root, meeting))
            });
        }
        let (mask, kept, lost) = (input(0)?, input(1)?, input(2)?);
        // zeros first: the masks of attention choose something else, and are large
        let is_zero = |value| self.number(value) == Some(0.0);
        let (data, negated) = match (is_zero(lost), is_zero(kept)) {
            (true, false) => (kept, false),
            (false, true) => (lost, true),
            _ => return None,
        };
        let known = self.mask(mask)?;
        let meeting = match negated {
            false => self.judge(id, data, mask, &known),
            true => self.judge(id, data, mask, &known.negated()),
        };
        Some((known.root, meeting?))
    }

    /// The scales that a mask may have: its own, and with a factor after or before it; and where it is
    /// applied with each.
    fn ways(
        &self,
        id: NodeId,
        data: ValueId,
        mask: &Mask,
        output: ValueId,
    ) -> [(f64, Junction); 3] {
        let scaled = place::factor_before(self, data);
        let before = scaled.map_or(1.0, |(_, factor)| factor);
        let after = place::factor_after(self, output);
        let (after_node, after_output, after_factor) = after.unwrap_or((id, output, 1.0));
        let at = |node, output, scale, factor: f64| Junction {
            kept: (mask.scale * factor, 0.0),
            ..self.junction(id, mask, (node, output), data, scale)
        };
        let mut scaled_before = at(id, output, 1.0 / before, 1.0);
        scaled_before.prescale = scaled.map(|(prescale, _)| prescale);
        [
            (mask.scale, at(id, output, 1.0, 1.0)),
            (
                mask.scale * after_factor,
                at(after_node, after_output, 1.0, after_factor),
            ),
            (mask.scale * before, scaled_before),
        ]
    }

    fn judge(&self, id: NodeId, data: ValueId, value: ValueId, mask: &Mask) -> Option<Meeting> {
        let (model, values) = (self.facts.view().model, self.facts.view().values);
        if self.mask(data).is_some() || self.number(data).is_some() {
            return None;
        }
        let output = values.output(model, id, 0)?;
        // names are evidence where there is a scale as well
        let named = self.is_named(mask.root) || self.is_named_node(id);
        let whole = mask.dropped() == 0;
        if whole && !self.is_path(mask, id) {
            return None;
        }
        let distinct = mask.distinct();
        for (scale, junction) in self.ways(id, data, mask, output) {
            let rate = rate_of(scale);
            // a scale of 2 or 5 may be anything's; one of 1.4285714 is dropout's
            let told = mask.scale.fract() != 0.0;
            let fewest = match told {
                _ if named => FEWEST_NAMED,
                true => FEWEST_SCALED,
                false => FEWEST,
            };
            let shared = named || scale.fract() != 0.0;
            let mask = if shared { &distinct } else { mask };
            let fits = |rate: f64| whole || mask.kept.len() >= fewest && mask.fits(rate);
            let Some(rate) = rate.filter(|&rate| fits(rate)) else {
                continue;
            };
            let drawn = named || order::is_drawn(&mask.dims, &mask.kept, false);
            if !drawn || is_scores(self.facts.view(), junction.output) {
                return None;
            }
            return Some(Meeting {
                junction,
                node: id,
                data,
                kind: Kind::Dropout,
                rate,
                scaling: Scaling::Inverted,
            });
        }
        if let Some(alpha) = self.alpha(id, data, mask, output) {
            return Some(alpha);
        }
        match named {
            true => self.unscaled(id, data, value, mask, output),
            false => None,
        }
    }

    /// The place where the mask of a node is applied, and the end of the product.
    fn junction(
        &self,
        id: NodeId,
        mask: &Mask,
        (node, output): (NodeId, ValueId),
        data: ValueId,
        scale: f64,
    ) -> Junction {
        let at = self.facts.view().node(id);
        let place = |value| (0..3).find(|&i| at.input(i).map(|input| input.id) == Some(value));
        let data_at = place(data).unwrap_or(0);
        let (input, kept) = match at.is("Where") {
            true => (0, f64::from(u8::from(data_at == 1))),
            false => (1 - data_at.min(1), mask.scale),
        };
        Junction {
            node,
            data,
            path: Vec::new(),
            output,
            scale,
            prescale: None,
            kept: (mask.scale, 0.0),
            frozen: vec![FrozenInput {
                node: id,
                input,
                kept,
            }],
        }
    }

    /// Classic dropout: its names, its disorder and its place distinguish it from other masks.
    fn unscaled(
        &self,
        id: NodeId,
        data: ValueId,
        value: ValueId,
        mask: &Mask,
        output: ValueId,
    ) -> Option<Meeting> {
        let view = self.facts.view();
        let dropped = mask.dropped();
        let rate = dropped as f64 / mask.kept.len() as f64;
        let long = mask.dims.iter().filter(|&&dim| dim > 1).count();
        let plausible = (mask.scale - 1.0).abs() < NEAR
            && mask.kept.len() >= FEWEST_UNSCALED
            && long >= 2
            && (0.05..=0.75).contains(&rate);
        let uses: Vec<Use> = view.values.uses(value).collect();
        if !plausible
            || uses.len() != 1
            || view.value(data).node().is_none()
            || is_scores(view, output)
            || place::is_blended(self, output, mask.kept.len())
            || !order::is_drawn(&mask.dims, &mask.kept, true)
        {
            return None;
        }
        Some(Meeting {
            junction: self.junction(id, mask, (id, output), data, 1.0 - rate),
            node: id,
            data,
            kind: Kind::Dropout,
            rate,
            scaling: Scaling::Classic,
        })
    }
}

/// The rate of inverted dropout with this scale, if it is a plausible rate.
fn rate_of(scale: f64) -> Option<f64> {
    let written = |digits: f64, near: f64| {
        let plain = ((1.0 - 1.0 / scale) * digits).round() / digits;
        let fits = (scale * (1.0 - plain) - 1.0).abs() < near;
        (fits && (0.01..=0.9).contains(&plain)).then_some(plain)
    };
    // three digits in float32; a float16 has eleven bits and tells two
    written(1000.0, NEAR).or_else(|| written(100.0, 5e-4))
}
