//! The dropout that the result of set is expected to have.

use crate::dropout::{Form, Mode, Site};
use crate::error::Result;
use crate::hash::HashSet;
use crate::onnx::{DataType, Name, Producer};
use crate::semantics::view::View;
use crate::verify::acting::{Expected, Watch};

use super::{Acting, Changed, Options, counterpart};

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
            let rate = options.rate.map(|rate| rate.value()).or(site.rate);
            if site.form == Form::RandomMask {
                let mut mask = site.clone();
                mask.rate = rate;
                expected.masks.push(mask);
                continue;
            }
            let mode = match &options.acting {
                _ if site.unreachable => continue,
                Some(Acting::Active) => Mode::Active,
                Some(Acting::Inert) => Mode::Inert,
                Some(Acting::Runtime { .. }) => Mode::Runtime,
                None => site.mode,
            };
            let rate = match mode {
                Mode::Inert => Some(0.0),
                _ => rate,
            };
            let is_switched = mode == Mode::Runtime;
            let seen = !is_switched
                || match switch(after.view(), site) {
                    Some((name, on)) => *expected.switches.entry(name).or_insert(on) == on,
                    None => false,
                };
            let twins = || sites.iter().filter(|other| site.is_twin_of(other));
            // one node is watched once
            if twins().any(|twin| watched.contains(&twin.id)) {
                continue;
            }
            watched.insert(site.id);
            let set = |site: &Site| (site.rate, site.mode);
            let differs = twins().any(|twin| set(twin) != set(site));
            let unseen = match rate {
                None => Some("its rate is decided at run time"),
                _ if differs => Some("the calls of its function differ"),
                _ if !seen => Some("its switch is not a separate input"),
                _ => None,
            };
            let rate = rate.unwrap_or_default();
            expected
                .watches
                .extend(watch(site, rate, is_switched, unseen));
        }
        Ok(expected)
    }
}

/// What a run is to show of a site; `None` if its ends have no names.
fn watch(site: &Site, rate: f64, switched: bool, unseen: Option<&str>) -> Option<Watch> {
    Some(Watch {
        graph: site.graph,
        data: site.input_name.clone()?,
        output: site.output_name.clone()?,
        rate,
        switched,
        shared: None,
        unseen: unseen.map(str::to_string),
    })
}

/// The boolean input of the model that switches a dropout operator, and its value where the dropout acts.
fn switch(view: View<'_>, site: &Site) -> Option<(Name, bool)> {
    let (mut at, mut on) = (view.node(site.nodes[0]).input(2)?, true);
    loop {
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
}
