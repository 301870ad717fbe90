//! Verification: what shows that a rewritten model computes what the original did.
//!
//! In two ways that share nothing: [`structure`] compares expressions, [`run`] compares outputs of
//! tract. What could not be verified is reported, and never counts as equal.

pub mod structure;

#[cfg(feature = "tract")]
pub mod acting;
#[cfg(feature = "tract")]
pub mod compare;
#[cfg(feature = "tract")]
pub mod engine;
#[cfg(feature = "tract")]
pub mod inputs;
#[cfg(feature = "tract")]
pub mod run;

#[cfg(feature = "tract")]
mod classic;
#[cfg(feature = "tract")]
pub(crate) mod draw;
#[cfg(feature = "tract")]
mod operator;
#[cfg(feature = "tract")]
mod random;
#[cfg(feature = "tract")]
mod reference;
#[cfg(feature = "tract")]
mod watch;

#[cfg(feature = "tract")]
use std::collections::BTreeSet;

use crate::dropout::{self, Convention, Mode};
use crate::error::Result;
#[cfg(feature = "tract")]
use crate::onnx::{DataType, ValueType};
use crate::onnx::{Model, Values};
#[cfg(feature = "tract")]
use crate::rewrite::Edited;
use crate::rewrite::fold::Folded;
#[cfg(feature = "tract")]
use crate::rewrite::fold::Outcome;
use crate::rewrite::strip::Stripped;
use crate::semantics::view::View;

/// How to verify.
#[derive(Clone, Debug)]
pub struct Options {
    /// Compare the structure of both models.
    pub structure: bool,
    /// What `Dropout` operators mean at inference, in both models.
    pub convention: Convention,
    /// Run both models, and how.
    #[cfg(feature = "tract")]
    pub run: Option<run::Settings>,
}

impl Default for Options {
    /// In every way there is.
    fn default() -> Self {
        Options {
            structure: true,
            convention: Convention::Inverted,
            #[cfg(feature = "tract")]
            run: Some(run::Settings::default()),
        }
    }
}

impl Options {
    /// Options: by structure or not, by running or not, and how.
    #[cfg(feature = "tract")]
    pub fn asked(structure: bool, run: Option<run::Settings>) -> Options {
        Options {
            structure,
            run,
            ..Options::default()
        }
    }
}

impl Options {
    /// True if both models are to be run on data from files, which may hold what comes out as well.
    fn has_data(&self) -> bool {
        #[cfg(feature = "tract")]
        return self.run.as_ref().is_some_and(|run| !run.inputs.is_empty());
        #[cfg(not(feature = "tract"))]
        false
    }
}

/// What was found, each way.
#[derive(Clone, Debug)]
pub struct Verification {
    /// True if both are the same bytes and use the same files of weights: there is nothing else to show.
    pub identical: bool,
    /// By structure, if asked.
    pub structure: Option<structure::Verdict>,
    /// By running, if asked.
    #[cfg(feature = "tract")]
    pub run: Option<run::RunReport>,
    /// What structure took as equal because fold changed it, in words: a run has to show that it is.
    pub apart: Option<String>,
    /// Whether dropout that a rewrite made active drops as requested.
    #[cfg(feature = "tract")]
    pub acting: Option<acting::Report>,
}

/// What the models are to each other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// They were shown to compute the same.
    Equal,
    /// They were shown not to.
    Different {
        /// Where and how.
        why: String,
    },
    /// Neither was shown.
    NotShown {
        /// The reason.
        reason: String,
    },
}

impl Verdict {
    /// The word for it in reports.
    pub fn word(&self) -> &'static str {
        match self {
            Verdict::Equal => "equal",
            Verdict::Different { .. } => "different",
            Verdict::NotShown { .. } => "not shown",
        }
    }
}

/// Dropout that is active in two models, although a comparison treats it as in inference.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Assumed {
    /// Active dropout in the first.
    pub before: usize,
    /// Active dropout in the second.
    pub after: usize,
}

