//! Verification: what shows that a rewritten model computes what the original did.
//!
//! In two ways that share nothing: [`structure`] compares expressions, [`run`] compares outputs of
//! tract. What could not be shown is said, and never counted as equal.

pub mod structure;

#[cfg(feature = "tract")]
pub mod compare;
#[cfg(feature = "tract")]
pub mod engine;
#[cfg(feature = "tract")]
pub mod inputs;
#[cfg(feature = "tract")]
pub mod run;

#[cfg(feature = "tract")]
mod operator;
#[cfg(feature = "tract")]
mod random;
#[cfg(feature = "tract")]
mod reference;

use crate::error::Result;
use crate::onnx::Model;

/// How to verify.
#[derive(Clone, Debug)]
pub struct Options {
    /// Compare the structure of both models.
    pub structure: bool,
    /// Run both models, and how.
    #[cfg(feature = "tract")]
    pub run: Option<run::Settings>,
}

impl Default for Options {
    /// In every way there is.
    fn default() -> Self {
        Options {
            structure: true,
            #[cfg(feature = "tract")]
            run: Some(run::Settings::default()),
        }
    }
}

/// What was found, each way.
#[derive(Clone, Debug)]
pub struct Verification {
    /// By structure, if asked.
    pub structure: Option<structure::Verdict>,
    /// By running, if asked.
    #[cfg(feature = "tract")]
    pub run: Option<run::RunReport>,
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
    Unverifiable {
        /// What stood in the way.
        reason: String,
    },
}

/// What counts as equal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Demand {
    /// A rewrite of ours: every way that was asked for must say so, and one must have an answer.
    Rewrite,
    /// Somebody's two models: equal outputs are enough, though the structure differ.
    Outputs,
}

/// Compares two models.
///
/// # Errors
/// A model is not sound, a file cannot be read, or the settings do not fit the model.
pub fn verify(before: &Model, after: &Model, options: &Options) -> Result<Verification> {
    let structure = match options.structure {
        true => Some(structure::compare(before, after)?),
        false => None,
    };
    #[cfg(feature = "tract")]
    let run = match &options.run {
        Some(settings) => {
            let report = run_both(before, after, settings);
            Some(report.map_err(|e| before.source().name_in(e))?)
        }
        None => None,
    };
    Ok(Verification {
        structure,
        #[cfg(feature = "tract")]
        run,
    })
}

/// Runs both, their masks where they keep everything.
#[cfg(feature = "tract")]
fn run_both(before: &Model, after: &Model, settings: &run::Settings) -> Result<run::RunReport> {
    let of = |model| match settings.meaning {
        engine::Meaning::Inference => reference::of(model),
        _ => Ok(None),
    };
    let references = match (of(before), of(after)) {
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
    let all = [&references.0, &references.1].into_iter().flatten();
    let mut settings = settings.clone();
    for reference in all.clone() {
        settings.tolerance = settings.tolerance.or(reference.tolerance);
    }
    let old = references.0.as_ref().map_or(before, |r| &r.edited.model);
    let new = references.1.as_ref().map_or(after, |r| &r.edited.model);
    let (old, new) = (subject("before", old), subject("after", new));
    let mut report = run::compare(&old, &new, &settings)?;
    report.tolerance = settings.tolerance;
    report.reference = all.flat_map(|r| r.notes.iter().cloned()).collect();
    report.reference.dedup();
    Ok(report)
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
    expect(dead_code, reason = "nothing runs without tract")
)]
enum Run {
    Equal,
    Different(String),
    Nothing(String),
}

impl Verification {
    /// What it all comes down to. Outputs that differ are a difference, whatever the structure says.
    pub fn verdict(&self, demand: Demand) -> Verdict {
        match (self.by_structure(), self.by_run()) {
            (_, Some(Run::Different(why))) => Verdict::Different { why },
            (Some(Err(_)), Some(Run::Equal)) if demand == Demand::Outputs => Verdict::Equal,
            (Some(Err(why)), _) => Verdict::Different { why },
            (Some(Ok(())), _) | (None, Some(Run::Equal)) => Verdict::Equal,
            (None, Some(Run::Nothing(reason))) => Verdict::Unverifiable { reason },
            (None, None) => Verdict::Unverifiable {
                reason: "no verification was asked for".to_string(),
            },
        }
    }

    fn by_structure(&self) -> Option<Result<(), String>> {
        Some(match self.structure.as_ref()? {
            structure::Verdict::Same { .. } => Ok(()),
            structure::Verdict::Different { place, why } => Err(format!("{place} {why}")),
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
