//! A finding, as in a document.

use std::fmt;

use serde::Serialize;

use crate::onnx::Name;

use super::Fingerprint;

/// A finding of a rule.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Finding {
    /// The rule.
    pub rule: &'static str,
    /// Its level.
    pub level: Level,
    /// The site concerned.
    pub site: Option<usize>,
    /// The message, after its place.
    pub message: String,
    /// The length of the place before the message.
    #[serde(skip)]
    pub(super) place: usize,
    /// That of its site; without a site, that of its node or graph.
    #[cfg_attr(test, schemars(with = "String"))]
    pub fingerprint: Fingerprint,
    /// Why it is allowed, if a configuration allows it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allowed: Option<Box<Allowed>>,
    /// Whether the baseline records it, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub baseline: Option<BaselineState>,
    /// Its scope, as in a [`SiteRecord`](super::SiteRecord).
    #[serde(skip)]
    pub scope: Name,
    /// The node it is about, if it is about one; a node without a name is listed by its first output.
    #[serde(skip)]
    pub node: Option<Name>,
}

/// Why a finding is allowed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[non_exhaustive]
#[doc(hidden)]
pub struct Allowed {
    /// The reason in the configuration.
    pub reason: String,
    /// The last day on which it is allowed: `2026-12-31`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires: Option<String>,
}

/// The level of a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Level {
    /// For information.
    Note,
    /// Probably a problem.
    Warning,
    /// A problem in a model for inference.
    Error,
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Level::Note => "note",
            Level::Warning => "warning",
            Level::Error => "error",
        })
    }
}

/// Whether a baseline records a finding, in the words of SARIF.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum BaselineState {
    /// It is not recorded.
    New,
    /// It is recorded.
    Unchanged,
}

/// The text between the place of a finding and its message.
pub(super) const BETWEEN: &str = ": ";

impl Finding {
    /// Its place, in words: the first part of the message.
    pub fn place(&self) -> &str {
        &self.message[..self.place]
    }

    /// The message without its place.
    pub fn what(&self) -> &str {
        &self.message[self.place + BETWEEN.len()..]
    }

    /// True unless it is allowed or in the baseline. Open findings affect the exit status.
    pub fn is_open(&self) -> bool {
        self.allowed.is_none() && self.baseline != Some(BaselineState::Unchanged)
    }
}
