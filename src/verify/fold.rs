//! Verifying a fold: factors are removed, and weights and attributes are scaled instead.
//!
//! Structure shows that both models are the same except for those. That the scaled weights do what the
//! factors did has to be shown by a run: to the bit where all factors are powers of two and nothing was
//! rounded, else within the tolerance of the element type.

use std::borrow::Cow;
#[cfg(feature = "tract")]
use std::collections::BTreeSet;

#[cfg(feature = "tract")]
use crate::dropout::Convention;
use crate::error::Result;
use crate::onnx::DataType;
#[cfg(feature = "tract")]
use crate::onnx::ValueType;

#[cfg(feature = "tract")]
use super::question::Question;
use super::structure::Allowed;
use super::{Demand, Options, Verdict, Verification, verify_sides};
#[cfg(feature = "tract")]
use super::{compare, measure, run, run_sides};
use crate::dropout::{Form, Side, Site};
use crate::hash::HashSet;

/// A fold to verify.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fold<'a> {
    /// The result.
    pub after: Side<'a>,
    /// The factors that were removed, and where they went.
    pub allowed: &'a Allowed,
    /// True if every factor is a power of two.
    #[cfg_attr(not(feature = "tract"), expect(dead_code, reason = "nothing runs"))]
    pub exact: bool,
    /// Element types whose rounding differs.
    #[cfg_attr(not(feature = "tract"), expect(dead_code, reason = "nothing runs"))]
    pub rounded: &'a [DataType],
}

/// Compares a model with a fold of it. If structure and runs are enabled and a model cannot be run,
/// nothing is shown.
pub(crate) fn verify_fold(
    before: Side<'_>,
    fold: Fold<'_>,
    options: &Options,
) -> Result<Verification> {
    let by_structure = Options {
        #[cfg(feature = "tract")]
        run: None,
        convention: Default::default(),
        ..options.clone()
    };
    let found = verify_sides(before, fold.after, fold.allowed, &by_structure)?;
    #[cfg(feature = "tract")]
    let run = match &options.run {
        Some(settings) => Some(run_folded(before, fold, settings)?),
        None => None,
    };
    Ok(Verification {
        #[cfg(feature = "tract")]
        run,
        allowed: Some(words(fold.allowed)),
        #[cfg(feature = "tract")]
        question: Question::folded(fold.allowed, (fold.exact, fold.rounded), options),
        ..found
    })
}

/// What a strip removed.
#[derive(Clone, Debug, Default)]
pub(crate) struct Removed<'a> {
    /// The dropout.
    pub sites: Vec<&'a Site>,
    /// What it reports to have changed besides.
    pub allowed: Allowed,
}

impl Removed<'_> {
    /// Sites without frozen masks that were not removed: those are constants as any other.
    fn without_constants<'s>(&self, sites: &'s [Site]) -> Cow<'s, [Site]> {
        let is_frozen = |site: &Site| site.form == Form::FrozenMask;
        if !sites.iter().any(is_frozen) {
            return Cow::Borrowed(sites);
        }
        let removed: HashSet<usize> = self.sites.iter().map(|site| site.id).collect();
        let counts = |site: &&Site| !is_frozen(site) || removed.contains(&site.id);
        sites.iter().filter(counts).cloned().collect()
    }
}

