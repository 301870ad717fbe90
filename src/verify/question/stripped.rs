//! A strip in a document.

use serde::{Deserialize, Serialize};

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
    /// What was changed besides.
    pub changes: Allowed,
}

impl Stripped {
    pub fn of(view: View<'_>, removed: &[&Site], changes: &Allowed) -> Stripped {
        // an operator that is classic leaves a factor of its rate
        let masks = removed.iter();
        let masks = masks.filter(|site| site.is_mask() || site.is_classic());
        Stripped {
            claims: masks.map(|site| Claim::of(view, site)).collect(),
            changes: changes.clone(),
        }
    }

    /// What was removed, with the facts that are claimed. Each mask that the second model lacks needs a claim.
    ///
    /// # Errors
    /// It is not about these models.
    pub fn removed(&self, before: Side<'_>, after: Side<'_>) -> Result<Vec<Site>, String> {
        let masks = |side: Side<'_>| side.sites.iter().filter(|site| site.is_mask()).count();
        let unclaimed = before.sites.iter().filter(|site| {
            let claimed = self.claims.iter().any(|claim| claim.is_about(site));
            site.is_mask() && !claimed
        });
        let unclaimed: Vec<&Site> = unclaimed.collect();
        if unclaimed.len() > masks(after) {
            let place = before.view.model.place(unclaimed[0].nodes[0]);
            return Err(format!("it claims nothing about {place}"));
        }
        let claims = self.claims.iter();
        let sites = claims.map(|claim| claim.site(before.view, before.sites));
        if !self.changes.fits(before.view.model, after.view.model) {
            return Err("it changes what the model does not have".to_string());
        }
        sites.collect()
    }
}
