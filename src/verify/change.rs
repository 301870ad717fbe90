//! Verifying insert and set: the inference meaning is the same, active dropout operators drop as requested,
//! and masks are measured to.

use super::acting::{self, Expected};
use super::measure;
use super::question::Question;
use super::structure::Allowed;
use super::{Options, Verification, verify_sides};
use crate::dropout::{Examine, Side};
use crate::error::Result;

/// Compares a model with its result after insert or set, and checks the dropout that is active in the
/// result.
///
/// # Errors
/// As [`super::verify`].
pub fn verify_change(
    before: &impl Examine,
    after: &impl Examine,
    expected: &Expected,
    options: &Options,
) -> Result<Verification> {
    before.examined(|before| {
        after.examined(|after| verify_examined(before.side()?, after.side()?, expected, options))
    })
}

/// As [`verify_change`].
pub(super) fn verify_examined(
    before: Side<'_>,
    after: Side<'_>,
    expected: &Expected,
    options: &Options,
) -> Result<Verification> {
    let allowed = Allowed {
        added_input: expected.added_input.clone(),
        ..Allowed::default()
    };
    let mut found = verify_sides(before, after, &allowed, options)?;
    found.question = Question::changed(after.view, expected, options);
    if let Some(settings) = &options.run {
        let masks: Vec<_> = expected.masks.iter().collect();
        found.measured = measure::measured(after, &masks, &settings.host)?;
        found.allow_unmeasured = true; // the report shows what was not measured
    }
    if let Some(settings) = &options.run
        && !expected.watches.is_empty()
    {
        let report = acting::check(after.view, expected, settings);
        found.acting = Some(report.map_err(|e| before.view.model.source().name_in(e))?);
    }
    Ok(found)
}