impl Assumed {
    /// Counts the active dropout in both models; none is counted where they are the same bytes, as
    /// nothing is assumed then.
    ///
    /// # Errors
    /// A rate cannot be read.
    pub fn of(before: &Model, after: &Model, found: &Verification) -> Result<Assumed> {
        if found.identical {
            return Ok(Assumed::default());
        }
        let active = |model: &Model| {
            let sites = dropout::find_in(View::new(model, &Values::new(model)))?.into_iter();
            Ok(sites.filter(|site| site.mode == Mode::Active).count())
        };
        Ok(Assumed {
            before: active(before)?,
            after: active(after)?,
        })
    }

    /// In words, with these names for the models; `None` if neither has any.
    pub fn note(self, before: &str, after: &str) -> Option<String> {
        let layers = |count, name| match count {
            0 => None,
            1 => Some(format!("{name} still has 1 active dropout layer")),
            some => Some(format!("{name} still has {some} active dropout layers")),
        };
        let still = [layers(self.before, before), layers(self.after, after)];
        let still: Vec<String> = still.into_iter().flatten().collect();
        (!still.is_empty()).then(|| format!("dropout inert on both sides ({})", still.join(", ")))
    }
}

/// What counts as equal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Demand {
    /// A rewrite of this crate: every enabled check must agree, and one must have a result.
    Rewrite,
    /// Any two models: equal outputs are enough where every run computes what differs in structure
    /// ([`structure::Kind::hidden_from_runs`]), or where structures were not compared.
    Outputs,
}

/// Compares two models.
///
/// # Errors
/// A model is not sound, a file cannot be read, or the settings do not fit the model.
pub fn verify(before: &Model, after: &Model, options: &Options) -> Result<Verification> {
    if !options.has_data() && before.is_identical_to(after)? {
        return itself(before, options);
    }
    let structure = match options.structure {
        true => Some(structure::compare_under(before, after, options.convention)?),
        false => None,
    };
    #[cfg(feature = "tract")]
    let run = match &options.run {
        Some(settings) => {
            let report = run_both(before, after, options.convention, settings);
            Some(report.map_err(|e| before.source().name_in(e))?)
        }
        None => None,
    };
    Ok(Verification {
        identical: false,
        structure,
        #[cfg(feature = "tract")]
        run,
        apart: None,
        #[cfg(feature = "tract")]
        acting: None,
    })
}

/// What is found of a model and itself: that it is sound. No engine runs.
fn itself(model: &Model, options: &Options) -> Result<Verification> {
    let structure = structure::compare_under(model, model, options.convention)?;
    Ok(Verification {
        identical: true,
        structure: options.structure.then_some(structure),
        #[cfg(feature = "tract")]
        run: None,
        apart: None,
        #[cfg(feature = "tract")]
        acting: None,
    })
}

/// Compares a model with what fold made of it.
///
/// Structure shows that both are the same but for the factors that are gone and for the weights and
/// attributes that took them. That these now do what the factors did, a run shows: to the bit where
/// all factors are powers of two and nothing was rounded, else within the tolerance of the element
/// type. Where both were asked for and it cannot run, nothing is shown.
///
/// # Errors
/// As [`verify`].
pub fn verify_fold(before: &Model, folded: &Folded, options: &Options) -> Result<Verification> {
    let after = &folded.edited.model;
    let changed = &folded.outcome.trace;
    if folded.outcome.is_unchanged() {
        return verify(before, after, options);
    }
    let structure = match options.structure {
        true => Some(structure::compare_but(before, after, changed)?),
        false => None,
    };
    #[cfg(feature = "tract")]
    let run = match &options.run {
        Some(settings) => {
            let report = run_folded(before, after, &folded.outcome, settings);
            Some(report.map_err(|e| before.source().name_in(e))?)
        }
        None => None,
    };
    let count = |number: usize, what: &str| match number {
        1 => format!("1 {what}"),
        _ => format!("{number} {what}s"),
    };
    let mut parts = vec![count(changed.factors.len(), "factor")];
    if !changed.weights.is_empty() {
        parts.push(count(changed.weights.len(), "use") + " of weights");
    }
    if !changed.attributes.is_empty() {
        parts.push(count(changed.attributes.len(), "attribute"));
    }
    Ok(Verification {
        identical: false,
        structure,
        #[cfg(feature = "tract")]
        run,
        #[cfg(feature = "tract")]
        acting: None,
        apart: Some(parts.join(", ")),
    })
}

