//! What a rewrite says that its dropout does.

use crate::dropout::{self, Form, Mode, Site};
use crate::error::Result;
use crate::onnx::{GraphId, Name, Values};
use crate::rewrite::Acting;
use crate::rewrite::insert::{self, Inserted};
use crate::rewrite::set::{self, Changed};

/// What is expected of a model that insert or set has made.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Expected {
    /// The input of the model that switches dropout on.
    pub switch: Option<Name>,
    /// That input, if the rewrite added it.
    pub added_input: Option<Name>,
    /// Dropout that acts, once the switch is on.
    pub watches: Vec<Watch>,
}

/// A dropout that acts.
#[derive(Clone, Debug, PartialEq)]
pub struct Watch {
    /// The graph it stands in.
    pub graph: GraphId,
    /// What goes in.
    pub data: Name,
    /// What comes out.
    pub output: Name,
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
    /// What insert says.
    pub fn of_insert(inserted: &Inserted, options: &insert::Options) -> Expected {
        let outcome = &inserted.outcome;
        let acts = options.acting != Acting::Inert;
        let places = inserted.plan.applied().filter(|_| acts);
        let places = places.map(|step| &inserted.places[step.site]);
        let watches = places.map(|place| Watch {
            graph: place.graph,
            data: place.data.clone(),
            output: place.output.clone(),
            rate: place.rate.value(),
            shared: place.shared_axes.clone().map(Shared::Along),
            unseen: None,
        });
        Expected {
            switch: outcome.switch.clone(),
            added_input: outcome.switch.clone().filter(|_| outcome.added_input),
            watches: watches.collect(),
        }
    }

    /// What set says.
    ///
    /// # Errors
    /// The file cannot be read where a rate stands.
    pub fn of_set(changed: &Changed, options: &set::Options) -> Result<Expected> {
        let (outcome, after) = (&changed.outcome, &changed.edited.model);
        let sites = dropout::find(after, &Values::new(after))?;
        let mut watches = Vec::new();
        for step in changed.plan.applied() {
            let old = &changed.sites[step.site];
            let same =
                |site: &&Site| site.graph == old.graph && site.output_name == old.output_name;
            let Some(site) = sites.iter().find(same) else {
                continue;
            };
            if matches!(site.mode, Mode::Active | Mode::Runtime) {
                let switched = outcome.switch.is_some();
                watches.extend(watch(site, options, switched));
            }
        }
        Ok(Expected {
            switch: outcome.switch.clone(),
            added_input: outcome.switch.clone().filter(|_| outcome.added_input),
            watches,
        })
    }
}

fn watch(site: &Site, options: &set::Options, switched: bool) -> Option<Watch> {
    let rate = options.rate.map(|rate| rate.value()).or(site.rate);
    let moved = site.exits.iter().any(|exit| !exit.path.is_empty());
    let unseen = match (site.form, rate) {
        (_, None) => Some("its rate is decided at run time"),
        _ if site.mode == Mode::Runtime && !switched => Some("an input of the model switches it"),
        (Form::RandomMask, _) if moved => Some("it moves elements about"),
        _ => None,
    };
    let ones = site.noise_shape.as_ref().map(|shape| {
        let shared = shape.iter().map(|size| size == "1").collect();
        Shared::Noise(shared)
    });
    Some(Watch {
        graph: site.graph,
        data: site.input_name.clone()?,
        output: site.output_name.clone()?,
        rate: rate.unwrap_or_default(),
        shared: ones,
        unseen: unseen.map(str::to_string),
    })
}
