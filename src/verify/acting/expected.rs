//! The dropout that a rewrite is expected to produce.

use std::collections::BTreeMap;

use crate::dropout::{self, Form, Kind, Mode, Site};
use crate::error::Result;
use crate::onnx::{DataType, GraphId, Model, Name, Producer, Values};
use crate::rewrite::Acting;
use crate::rewrite::insert::{self, Inserted};
use crate::rewrite::set::{self, Changed};
use crate::semantics::view::View;

/// What is expected of a model that insert or set has made.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Expected {
    /// The boolean inputs of the model that switch dropout on, and what they have to be for it.
    pub switches: BTreeMap<Name, bool>,
    /// That input, if the rewrite added it.
    pub added_input: Option<Name>,
    /// Dropout that acts, once the switch is on.
    pub watches: Vec<Watch>,
}

/// A dropout that acts.
#[derive(Clone, Debug, PartialEq)]
pub struct Watch {
    /// The graph that contains it.
    pub graph: GraphId,
    /// The value it is applied to.
    pub data: Name,
    /// What comes out.
    pub output: Name,
    /// What it does with its data.
    pub kind: Kind,
    /// Whether it may hand its data on in another order of axes.
    pub moves: bool,
    /// The probability to drop.
    pub rate: f64,
    /// Which elements share a draw, if some do.
    pub shared: Option<Shared>,
    /// Why it cannot be watched.
    pub unseen: Option<String>,
}

/// Which elements share a draw.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shared {
    /// Those along these axes, counted from the end if negative.
    Along(Vec<i64>),
    /// Those along the axes for which this is true.
    Noise(Vec<bool>),
}

impl Shared {
    /// For each of so many axes, whether draws are shared along it; `None` if that is not their number.
    pub(super) fn of(&self, rank: usize) -> Option<Vec<bool>> {
        match self {
            Shared::Along(axes) => {
                let at = |axis: usize| {
                    let back = axis as i64 - rank as i64;
                    axes.iter().any(|&a| a == axis as i64 || a == back)
                };
                Some((0..rank).map(at).collect())
            }
            Shared::Noise(shared) => (shared.len() == rank).then(|| shared.clone()),
        }
    }
}

impl Expected {
    /// The expectation of insert.
    pub fn of_insert(inserted: &Inserted, options: &insert::Options) -> Expected {
        let outcome = &inserted.outcome;
        let acts = options.acting != Acting::Inert;
        let places = inserted.plan.applied().filter(|_| acts);
        let places = places.map(|step| &inserted.places[step.site]);
        let watches = places.map(|place| Watch {
            graph: place.graph,
            kind: Kind::Dropout,
            moves: false,
            data: place.data.clone(),
            output: place.output.clone(),
            rate: place.rate.value(),
            shared: place.shared_axes.clone().map(Shared::Along),
            unseen: None,
        });
        Expected {
            switches: outcome
                .switch
                .iter()
                .map(|name| (name.clone(), true))
                .collect(),
            added_input: outcome.switch.clone().filter(|_| outcome.added_input),
            watches: watches.collect(),
        }
    }

    /// The expectation of set.
    ///
    /// # Errors
    /// The rate of a dropout cannot be read.
    pub fn of_set(changed: &Changed, options: &set::Options) -> Result<Expected> {
        let (outcome, after) = (&changed.outcome, &changed.edited.model);
        let values = Values::new(after);
        let sites = dropout::find_in(View::new(after, &values))?;
        let mut expected = Expected {
            added_input: outcome.switch.clone().filter(|_| outcome.added_input),
            ..Expected::default()
        };
        for step in changed.plan.applied() {
            let old = &changed.sites[step.site];
            let same =
                |site: &&Site| site.graph == old.graph && site.output_name == old.output_name;
            let Some(site) = sites.iter().find(same) else {
                continue;
            };
            let switched = match site.mode {
                Mode::Active => true,
                Mode::Runtime => match switch(after, &values, site) {
                    Some((name, on)) => *expected.switches.entry(name).or_insert(on) == on,
                    None => false,
                },
                _ => continue,
            };
            expected.watches.extend(watch(site, options, switched));
        }
        Ok(expected)
    }
}

/// How many nodes may stand between an input and the dropout that it switches.
const DEPTH: usize = 8;

/// The boolean input of the model that switches a dropout, and what it has to be for it to act.
fn switch(model: &Model, values: &Values, site: &Site) -> Option<(Name, bool)> {
    let (mut at, mut on) = match site.form {
        Form::Operator => (values.input(site.nodes[0], 2)?, true),
        _ => (site.switch?, site.off? == 0.0),
    };
    for _ in 0..DEPTH {
        let known = &values[at];
        let Producer::Node { node, .. } = known.producer else {
            let input = known.graph == model.main() && matches!(known.producer, Producer::Input(_));
            let boolean = model.element_type(values, at) == Some(DataType::BOOL);
            return (input && boolean).then(|| (known.name.clone(), on));
        };
        match model.node(node) {
            not if not.is("Not") => on = !on,
            same if same.is("Identity") || same.is("Cast") => {}
            _ => return None,
        }
        at = values.input(node, 0)?;
    }
    None
}

fn watch(site: &Site, options: &set::Options, switched: bool) -> Option<Watch> {
    let rate = options.rate.map(|rate| rate.value()).or(site.rate);
    let moved = site.exits.iter().any(|exit| !exit.path.is_empty());
    let unseen = match (site.form, rate) {
        _ if site.kind == Kind::GaussianNoise => Some("its noise does not depend on the data"),
        (_, None) => Some("its rate is decided at run time"),
        _ if !switched => Some("its switch is not a separate input"),
        (Form::RandomMask, _) if moved => Some("it moves elements about"),
        _ => None,
    };
    let ones = site.noise_shape.as_ref().map(|shape| {
        let shared = shape.iter().map(|size| size == "1").collect();
        Shared::Noise(shared)
    });
    Some(Watch {
        graph: site.graph,
        kind: site.kind,
        moves: site.form == Form::RandomMask,
        data: site.input_name.clone()?,
        output: site.output_name.clone()?,
        rate: rate.unwrap_or_default(),
        shared: ones,
        unseen: unseen.map(str::to_string),
    })
}
