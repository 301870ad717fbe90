//! The report of a check, site by site.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The outcome of a site that no run reached, for example in a branch that was not taken.
pub(super) const NOT_REACHED: &str = "it was not reached by any run";

/// What a check of active dropout found.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Report {
    /// The seed of the draws.
    pub seed: u64,
    /// Runs made.
    pub runs: usize,
    /// One entry per site.
    pub sites: Vec<SiteReport>,
}

/// What was observed at one site.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct SiteReport {
    /// Its output.
    pub output: String,
    /// The probability to drop.
    pub rate: f64,
    /// Independent draws that were observed: elements, or groups that share one.
    pub draws: usize,
    /// How many of them dropped.
    pub dropped: usize,
    /// The outcome.
    #[serde(flatten)]
    pub outcome: Outcome,
}

/// The outcome of one site.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(tag = "result", content = "why", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Outcome {
    /// It drops as requested.
    AsSaid,
    /// It does not, for this reason.
    Unlike(String),
    /// It was not observed, for this reason.
    Unseen(String),
}

impl Report {
    /// The first site that does not drop as requested.
    pub fn difference(&self) -> Option<String> {
        self.sites.iter().find_map(|site| match &site.outcome {
            Outcome::Unlike(why) => Some(format!("dropout `{}` {why}", site.output)),
            _ => None,
        })
    }
}

impl SiteReport {
    pub(super) fn is_not_reached(&self) -> bool {
        self.outcome == Outcome::Unseen(NOT_REACHED.into())
    }
}

impl fmt::Display for SiteReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.outcome {
            Outcome::Unlike(why) => f.write_str(why),
            Outcome::Unseen(why) => write!(f, "not observed: {why}"),
            Outcome::AsSaid => {
                let share = self.dropped as f64 / self.draws as f64;
                match self.dropped {
                    _ if self.rate == 0.0 => write!(f, "inert, {} passed", self.draws),
                    // Gaussian dropout drops nothing
                    0 => write!(f, "{} multiplied, p={}", self.draws, self.rate),
                    _ => write!(f, "{share:.3} of {} dropped, p={}", self.draws, self.rate),
                }
            }
        }
    }
}
