//! A strip in a document.

use serde::{Deserialize, Serialize};

use super::Place;
use super::claim::Claim;
use crate::dropout::{Side, Site};
use crate::semantics::view::View;
use crate::verify::structure::Allowed;

/// What a strip removed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(in crate::verify) struct Stripped {
    /// The masks that were removed, and under the classic convention the operators.
    claims: Vec<Claim>,
    /// Batch normalizations of the first model that are in inference form in the second.
    inference_norms: Vec<Place>,
    /// Inputs that were removed.
    removed_inputs: Vec<String>,
}

impl Stripped {
    pub fn of(view: View<'_>, removed: &[&Site], allowed: &Allowed) -> Stripped {
        let masks = removed.iter();
        let masks = masks.filter(|site| !site.exits.is_empty() || site.is_classic());
        let norms = allowed.inference_norms.iter();
        let inputs = allowed.removed_inputs.iter();
        Stripped {
            claims: masks.map(|site| Claim::of(view, site)).collect(),
            inference_norms: norms.copied().map(Place::from).collect(),
            removed_inputs: inputs.map(ToString::to_string).collect(),
        }
    }

    /// The masks that were removed, with the facts that are claimed, and what else was changed. Each mask that
    /// the second model lacks needs a claim.
    ///
    /// # Errors
    /// It is not about these models.
    pub fn removed(
        &self,
        before: Side<'_>,
        after: Side<'_>,
    ) -> Result<(Vec<Site>, Allowed), String> {
        let masks = |side: Side<'_>| {
            let masks = side.sites.iter().filter(|site| !site.exits.is_empty());
            masks.count()
        };
        let unclaimed = before.sites.iter().filter(|site| {
            let claimed = self.claims.iter().any(|claim| claim.is_about(site));
            !site.exits.is_empty() && !claimed
        });
        let unclaimed: Vec<&Site> = unclaimed.collect();
        if unclaimed.len() > masks(after) {
            let place = before.view.model.place(unclaimed[0].nodes[0]);
            return Err(format!("it claims nothing about {place}"));
        }
        let claims = self.claims.iter();
        let sites = claims.map(|claim| claim.site(before.view, before.sites));
        let norms = self.inference_norms.iter();
        let norms = norms.map(|place| place.of(before.view.model));
        let inputs = self.removed_inputs.iter();
        let allowed = Allowed {
            inference_norms: norms
                .collect::<Option<_>>()
                .ok_or("it changes what the model does not have")?,
            removed_inputs: inputs.map(|name| name.as_str().into()).collect(),
            ..Allowed::default()
        };
        Ok((sites.collect::<Result<_, _>>()?, allowed))
    }
}