/// Compares a model with what strip made of it, and that with what fold then made of it, if it did:
/// step by step, and the report is of the last.
///
/// # Errors
/// As [`verify`].
pub fn verify_strip(
    before: &Model,
    stripped: &Stripped,
    folded: Option<&Folded>,
    options: &Options,
) -> Result<Verification> {
    let mut of_strip = options.clone();
    of_strip.convention = stripped.plan.convention;
    let first = verify(before, &stripped.edited.model, &of_strip)?;
    let folded = folded.filter(|folded| !folded.outcome.is_unchanged());
    let (Some(folded), Verdict::Equal) = (folded, first.verdict(Demand::Rewrite)) else {
        return Ok(first);
    };
    #[cfg_attr(not(feature = "tract"), expect(unused_mut, reason = "nothing runs"))]
    let mut found = verify_fold(&stripped.edited.model, folded, options)?;
    #[cfg(feature = "tract")]
    if let Some(run) = &mut found.run {
        let ran = first.run.as_ref().map(|run| run.outcome.to_string());
        let ran = ran.unwrap_or_default();
        let note =
            format!("this compares strip's result with fold's; the original with strip's: {ran}");
        run.notes.push(note);
    }
    Ok(found)
}

/// Runs both: to the bit if that can be, else within the tolerance of the element type.
#[cfg(feature = "tract")]
fn run_folded(
    before: &Model,
    after: &Model,
    outcome: &Outcome,
    settings: &run::Settings,
) -> Result<run::RunReport> {
    if settings.tolerance != compare::Tolerance::Exact {
        return run_both(before, after, Convention::Inverted, settings);
    }
    let mut notes = Vec::new();
    if outcome.exact {
        let report = run_both(before, after, Convention::Inverted, settings)?;
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
        .filter(|half| outcome.rounded.contains(half));
    if let Some(name) = halves.find_map(|half| half.name()) {
        settings.tolerance = compare::Tolerance::of(name);
        let mut report = run_both(before, after, Convention::Inverted, &settings)?;
        let tolerance = settings.tolerance;
        notes.push(format!("{name} is computed in on the way: {tolerance}"));
        report.notes.extend(notes);
        return Ok(report);
    }
    settings.tolerance = compare::Tolerance::ByType;
    let mut report = run_both(before, after, Convention::Inverted, &settings)?;
    let outputs = after.graph(after.main()).outputs.iter();
    let elements = outputs.filter_map(|info| match info.value_type() {
        ValueType::Tensor { element, .. } => element.name(),
        _ => None,
    });
    for element in elements.collect::<BTreeSet<_>>() {
        notes.push(format!("{element}: {}", compare::Tolerance::of(element)));
    }
    report.notes.extend(notes);
    Ok(report)
}

/// Runs both, their masks where they keep everything.
#[cfg(feature = "tract")]
fn run_both(
    before: &Model,
    after: &Model,
    convention: Convention,
    settings: &run::Settings,
) -> Result<run::RunReport> {
    let of = |model| match settings.meaning {
        engine::Meaning::Inference => stand_in(model, convention),
        _ => Ok(StandIn::default()),
    };
    let (first, second) = match (of(before), of(after)) {
        (Ok(before), Ok(after)) => (before, after),
        (Err(engine::Stop::Error(error)), _) | (_, Err(engine::Stop::Error(error))) => {
            return Err(error);
        }
        (Err(engine::Stop::Unrunnable(why)), _) => {
            return Ok(run::RunReport::unrunnable(settings, "before", why));
        }
        (_, Err(engine::Stop::Unrunnable(why))) => {
            return Ok(run::RunReport::unrunnable(settings, "after", why));
        }
    };
    let mut settings = settings.clone();
    for tolerance in [first.tolerance, second.tolerance].into_iter().flatten() {
        settings.tolerance = settings.tolerance.or(tolerance);
    }
    let old = subject("before", first.edited.as_ref().map_or(before, |e| &e.model));
    let new = subject("after", second.edited.as_ref().map_or(after, |e| &e.model));
    let mut report = run::compare(&old, &new, &settings)?;
    report.tolerance = settings.tolerance;
    report.reference = first.notes;
    report.reference.extend(second.notes);
    report.reference.dedup();
    Ok(report)
}

/// What is run in a model's place; the model itself, if nothing is.
#[cfg(feature = "tract")]
#[derive(Default)]
struct StandIn {
    edited: Option<Edited>,
    tolerance: Option<compare::Tolerance>,
    notes: Vec<String>,
}

/// Operators that scale, then masks that keep everything.
#[cfg(feature = "tract")]
fn stand_in(model: &Model, convention: Convention) -> Result<StandIn, engine::Stop> {
    let mut stand = StandIn::default();
    if convention == Convention::Classic
        && let Some((edited, note)) = classic::scaled(model)?
    {
        stand.edited = Some(edited);
        stand.notes.push(note);
    }
    let scaled = stand.edited.as_ref().map_or(model, |edited| &edited.model);
    if let Some(reference) = reference::of(scaled)? {
        stand.tolerance = Some(reference.tolerance);
        stand.notes.extend(reference.notes);
        stand.edited = Some(reference.edited);
    }
    Ok(stand)
}

#[cfg(feature = "tract")]
fn subject<'a>(label: &'a str, model: &'a Model) -> engine::Subject<'a> {
    engine::Subject {
        label,
        source: model.source(),
        folder: model.folder(),
    }
}

/// What a run showed.
#[cfg_attr(
    not(feature = "tract"),
    expect(dead_code, reason = "models cannot be run without tract")
)]
enum Run {
    Equal,
    Different(String),
    Nothing(String),
}

