//! Which sites are removed, and why others are not.

use crate::dropout::{Form, Site};
use crate::error::Result;
use crate::rewrite::filter;
use crate::rewrite::upstream::Upstream;
use crate::rewrite::{Action, Plan, Reason, Step};
use crate::semantics::view::View;

use super::{Options, mask, operator, random_mask};

/// Plans the removal of sites.
///
/// # Errors
/// A filter matches no site.
pub(super) fn plan(view: View<'_>, sites: &[Site], options: &Options) -> Result<Plan> {
    let gradients = mask::gradients(view, options.convention);
    let chosen = filter::chosen(view.model, sites, &options.filters)?;
    let steps = sites.iter().zip(chosen).map(|(site, chosen)| Step {
        site: site.id,
        label: view.model.place(site.nodes[0]),
        action: match chosen {
            true => action(view, site, options, gradients.as_ref()),
            false => Action::NoEffect(Reason::NotSelected("not selected by --where".into())),
        },
    });
    Ok(Plan {
        steps: steps.collect(),
        convention: options.convention,
    })
}

fn action(view: View<'_>, site: &Site, options: &Options, gradients: Option<&Upstream>) -> Action {
    let left = |why: String| Action::NoEffect(Reason::NotSelected(why.into()));
    if !options.only.contains(&site.mode) {
        return left(format!("{} dropout is not selected by --only", site.mode));
    }
    let (asked, name) = match site.form {
        Form::Scale => {
            let why = "a scale that inference needs";
            return Action::NoEffect(Reason::Needed(why.into()));
        }
        Form::FrozenMask => (options.frozen_masks, Form::FrozenMask.word()),
        _ => (options.kinds.contains(&site.kind), site.kind.word()),
    };
    if !asked {
        return left(format!("remove it with --kind {name}"));
    }
    let invalid = site.problem.clone().map(|why| Reason::Invalid(why.into()));
    let refusal = invalid.or_else(|| match site.form {
        Form::Operator => entangled(site)
            .or_else(|| mask::refusal(view, site, gradients))
            .or_else(|| operator::refusal(view, site, options.convention)),
        _ => entangled(site).or_else(|| random_mask::refusal(view, site)),
    });
    refusal.map_or(Action::Apply, Action::Refused)
}

fn entangled(site: &Site) -> Option<Reason> {
    let why = site.entangled.clone()?;
    Some(Reason::Entangled(why.into()))
}
