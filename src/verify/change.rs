//! Verifying insert and set: the inference meaning is the same, and active dropout drops as requested.

use super::acting::{self, Expected};
use super::structure::Allowed;
use super::{Examined, Options, Verification, verify_sides};
use crate::error::Result;
use crate::onnx::Model;

/// Compares a model with its result after insert or set, and checks the dropout that is active in the
/// result.
///
/// # Errors
/// As [`super::verify`].
pub fn verify_change(
    before: &Model,
    after: &Model,
    expected: &Expected,
    options: &Options,
) -> Result<Verification> {
    let (old, new) = (Examined::new(before)?, Examined::new(after)?);
    let allowed = Allowed {
        added_input: expected.added_input.clone(),
        ..Allowed::default()
    };
    let mut found = verify_sides(old.side(), new.side(), &allowed, options)?;
    if let Some(settings) = &options.run
        && !expected.watches.is_empty()
    {
        let report = acting::check(after, expected, settings);
        found.acting = Some(report.map_err(|e| before.source().name_in(e))?);
    }
    Ok(found)
}
