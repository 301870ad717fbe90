//! Strip: dropout removed for inference.
//!
//! A `Dropout` passes its data through at inference, whatever its flags: the readers of its output
//! read its input instead. Where the output's name must live on (it is a graph's output), the producer of
//! the input takes that name; where that cannot be, an `Identity` stays. A mask that something uses
//! becomes all true.
//!
//! An operator of another domain leaves its inference form: a sum, a Softmax, or nothing.
//!
//! A mask is removed where it is applied to data: the readers of the product read the
//! data, without the factor `1/(1-p)` if it had one; if the mask was never scaled, one `Mul` with
//! the inference scale stays. Nodes that only produced the mask are removed: the draw, shape
//! arithmetic, states of loops that carried it, functions that are no longer called.

mod apply;
mod batch_norm;
mod calls;
mod foreign;
mod left;
mod mask;
mod operator;
mod options;
mod outcome;
mod plan;
#[cfg(feature = "plan-files")]
mod plan_file;
mod random_mask;
mod removal;
mod states;

#[cfg(all(test, feature = "tract"))]
mod mutants;

use std::borrow::Cow;
use std::cell::LazyCell;
use std::sync::Arc;

use crate::dropout::{Examine, Examined, Site, under};
use crate::error::{Error, Result};
use crate::hash::HashSet;
use crate::onnx::{Model, Name};
use crate::verify::fold::{Removed, verify_steps};
use crate::verify::structure::Allowed;
use crate::verify::{self, Verification};

use super::fold::{self, Folded};
use super::{Action, Edited, Plan, Reason, filter};
#[doc(hidden)]
pub use batch_norm::BatchNorm;
#[doc(hidden)]
pub use left::Left;
pub use options::Options;
pub use outcome::{Assumed, Outcome};
#[cfg(feature = "plan-files")]
#[doc(inline)]
pub use plan_file::{PlanFile, plan_text};

/// A model that was stripped, not yet verified.
#[derive(Debug)]
#[non_exhaustive]
pub struct Stripped {
    /// The dropouts that were found.
    pub sites: Arc<[Site]>,
    /// What was planned for each.
    pub plan: Plan,
    /// What was planned for each batch normalization in training mode; none if it was not asked for.
    pub batch_norms: Vec<BatchNorm>,
    /// What was done.
    pub outcome: Outcome,
    /// The result.
    pub edited: Edited,
    allow_unmeasured: bool,
}

impl Stripped {
    /// Folds the scales that stay into the weights around them.
    ///
    /// # Errors
    /// As [`fold::fold`].
    pub fn fold_scales(&self) -> Result<Folded> {
        let options = fold::Options {
            only_dropout: true,
            ..fold::Options::default()
        };
        fold::fold(self.edited.examined(), &options)
    }

    /// Compares the original with the result, and the result with a fold of it: step by step, and the
    /// report is of the last.
    ///
    /// # Errors
    /// As [`verify::verify`].
    pub fn verify(
        &self,
        before: &impl Examine,
        folded: Option<&Folded>,
        options: &verify::Options,
    ) -> Result<Verification> {
        let options = verify::Options {
            convention: self.plan.convention,
            allow_unmeasured: self.allow_unmeasured,
            ..options.clone()
        };
        let folded = folded.filter(|folded| !folded.outcome.is_unchanged());
        let fold = folded.map(Folded::as_fold).transpose()?;
        let after = self.edited.examined().side()?;
        let sites = under(&self.sites, self.plan.convention);
        // in both models what stays means the same
        let mut own = Cow::Borrowed(&self.sites[..]);
        let kept = self.plan.steps.iter();
        let kept = kept.filter(|step| step.action != Action::Apply);
        for step in kept.filter(|step| self.sites[step.site].convention.is_some()) {
            own.to_mut()[step.site].convention = None;
        }
        let removed = self.plan.applied().filter_map(|step| sites.get(step.site));
        let norms = self.batch_norms.iter();
        let norms = norms.filter(|norm| norm.action == Action::Apply);
        let removed = Removed {
            sites: removed.collect(),
            allowed: Allowed {
                inference_norms: norms.map(|norm| norm.node).collect(),
                removed_inputs: self.outcome.pruned_inputs.clone(),
                ..Allowed::default()
            },
        };
        before.examined(|before| {
            verify_steps(before.side()?.with(&own), after, &removed, fold, &options)
        })
    }
}

/// Finds dropout, plans its removal, and removes it from a copy.
///
/// # Errors
/// The model is not sound ([`crate::onnx::Model::check`]), a filter matches no site, or a site cannot be
/// removed and [`Options::strict`] is set, or it is the only one. Nothing is removed either if the
/// remaining dropout would be dropout of another form than before.
pub fn strip(model: &impl Examine, options: &Options) -> Result<Stripped> {
    model.examined(|before| {
        let stripped = strip_examined(before, options);
        stripped.map_err(|e| before.model().source().name_in(e))
    })
}

/// A copy without its dropout, as far as that can be removed: nodes and graphs keep their ids. And the sites
/// that were removed.
///
/// # Errors
/// As [`strip`].
pub(super) fn bare(before: &Examined<'_>) -> Result<(Model, Vec<usize>)> {
    let done = strip_copy(before, &Options::default());
    let done = done.map_err(|e| before.model().source().name_in(e))?;
    let removed = done.plan.applied().map(|step| step.site).collect();
    Ok((done.copy, removed))
}

