//! The question of a document, put again.

use crate::dropout::{Examined, Side, Site};
use crate::error::Result;
use crate::verify::change::verify_examined;
use crate::verify::engine::Host;
use crate::verify::fold::{Fold, Removed, verify_fold, verify_steps};
use crate::verify::inputs::InputSpec;
use crate::verify::question::{Folded, Question, Relation, Stripped};
use crate::verify::{Verification, verify_models};

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
    let found = match &question.result {
        Relation::Other => verify_models(before, after, &options)?,
        Relation::Stripped(stripped) => match stripped.removed(before, after) {
            Ok(sites) => {
                let all = marked(before, &sites);
                let removed = removed(stripped, &sites);
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
            let steps = stripped
                .removed(before, between)
                .and_then(|sites| Ok((sites, fold(folded, between, after)?)));
            match steps {
                Ok((sites, fold)) => {
                    let all = marked(before, &sites);
                    let removed = removed(stripped, &sites);
                    verify_steps(before.with(&all), between, &removed, Some(fold), &options)?
                }
                Err(why) => return Ok(Err(why)),
            }
        }
        Relation::Folded(folded) => match fold(folded, before, after) {
            Ok(fold) => verify_fold(before, fold, &options)?,
            Err(why) => return Ok(Err(why)),
        },
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

fn removed<'a>(stripped: &Stripped, sites: &'a [Site]) -> Removed<'a> {
    Removed {
        sites: sites.iter().collect(),
        allowed: stripped.changes.clone(),
    }
}

/// A fold, if it is of these models.
fn fold<'a>(folded: &'a Folded, before: Side<'_>, after: Side<'a>) -> Result<Fold<'a>, String> {
    match folded.changes.fits(before.view.model, after.view.model) {
        true => Ok(Fold {
            after,
            allowed: &folded.changes,
            exact: folded.exact,
            rounded: &folded.rounded,
        }),
        false => Err("it folds what the models do not have".to_string()),
    }
}
