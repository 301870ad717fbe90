//! The question of a document, put again.

use crate::dropout::Side;
use crate::error::Result;
use crate::verify::change::verify_examined;
use crate::verify::engine::Host;
use crate::verify::fold::{Fold, Removed, verify_fold, verify_steps};
use crate::verify::inputs::InputSpec;
use crate::verify::question::{Question, Relation, removed};
use crate::verify::structure::Allowed;
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
        Relation::Stripped {
            claims,
            inference_norms,
            removed_inputs,
        } => {
            let sites = match removed(before, after, claims) {
                Ok(sites) => sites,
                Err(why) => return Ok(Err(why)),
            };
            let norms = inference_norms.iter();
            let norms = norms.map(|place| place.of(before.view.model));
            let Some(inference_norms) = norms.collect() else {
                return Ok(Err("it changes what the model does not have".to_string()));
            };
            let inputs = removed_inputs.iter();
            let removed = Removed {
                sites: sites.iter().collect(),
                allowed: Allowed {
                    inference_norms,
                    removed_inputs: inputs.map(|name| name.as_str().into()).collect(),
                    ..Allowed::default()
                },
            };
            let mut all = before.sites.to_vec();
            for site in &sites {
                all[site.id].convention = site.convention;
            }
            verify_steps(before.with(&all), after, &removed, None, &options)?
        }
        Relation::Folded(folded) => {
            let allowed = folded.allowed(before.view.model, after.view.model);
            let Some((allowed, rounded)) = allowed.zip(folded.rounded()) else {
                return Ok(Err("it folds what the models do not have".to_string()));
            };
            let fold = Fold {
                after,
                allowed: &allowed,
                exact: folded.exact,
                rounded: &rounded,
            };
            verify_fold(before, fold, &options)?
        }
        Relation::Changed(changed) => match changed.expected(after) {
            Ok(expected) => verify_examined(before, after, &expected, &options)?,
            Err(why) => return Ok(Err(why)),
        },
    };
    Ok(Ok(found))
}