/// A copy that was stripped.
struct Copied {
    copy: Model,
    sites: Arc<[Site]>,
    plan: Plan,
    batch_norms: Vec<BatchNorm>,
    outcome: Outcome,
}

fn strip_examined(before: &Examined<'_>, options: &Options) -> Result<Stripped> {
    let Copied {
        copy,
        sites,
        plan,
        batch_norms,
        outcome,
    } = strip_copy(before, options)?;
    let edited = Edited::new(&copy)?;
    if !outcome.is_unchanged() {
        settled(&sites, &plan, edited.examined())?;
    }
    Ok(Stripped {
        sites,
        plan,
        batch_norms,
        outcome,
        edited,
        allow_unmeasured: options.allow_unmeasured,
    })
}

fn strip_copy(before: &Examined<'_>, options: &Options) -> Result<Copied> {
    before.model().check(before.values())?;
    let found = with_conventions(before, options)?;
    let sites = &*under(&found, options.convention);
    let mut plan = plan::plan(before.facts(), sites, options)?;
    let batch_norms = batch_norm::plan(before.facts(), options.batchnorm);
    let (copy, outcome) = loop {
        refuse(&plan, &batch_norms, options.strict)?;
        let mut copy = before.model().clone();
        let job = apply::Job {
            sites,
            found: &found,
            plan: &plan,
            batch_norms: &batch_norms,
            prune_inputs: options.prune_inputs,
        };
        let done = apply::apply(&mut copy, before.values().clone(), job)?;
        if done.used.is_empty() {
            break (copy, done.outcome);
        }
        for step in &mut plan.steps {
            if done.used.contains(&step.site) {
                let why = "the draw is still used after its dropout was removed";
                step.action = Action::Refused(Reason::Shared(why.into()));
            }
        }
    };
    Ok(Copied {
        copy,
        sites: found,
        plan,
        batch_norms,
        outcome,
    })
}

/// The sites, each with the convention of the first filter that it matches.
fn with_conventions(before: &Examined<'_>, options: &Options) -> Result<Arc<[Site]>> {
    let found = before.sites()?;
    if options.conventions.is_empty() {
        return Ok(found.clone());
    }
    let mut sites = found.to_vec();
    for (filter, convention) in &options.conventions {
        let chosen = filter::chosen(before.model(), found, std::slice::from_ref(filter))?;
        for (site, _) in sites.iter_mut().zip(chosen).filter(|(_, chosen)| *chosen) {
            site.convention.get_or_insert(*convention);
        }
    }
    Ok(sites.into())
}

/// Fails if something is refused: with `strict` in any case, otherwise if nothing else is done.
fn refuse(plan: &Plan, norms: &[BatchNorm], strict: bool) -> Result<()> {
    let steps = plan.steps.iter().map(|step| (&step.label, &step.action));
    let norms = norms.iter().map(|norm| (&norm.label, &norm.action));
    let all = steps.chain(norms);
    let mut refused = all.clone().filter_map(|(label, action)| match action {
        Action::Refused(why) => Some((label, why)),
        _ => None,
    });
    match refused.next() {
        Some((label, why)) if strict || all.clone().all(|(_, action)| *action != Action::Apply) => {
            Err(Error::model(why.to_string()).at(label))
        }
        _ => Ok(()),
    }
}

/// Checks that the masks in the result are those that were to stay: what a draw is applied to may show only
/// once other dropout is removed, or no longer. The inference form of both models would
/// then be undefined.
fn settled(sites: &[Site], plan: &Plan, after: &Examined<'_>) -> Result<()> {
    let found = after.sites()?.iter().filter(|site| site.is_mask());
    let applied: Vec<usize> = plan.applied().map(|step| step.site).collect();
    let masks = sites.iter().filter(|site| site.is_mask());
    let mut kept: Vec<&Site> = masks.filter(|site| !applied.contains(&site.id)).collect();
    let names = LazyCell::new(|| -> HashSet<&Name> {
        let values = after.view().all_values();
        values.map(|value| &value.get().name).collect()
    });
    for site in found {
        let same = |old: &&Site| {
            let facts = |site: &Site| (site.form, site.kind, site.scaling, site.junctions.len());
            // what has another name now was renamed, unless it is still there
            let moved =
                |name: &Name| site.output_name.as_ref() != Some(name) && names.contains(name);
            facts(old) == facts(site)
                && !old.output_name.as_ref().is_some_and(moved)
                && old.rate == site.rate
                && old.entangled.is_some() == site.entangled.is_some()
        };
        let Some(place) = kept.iter().position(same) else {
            let why = "would only be recognised after other dropout is removed";
            return Err(Error::model(why).at(after.model().place(site.nodes[0])));
        };
        kept.swap_remove(place);
    }
    let lost = kept
        .iter()
        .find(|site| site.entangled.is_none() && !site.unreachable);
    match lost {
        None => Ok(()),
        Some(site) => {
            let why = "would no longer be recognised after other dropout is removed";
            Err(Error::model(why).at(&plan.steps[site.id].label))
        }
    }
}