impl Verification {
    /// The verdict. Outputs that differ are a difference, whatever the result of the structure.
    pub fn verdict(&self, demand: Demand) -> Verdict {
        #[cfg(feature = "tract")]
        if let Some(why) = self.acting.as_ref().and_then(acting::Report::difference) {
            return Verdict::Different { why };
        }
        if self.identical {
            return Verdict::Equal;
        }
        let not_shown = |reason: String| Verdict::NotShown { reason };
        match (self.by_structure(), self.by_run()) {
            (_, Some(Run::Different(why))) => Verdict::Different { why },
            (Some(Err(found)), Some(Run::Equal)) if demand == Demand::Outputs => {
                match found.kind.hidden_from_runs() {
                    None => Verdict::Equal,
                    Some(why) => not_shown(format!(
                        "{found}; the runs agree, but {why} (--verify run judges by the runs alone)"
                    )),
                }
            }
            (Some(Err(found)), Some(Run::Nothing(why))) if demand == Demand::Outputs => {
                not_shown(format!("{found}, and {why}"))
            }
            (Some(Err(found)), _) => Verdict::Different {
                why: found.to_string(),
            },
            (Some(Ok(())), Some(Run::Nothing(why))) if self.apart.is_some() => not_shown(why),
            (Some(Ok(())), _) | (None, Some(Run::Equal)) => Verdict::Equal,
            (None, Some(Run::Nothing(why))) => not_shown(why),
            (None, None) => not_shown("verification is disabled".to_string()),
        }
    }

    fn by_structure(&self) -> Option<Result<(), &structure::Mismatch>> {
        Some(match self.structure.as_ref()? {
            structure::Verdict::Same { .. } => Ok(()),
            structure::Verdict::Different(mismatch) => Err(mismatch),
        })
    }

    #[cfg(feature = "tract")]
    fn by_run(&self) -> Option<Run> {
        Some(match &self.run.as_ref()?.outcome {
            run::Outcome::Equal => Run::Equal,
            run::Outcome::Different(difference) => Run::Different(difference.to_string()),
            unrunnable @ run::Outcome::Unrunnable { .. } => Run::Nothing(unrunnable.to_string()),
        })
    }

    #[cfg(not(feature = "tract"))]
    fn by_run(&self) -> Option<Run> {
        None
    }
}
