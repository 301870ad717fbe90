//! The dropout that the result of set is expected to have.

use crate::dropout::{Form, Kind, Mode, Site};
use crate::error::Result;
use crate::hash::HashSet;
use crate::onnx::{DataType, Name, Producer};
use crate::semantics::view::View;
use crate::verify::acting::{Expected, Shared, Watch};

use super::{Changed, Options, counterpart};

impl Changed {
    /// The dropout that the result is expected to have.
    ///
    /// # Errors
    /// The rate of a dropout cannot be read.
    pub fn expected(&self, options: &Options) -> Result<Expected> {
        let (outcome, after) = (&self.outcome, self.edited.examined());
        let sites = after.sites()?;
        let mut expected = Expected {
            added_input: outcome.switch.clone().filter(|_| outcome.added_input),
            ..Expected::default()
        };
        let mut watched = HashSet::default();
        for step in self.plan.applied() {
            let old = &self.sites[step.site];
            let Some(site) = counterpart(old, &self.sites, sites) else {
                continue;
            };
            let switched = match site.mode {
                Mode::Active => true,
                Mode::Runtime => match switch(after.view(), site) {
                    Some((name, on)) => *expected.switches.entry(name).or_insert(on) == on,
                    None => false,
                },
                _ => continue,
            };
            let twins = || sites.iter().filter(|other| site.is_twin_of(other));
            // one node is watched once
            if twins().any(|twin| watched.contains(&twin.id)) {
                continue;
            }
            watched.insert(site.id);
            let set = |site: &Site| (site.rate, site.mode);
            let differs = twins().any(|twin| set(twin) != set(site));
            let watch = watch(site, options, (switched, differs));
            expected.watches.extend(watch);
        }
        Ok(expected)
    }
}

/// How many nodes are allowed between an input and the dropout that it switches.
const DEPTH: usize = 8;

/// The boolean input of the model that switches a dropout, and its value where the dropout acts.
fn switch(view: View<'_>, site: &Site) -> Option<(Name, bool)> {
    let (mut at, mut on) = match site.form {
        Form::Operator => (view.node(site.nodes[0]).input(2)?, true),
        _ => (view.value(site.switch?), site.off? == 0.0),
    };
    for _ in 0..DEPTH {
        let Some(node) = at.node() else {
            let input = matches!(at.get().producer, Producer::Input(_));
            let boolean = at.element_type() == Some(DataType::BOOL);
            let switches = input && boolean && at.graph == view.model.main();
            return switches.then(|| (at.name.clone(), on));
        };
        match node.op() {
            "Not" => on = !on,
            "Identity" | "Cast" => {}
            _ => return None,
        }
        at = node.input(0)?;
    }
    None
}

fn watch(site: &Site, options: &Options, (switched, differs): (bool, bool)) -> Option<Watch> {
    let rate = options.rate.map(|rate| rate.value()).or(site.rate);
    let moved = site.exits.iter().any(|exit| !exit.path.is_empty());
    let unseen = match (site.form, rate) {
        _ if site.kind == Kind::GaussianNoise => Some("its noise does not depend on the data"),
        (_, None) => Some("its rate is decided at run time"),
        _ if differs => Some("the calls of its function differ"),
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
