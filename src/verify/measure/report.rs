//! What was measured, site by site.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What the original's own nodes were measured to do.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Report {
    /// One entry for each mask that a rewrite removed.
    pub sites: Vec<SiteReport>,
}

/// What was measured of one mask.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct SiteReport {
    /// Its place, for people.
    pub place: String,
    /// What was found.
    #[serde(flatten)]
    pub outcome: Outcome,
}

/// What was found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(tag = "result", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Outcome {
    /// It does what the rewrite assumes.
    AsAssumed {
        /// The probability to drop: exact for a random mask, the share of a constant one. Of noise the
        /// standard deviation.
        rate: f64,
        /// How far the rate may be from that; 0 if it was found exactly.
        within: f64,
        /// What kept elements are multiplied by.
        kept: f64,
        /// Whether elements share draws.
        shared: bool,
        /// Whether nothing is drawn: the mask is a constant.
        constant: bool,
    },
    /// It does not.
    Unlike {
        /// How.
        why: String,
    },
    /// It could not be measured.
    Unmeasured {
        /// The reason.
        why: String,
    },
}

impl Report {
    /// The first mask that does something else.
    pub fn difference(&self) -> Option<String> {
        self.sites.iter().find_map(|site| match &site.outcome {
            Outcome::Unlike { why } => Some(format!("{} {why}", site.place)),
            _ => None,
        })
    }

    /// The first mask that could not be measured.
    pub fn unmeasured(&self) -> Option<String> {
        self.sites.iter().find_map(|site| match &site.outcome {
            Outcome::Unmeasured { why } => Some(format!("{}: {why}", site.place)),
            _ => None,
        })
    }

    /// How many masks do what was assumed.
    pub fn count(&self) -> usize {
        let measured = self.sites.iter();
        let measured = measured.filter(|site| matches!(site.outcome, Outcome::AsAssumed { .. }));
        measured.count()
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Outcome::AsAssumed {
                rate,
                within,
                kept,
                shared,
                constant,
            } => {
                let each = match shared {
                    true => "shared between elements",
                    false => "independent per element",
                };
                let [rate, kept] = [rate, kept].map(|number| (number * 1e4).round() / 1e4);
                match within {
                    _ if *constant => write!(f, "constant, drops {rate}, keeps ×{kept}"),
                    0.0 => write!(f, "drops {rate} (exact), keeps ×{kept}, {each}"),
                    _ => write!(f, "drops {rate} (±{within:.3}), keeps ×{kept}"),
                }
            }
            Outcome::Unlike { why } => f.write_str(why),
            Outcome::Unmeasured { why } => write!(f, "not measured: {why}"),
        }
    }
}
