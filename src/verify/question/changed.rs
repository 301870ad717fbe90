//! Dropout that was inserted or set, in a document.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::claim::Claim;
use super::graph;
use crate::dropout::Side;
use crate::onnx::Name;
use crate::semantics::view::View;
use crate::verify::acting::{Expected, Watch};

/// Dropout that was inserted or set.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(in crate::verify) struct Changed {
    /// Inputs that switch dropout on, and the values that do.
    switches: BTreeMap<String, bool>,
    /// The input that was added.
    added_input: Option<String>,
    /// Dropout operators.
    watches: Vec<Watched>,
    /// Masks that drop.
    claims: Vec<Claim>,
}

/// A dropout operator.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
struct Watched {
    /// The graph of the second model that contains it.
    graph: u32,
    /// The value it is applied to.
    data: String,
    /// Its output.
    output: String,
    /// The probability to drop: 0 of an inert one.
    rate: f64,
    /// True if it is inert while the switches are off.
    switched: bool,
    /// The axes along which elements share a draw.
    shared: Option<Vec<i64>>,
    /// Why it cannot be observed.
    unseen: Option<String>,
}

impl Changed {
    pub fn of(after: View<'_>, expected: &Expected) -> Changed {
        let switches = expected.switches.iter();
        let watches = expected.watches.iter().map(|watch| Watched {
            graph: watch.graph.0,
            data: watch.data.to_string(),
            output: watch.output.to_string(),
            rate: watch.rate,
            switched: watch.switched,
            shared: watch.shared.clone(),
            unseen: watch.unseen.clone(),
        });
        let masks = expected.masks.iter();
        Changed {
            switches: switches.map(|(name, &on)| (name.to_string(), on)).collect(),
            added_input: expected.added_input.as_ref().map(Name::to_string),
            watches: watches.collect(),
            claims: masks.map(|site| Claim::of(after, site)).collect(),
        }
    }

    /// The dropout that a model is expected to have.
    ///
    /// # Errors
    /// It lacks something that it is claimed to have.
    pub fn expected(&self, after: Side<'_>) -> Result<Expected, String> {
        let watches = self.watches.iter().map(|watch| {
            let graph = graph(after.view.model, watch.graph);
            Ok(Watch {
                graph: graph.ok_or_else(|| format!("`{}` has no graph", watch.output))?,
                data: watch.data.as_str().into(),
                output: watch.output.as_str().into(),
                rate: watch.rate,
                switched: watch.switched,
                shared: watch.shared.clone(),
                unseen: watch.unseen.clone(),
            })
        });
        let switches = self.switches.iter();
        let masks = self.claims.iter();
        let masks = masks.map(|claim| claim.site(after.view, after.sites));
        Ok(Expected {
            switches: switches
                .map(|(name, &on)| (name.as_str().into(), on))
                .collect(),
            added_input: self.added_input.as_deref().map(Name::from),
            watches: watches.collect::<Result<_, String>>()?,
            masks: masks.collect::<Result<_, _>>()?,
        })
    }
}