/// Compares a model with its result after strip, and that with a fold of it: if both are shown, the
/// report is of the fold. What masks were removed is measured on the original.
pub(crate) fn verify_steps(
    before: Side<'_>,
    stripped: Side<'_>,
    removed: &Removed<'_>,
    fold: Option<Fold<'_>>,
    options: &Options,
) -> Result<Verification> {
    #[cfg_attr(not(feature = "tract"), expect(unused_mut, reason = "nothing runs"))]
    let mut first = {
        let old = removed.without_constants(before.sites);
        let new = Removed::default();
        let new = new.without_constants(stripped.sites);
        let (before, stripped) = (before.with(&old), stripped.with(&new));
        verify_sides(before, stripped, &removed.allowed, options)?
    };
    #[cfg(feature = "tract")]
    if let Some(settings) = &options.run {
        first.measured = measure::measured(before, &removed.sites, &settings.host)?;
        let operators = measure::operators(before, &removed.sites, &settings.host)?;
        if !operators.is_empty() {
            let report = first.measured.get_or_insert_default();
            report.sites.extend(operators);
        }
        first.allow_unmeasured = options.allow_unmeasured;
    }
    #[cfg(feature = "tract")]
    {
        first.question = Question::stripped(before.view, &removed.sites, &removed.allowed, options);
    }
    let (Some(fold), Verdict::Equal) = (fold, first.verdict(Demand::Rewrite)) else {
        return Ok(first);
    };
    let found = verify_fold(stripped, fold, options)?;
    #[cfg(feature = "tract")]
    let found = both_steps(first, found, stripped)?;
    Ok(found)
}

/// What was found of a strip and of a fold of its result, as one.
#[cfg(feature = "tract")]
fn both_steps(
    mut first: Verification,
    mut found: Verification,
    stripped: Side<'_>,
) -> Result<Verification> {
    let questions = [&mut first, &mut found].map(|step| step.question.take());
    found.question = Question::both(questions, stripped.view.model)?;
    found.measured = first.measured.take();
    found.allow_unmeasured = first.allow_unmeasured;
    if let Some(run) = &mut found.run {
        let ran = first.run.as_ref().map(|run| run.outcome.to_string());
        let ran = ran.unwrap_or_default();
        let note =
            format!("this compares strip's result with fold's; the original with strip's: {ran}");
        run.notes.push(note);
    }
    found.stripped = Some(Box::new(first));
    Ok(found)
}

fn words(allowed: &Allowed) -> String {
    let count = |number: usize, what: &str| match number {
        1 => format!("1 {what}"),
        _ => format!("{number} {what}s"),
    };
    let mut parts = vec![count(allowed.factors.len(), "factor")];
    if !allowed.weights.is_empty() {
        parts.push(count(allowed.weights.len(), "use") + " of weights");
    }
    if !allowed.attributes.is_empty() {
        parts.push(count(allowed.attributes.len(), "attribute"));
    }
    parts.join(", ")
}

/// Runs both models: to the bit if possible, else within the tolerance of the element type.
#[cfg(feature = "tract")]
fn run_folded(
    before: Side<'_>,
    fold: Fold<'_>,
    settings: &run::Settings,
) -> Result<run::RunReport> {
    if settings.tolerance != compare::Tolerance::Exact {
        return run_sides(before, fold.after, Convention::Inverted, settings);
    }
    let mut notes = Vec::new();
    if fold.exact {
        let report = run_sides(before, fold.after, Convention::Inverted, settings)?;
        match &report.outcome {
            run::Outcome::Different(why) => notes.push(format!("tolerance: {why}")),
            _ => return Ok(report),
        }
    }
    let mut settings = settings.clone();
    // what is rounded to a half on the way is no closer in a wider output
    let halves = [DataType::FLOAT16, DataType::BFLOAT16];
    let mut halves = halves
        .into_iter()
        .filter(|half| fold.rounded.contains(half));
    if let Some(half) = halves.next() {
        settings.tolerance = compare::Tolerance::OfType(half);
        let mut report = run_sides(before, fold.after, Convention::Inverted, &settings)?;
        let tolerance = settings.tolerance;
        notes.push(format!("{half} is computed in on the way: {tolerance}"));
        report.notes.extend(notes);
        return Ok(report);
    }
    settings.tolerance = compare::Tolerance::ByType;
    let mut report = run_sides(before, fold.after, Convention::Inverted, &settings)?;
    let after = fold.after.view.model;
    let outputs = after.graph(after.main()).outputs.iter();
    let elements = outputs.filter_map(|info| match info.value_type() {
        ValueType::Tensor { element, .. } => Some(element),
        _ => None,
    });
    for element in elements.collect::<BTreeSet<_>>() {
        notes.push(format!(
            "{element}: {}",
            compare::Tolerance::OfType(element)
        ));
    }
    report.notes.extend(notes);
    Ok(report)
}
