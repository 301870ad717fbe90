//! Which sites are changed, and how.

use crate::dropout::{Form, Kind, Mode, RateOrigin, Site};
use crate::error::Result;
use crate::onnx::RANDOM_OPERATORS;
use crate::rewrite::names::usage;
use crate::rewrite::{Acting, Action, Plan, Reason, Step};
use crate::semantics::view::View;

use super::change::{self, Change};
use super::{Changes, Options, Seed, mask, operator};
use crate::rewrite::filter;

/// A plan, and the constants that it changes.
#[derive(Debug, Default)]
pub(super) struct Planned {
    pub plan: Plan,
    pub changes: Vec<Change>,
}

/// Plans changes to sites.
///
/// # Errors
/// No option changes anything, a filter matches no site, or a constant cannot be read.
pub(super) fn plan(view: View<'_>, sites: &[Site], options: &Options) -> Result<Planned> {
    if options.rate.is_none() && options.acting.is_none() && options.seed.is_none() {
        return Err(usage(
            "nothing to change: give --rate, --mode or --mask-seed".into(),
        ));
    }
    if sites.is_empty() {
        let why = "the model has no dropout; add some with `insert`";
        return Err(usage(why.into()));
    }
    let chosen = filter::chosen(view.model, sites, &options.filters)?;
    let mut planned = Planned::default();
    let mut owners = Vec::new();
    for (site, chosen) in sites.iter().zip(chosen) {
        let action = match (chosen, is_so(site, options)) {
            (false, _) => Action::NoEffect(Reason::NotSelected("not selected".into())),
            (true, true) => Action::NoEffect(Reason::NoChange("no change needed".into())),
            (true, false) => match changes(view, site, options)? {
                Ok(mut changes) => {
                    // another call may set the same node
                    changes.retain(|new| planned.changes.iter().all(|old| old.at != new.at));
                    owners.extend(changes.iter().map(|_| site.id));
                    planned.changes.extend(changes);
                    Action::Apply
                }
                Err(_) if site.form == Form::Scale && options.filters.is_empty() => {
                    Action::NoEffect(Reason::Needed("a scale that inference needs".into()))
                }
                Err(why) => Action::Refused(why),
            },
        };
        planned.plan.steps.push(Step {
            site: site.id,
            label: view.model.place(site.nodes[0]),
            action,
        });
    }
    // of all that is there noise is no part, if there is dropout too
    if options.filters.is_empty() && planned.plan.applied().next().is_some() {
        for (site, step) in sites.iter().zip(&mut planned.plan.steps) {
            if let (Kind::GaussianNoise, Action::Refused(why)) = (site.kind, &step.action) {
                step.action = Action::NoEffect(why.clone());
            }
        }
    }
    refuse_parts(sites, options, &mut planned.plan);
    for (change, owner) in planned.changes.iter().zip(owners) {
        if let Some(why) = change::refusal(view, change, &planned.changes) {
            planned.plan.steps[owner].action = Action::Refused(why);
        }
    }
    Ok(planned)
}

/// Refuses sites in functions of which other calls would change too.
fn refuse_parts(sites: &[Site], options: &Options, plan: &mut Plan) {
    for site in sites.iter().filter(|site| !site.calls.is_empty()) {
        let own = options.acting.is_none() && options.seed.is_none() && site.passed.is_some();
        let alike = own || with_twins(site, sites, plan);
        let action = &mut plan.steps[site.id].action;
        if *action == Action::Apply && !alike {
            let why = "other calls of its function would change too; select all of them";
            *action = Action::Refused(Reason::Scope(why.into()));
        }
    }
}

/// True if all sites of a node are changed, or are as requested.
fn with_twins(site: &Site, sites: &[Site], plan: &Plan) -> bool {
    let mut twins = sites.iter().filter(|other| site.is_twin_of(other));
    twins.all(|twin| {
        let action = &plan.steps[twin.id].action;
        matches!(
            action,
            Action::Apply | Action::NoEffect(Reason::NoChange(_))
        )
    })
}

/// True if there is nothing to change.
fn is_so(site: &Site, options: &Options) -> bool {
    let rate = options.rate.is_none_or(|rate| {
        let told = site.rate_origin != RateOrigin::Default;
        told && site
            .rate
            .is_some_and(|now| now as f32 == rate.value() as f32)
    });
    let acting = options.acting.as_ref().is_none_or(|acting| match acting {
        Acting::Inert => site.mode == Mode::Inert && site.rate != Some(0.0),
        Acting::Active => site.mode == Mode::Active,
        Acting::Runtime(_) => false,
    });
    let seed = options.seed.is_none_or(|seed| match seed {
        Seed::Number(_) => false,
        Seed::None => site.seed.is_none(),
    });
    rate && acting && seed
}

/// The constants to change, or why a site cannot be changed.
fn changes(view: View<'_>, site: &Site, options: &Options) -> Result<Changes> {
    if let Some(why) = &site.problem {
        return Ok(Err(Reason::Invalid(why.to_string().into())));
    }
    if site.foreign.is_some() {
        let op = &view.node(site.nodes[0]).op_type;
        let why = format!(
            "{op} is not part of ONNX; replace it with a Dropout operator, with `strip` and then \
             `insert --at`"
        );
        return Ok(Err(Reason::Operator(why.into())));
    }
    let acts = matches!(options.acting, Some(Acting::Active | Acting::Runtime(_)));
    let unfit = site.rate.filter(|rate| !(0.0..1.0).contains(rate));
    if let (true, None, Some(rate)) = (acts, options.rate, unfit) {
        let why = format!("its rate of {rate} is outside [0, 1); give --rate as well");
        return Ok(Err(Reason::Invalid(why.into())));
    }
    if site.form == Form::Operator {
        return operator::changes(view, site, options);
    }
    match &options.acting {
        Some(Acting::Active) if site.mode == Mode::Active => {}
        Some(acting) => {
            let why = format!(
                "a mask cannot be made {acting}; replace it with a Dropout operator, with `strip` \
                 and then `insert --at`"
            );
            return Ok(Err(Reason::Inexpressible(why.into())));
        }
        None => {}
    }
    let takes_seed = |source| RANDOM_OPERATORS.contains(&view.node(source).op());
    if options.seed.is_some() && !site.source().is_some_and(takes_seed) {
        let why = "the draw of its mask has no seed";
        return Ok(Err(Reason::Inexpressible(why.into())));
    }
    match options.rate {
        Some(rate) => mask::changes(view, site, rate),
        None => Ok(Ok(Vec::new())),
    }
}
