//! Rewrites: planned on a model that is only read, then applied at once.
//!
//! A [`Plan`] says for every site what will be done to it, or why nothing will. Whoever applies it
//! has the edited model verified before writing it: see [`crate::verify`].

pub mod strip;

use std::fmt;

/// What a rewrite will do, site by site.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    /// One step a site, in order.
    pub steps: Vec<Step>,
}

/// What happens to one site.
#[derive(Clone, Debug)]
pub struct Step {
    /// The site, by index.
    pub site: usize,
    /// Its place in words.
    pub label: String,
    /// What is done.
    pub action: Action,
}

/// What is done to a site.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// It is rewritten.
    Apply,
    /// It is left alone, for a reason that is no failure: it was not asked for.
    NoEffect(String),
    /// It cannot be rewritten, and so nothing is.
    Refused(String),
}

impl Plan {
    /// The sites that are rewritten.
    pub fn applied(&self) -> impl Iterator<Item = &Step> {
        let steps = self.steps.iter();
        steps.filter(|step| step.action == Action::Apply)
    }

    /// The sites that cannot be rewritten, and why.
    pub fn refusals(&self) -> impl Iterator<Item = (&Step, &str)> {
        self.steps.iter().filter_map(|step| match &step.action {
            Action::Refused(why) => Some((step, why.as_str())),
            _ => None,
        })
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Action::Apply => f.write_str("apply"),
            Action::NoEffect(why) => write!(f, "no effect: {why}"),
            Action::Refused(why) => write!(f, "refused: {why}"),
        }
    }
}
