//! The dropout that the result of insert is expected to have.

use crate::verify::acting::{Expected, Watch};

use super::{Acting, Inserted, Options};

impl Inserted {
    /// The dropout that the result is expected to have.
    pub fn expected(&self, options: &Options) -> Expected {
        let outcome = &self.outcome;
        let rate = |rate: f64| match options.acting {
            Acting::Inert => 0.0,
            _ => rate,
        };
        let places = self.plan.applied().map(|step| &self.places[step.site]);
        let watches = places.map(|place| Watch {
            graph: place.graph,
            data: place.data.clone(),
            output: place.output.clone(),
            rate: rate(place.rate.value()),
            switched: outcome.switch.is_some(),
            shared: place.shared_axes.clone(),
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
            masks: Vec::new(),
        }
    }
}
