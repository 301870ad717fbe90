//! Which sites are removed, and why others are not.

use crate::dropout::{Form, Mode, Problem, Site};
use crate::error::Result;
use crate::rewrite::filter;
use crate::rewrite::upstream::Upstream;
use crate::rewrite::{Action, Plan, Reason, Step};
use crate::semantics::facts::Facts;

use super::{Options, foreign, mask, operator, random_mask};

/// Plans the removal of sites.
///
/// # Errors
/// A filter matches no site.
pub(super) fn plan(facts: Facts<'_>, sites: &[Site], options: &Options) -> Result<Plan> {
    let view = facts.view();
    let gradients = mask::gradients(view, sites);
    let chosen = filter::chosen(view.model, sites, &options.filters)?;
    let steps = sites.iter().zip(chosen).map(|(site, chosen)| Step {
        site: site.id,
        label: view.model.place(site.nodes[0]),
        action: match chosen {
            true => action(facts, site, options, gradients.as_ref()),
            false => Action::NoEffect(Reason::NotSelected("not selected by --where".into())),
        },
    });
    let mut steps: Vec<Step> = steps.collect();
    for site in sites.iter().filter(|site| !site.calls.is_empty()) {
        let twins = sites.iter().filter(|other| site.is_twin_of(other));
        let twins: Vec<&Site> = twins.collect();
        if let Some(action) = with_twins(site, &twins, &steps) {
            steps[site.id].action = action;
        }
    }
    Ok(Plan {
        steps,
        convention: options.convention,
    })
}

/// What happens to a site that is the same node as others: removing one removes all.
fn with_twins(site: &Site, twins: &[&Site], steps: &[Step]) -> Option<Action> {
    let applied = |site: &Site| steps[site.id].action == Action::Apply;
    let scales = |site: &Site| site.is_classic().then(|| site.classic_scale());
    let means = |site: &Site| (site.convention, scales(site));
    match &steps[site.id].action {
        Action::NoEffect(_) if site.mode == Mode::Inert => twins
            .iter()
            .any(|twin| applied(twin))
            .then_some(Action::Apply),
        Action::Apply => {
            let kept = |twin: &&&Site| !applied(twin) && twin.mode != Mode::Inert;
            let different = twins.iter().any(|twin| means(twin) != means(site));
            let why = match twins.iter().find(kept) {
                Some(_) => "other calls of its function keep this dropout",
                None if different => "the calls of its function scale by different rates",
                None => return None,
            };
            Some(Action::Refused(Reason::Scope(why.into())))
        }
        _ => None,
    }
}

fn action(
    facts: Facts<'_>,
    site: &Site,
    options: &Options,
    gradients: Option<&Upstream>,
) -> Action {
    let view = facts.view();
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
    let invalid = site.problem.as_deref().filter(|problem| match problem {
        Problem::Version(_) => false,
        Problem::Rate(_) => site.mode != Mode::Inert,
        Problem::Meaning(_) => true,
    });
    let invalid = invalid.map(|why| Reason::Invalid(why.to_string().into()));
    let refusal = invalid.or_else(|| match site.form {
        Form::Operator if site.foreign.is_some() => {
            foreign::refusal(facts, site).or_else(|| mask::gradient_refusal(view, site, gradients))
        }
        Form::Operator => entangled(site)
            .or_else(|| mask::refusal(view, site, gradients))
            .or_else(|| operator::refusal(view, site)),
        _ => entangled(site).or_else(|| random_mask::refusal(view, site)),
    });
    refusal.map_or(Action::Apply, Action::Refused)
}

fn entangled(site: &Site) -> Option<Reason> {
    let why = site.entangled.clone()?;
    Some(Reason::Entangled(why.into()))
}
