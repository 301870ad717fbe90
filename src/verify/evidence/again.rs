//! The question of a document, put again.

use crate::dropout::{Examined, Side, Site};
use crate::error::Result;
use crate::verify::change::verify_examined;
use crate::verify::engine::Host;
use crate::verify::fold::{Fold, Removed, verify_fold, verify_steps};
use crate::verify::inputs::InputSpec;
use crate::verify::question::{Question, Relation};
use crate::verify::{Verification, verify_models};

/// Why a fold is not one of these models.
const NO_FOLD: &str = "it folds what the models do not have";

/// Puts a question to two models.
///
/// # Errors
/// Of the inner result: the question is not about these models.
pub(super) fn again(
    question: &Question,
    (before, after): (Side<'_>, Side<'_>),
    (host, inputs): (&Host, &[InputSpec]),
) -> Result<Result<Verification, String>> {
    let options = question.how.options(host, inputs)?;
    let fold = |after, exact, allowed, rounded| Fold {
        after,
        allowed,
        exact,
        rounded,
    };
    let found = match &question.result {
        Relation::Other => verify_models(before, after, &options)?,
        Relation::Stripped(stripped) => match stripped.removed(before, after) {
            Ok((sites, allowed)) => {
                let removed = Removed {
                    sites: sites.iter().collect(),
                    allowed,
                };
                let all = marked(before, &sites);
                verify_steps(before.with(&all), after, &removed, None, &options)?
            }
            Err(why) => return Ok(Err(why)),
        },
        Relation::StrippedAndFolded {
            stripped,
            between,
            folded,
        } => {
            let between = Examined::owning(between.model(before.view.model)?);
            let between = between.side()?;
            let (sites, allowed) = match stripped.removed(before, between) {
                Ok(removed) => removed,
                Err(why) => return Ok(Err(why)),
            };
            let removed = Removed {
                sites: sites.iter().collect(),
                allowed,
            };
            let Some((allowed, rounded)) = folded.folds(between.view.model, after.view.model)
            else {
                return Ok(Err(NO_FOLD.to_string()));
            };
            let fold = fold(after, folded.exact, &allowed, &rounded);
            let all = marked(before, &sites);
            verify_steps(before.with(&all), between, &removed, Some(fold), &options)?
        }
        Relation::Folded(folded) => {
            let Some((allowed, rounded)) = folded.folds(before.view.model, after.view.model) else {
                return Ok(Err(NO_FOLD.to_string()));
            };
            verify_fold(
                before,
                fold(after, folded.exact, &allowed, &rounded),
                &options,
            )?
        }
        Relation::Changed(changed) => match changed.expected(after) {
            Ok(expected) => verify_examined(before, after, &expected, &options)?,
            Err(why) => return Ok(Err(why)),
        },
    };
    Ok(Ok(found))
}

/// The sites of a model, those that were removed with the conventions that are claimed.
fn marked(before: Side<'_>, removed: &[Site]) -> Vec<Site> {
    let mut all = before.sites.to_vec();
    for site in removed {
        all[site.id].convention = site.convention;
    }
    all
}
