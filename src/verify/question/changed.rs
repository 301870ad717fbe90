//! Dropout that was inserted or set, in a document.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::claim::Claim;
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
    switches: BTreeMap<Name, bool>,
    /// The input that was added.
    added_input: Option<Name>,
    /// Dropout operators.
    watches: Vec<Watch>,
    /// Masks that drop.
    claims: Vec<Claim>,
}

impl Changed {
    pub fn of(after: View<'_>, expected: &Expected) -> Changed {
        let masks = expected.masks.iter();
        Changed {
            switches: expected.switches.clone(),
            added_input: expected.added_input.clone(),
            watches: expected.watches.clone(),
            claims: masks.map(|site| Claim::of(after, site)).collect(),
        }
    }

    /// The dropout that a model is expected to have.
    ///
    /// # Errors
    /// It lacks something that it is claimed to have.
    pub fn expected(&self, after: Side<'_>) -> Result<Expected, String> {
        let lacks = |watch: &&Watch| !after.view.model.has_graph(watch.graph);
        if let Some(watch) = self.watches.iter().find(lacks) {
            return Err(format!("`{}` has no graph", watch.output));
        }
        let masks = self.claims.iter();
        let masks = masks.map(|claim| claim.site(after.view, after.sites));
        Ok(Expected {
            switches: self.switches.clone(),
            added_input: self.added_input.clone(),
            watches: self.watches.clone(),
            masks: masks.collect::<Result<_, _>>()?,
        })
    }
}
