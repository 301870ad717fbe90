//! What verification found, and the verdict.

use crate::dropout::{Mode, Site};

#[cfg(feature = "tract")]
use super::question::Question;
use super::structure;
#[cfg(feature = "tract")]
use super::{acting, measure, reach, run};

/// What was found, each way.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Verification {
    /// True if both are the same bytes and use the same files of weights: there is nothing else to show.
    pub identical: bool,
    /// By structure, if asked.
    pub structure: Option<structure::Verdict>,
    /// By running, if asked.
    #[cfg(feature = "tract")]
    pub run: Option<run::RunReport>,
    /// The changes that structure counted as equal, in words: a run has to show that they are.
    pub allowed: Option<String>,
    /// Active dropout in both models, which the comparison treats as in inference. None is counted where
    /// the models are identical: nothing is assumed then.
    pub assumed: Assumed,
    /// Whether dropout that a rewrite made active drops as requested.
    #[cfg(feature = "tract")]
    pub acting: Option<acting::Report>,
    /// What the masks that a rewrite removed do, measured on the original's own nodes; `None` if it
    /// removed none.
    #[cfg(feature = "tract")]
    pub measured: Option<measure::Report>,
    /// Whether the runs reach what differs in structure; `None` if nothing does that runs might miss, or
    /// if no run shows it.
    #[cfg(feature = "tract")]
    pub reached: Option<reach::Report>,
    /// What was found of a strip, of whose result this is a fold.
    #[cfg(feature = "tract")]
    pub(super) stripped: Option<Box<Verification>>,
    /// The question; `None` if a document cannot have it.
    #[cfg(feature = "tract")]
    pub(super) question: Option<Question>,
    /// Accept that a mask cannot be measured.
    #[cfg(feature = "tract")]
    pub(super) allow_unmeasured: bool,
}

/// What the models are to each other.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
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
#[non_exhaustive]
pub struct Assumed {
    /// Active dropout in the first.
    pub before: usize,
    /// Active dropout in the second.
    pub after: usize,
}

impl Assumed {
    /// Counts the active dropout among the sites of both models.
    pub(super) fn of(before: &[Site], after: &[Site]) -> Assumed {
        let active = |sites: &[Site]| {
            let active = sites.iter().filter(|site| site.mode == Mode::Active);
            active.count()
        };
        Assumed {
            before: active(before),
            after: active(after),
        }
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
#[non_exhaustive]
pub enum Demand {
    /// A rewrite of this crate: every enabled check must agree, and one must have a result.
    Rewrite,
    /// Any two models: equal outputs are enough where every run computes what differs in structure
    /// ([`structure::Kind::hidden_from_runs`]), or where structures were not compared.
    Outputs,
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
        #[cfg(feature = "tract")]
        if let Some(why) = (self.measured.as_ref()).and_then(measure::Report::difference) {
            return Verdict::Different { why };
        }
        if self.identical {
            return Verdict::Equal;
        }
        let not_shown = |reason: String| Verdict::NotShown { reason };
        #[cfg(feature = "tract")]
        if let Some(why) = (self.measured.as_ref()).and_then(measure::Report::unmeasured)
            && !self.allow_unmeasured
        {
            return not_shown(format!("{why} (--allow-unmeasured accepts it)"));
        }
        match (self.by_structure(), self.by_run()) {
            (found, Some(Run::Different(why))) => {
                let weights = found.and_then(|found| found.err()?.weights.as_ref());
                let why = match weights {
                    Some(weights) => format!("{weights}; {why}"),
                    None => why,
                };
                Verdict::Different { why }
            }
            (Some(Err(found)), Some(Run::Equal)) if demand == Demand::Outputs => {
                match self.hidden(found) {
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
            (Some(Ok(())), Some(Run::Nothing(why))) if self.allowed.is_some() => not_shown(why),
            (Some(Ok(())), _) | (None, Some(Run::Equal)) => Verdict::Equal,
            (None, Some(Run::Nothing(why))) => not_shown(why),
            (None, None) => not_shown("verification is disabled".to_string()),
        }
    }

    /// Why equal outputs do not show equal models; `None` if they do.
    fn hidden(&self, found: &structure::Mismatch) -> Option<String> {
        let why = found.kind.hidden_from_runs()?;
        #[cfg(feature = "tract")]
        if let Some(reached) = &self.reached {
            let unreached = reached.unreached()?;
            return Some(format!("do not reach all differences: {unreached}"));
        }
        Some(why.to_string())
    }

    fn by_structure(&self) -> Option<Result<(), &structure::Mismatch>> {
        Some(match self.structure.as_ref()? {
            structure::Verdict::Same { .. } => Ok(()),
            structure::Verdict::Different(mismatch) => Err(mismatch),
        })
    }

    #[cfg(feature = "tract")]
    fn by_run(&self) -> Option<Run> {
        let report = self.run.as_ref()?;
        Some(match &report.outcome {
            run::Outcome::Equal => match report.still.as_slice() {
                [] => Run::Equal,
                [output, ..] => Run::Nothing(format!(
                    "the runs agree, but output `{output}` was the same for all inputs, so they show \
                     nothing (--input supplies others)"
                )),
            },
            run::Outcome::Different(difference) => Run::Different(difference.to_string()),
            unrunnable @ run::Outcome::Unrunnable { .. } => Run::Nothing(unrunnable.to_string()),
        })
    }

    #[cfg(not(feature = "tract"))]
    fn by_run(&self) -> Option<Run> {
        None
    }
}
