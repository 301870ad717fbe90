//! Rewrites: planned on a model that is only read, then applied at once.
//!
//! A [`Plan`] has for every site the action, or the reason why it is left alone. The code that applies it
//! has the edited model verified before writing it: see [`crate::verify`].

mod bypass;
mod filter;
pub mod fold;
mod idle;
pub mod insert;
mod names;
#[cfg(feature = "plan-files")]
mod plan_file;
mod prune;
pub mod set;
pub mod strip;
mod upstream;

mod rate;
mod reason;
mod switch;

use std::fmt;

use crate::dropout::{Convention, Examined};
use crate::error::{Error, ErrorKind, Result};
use crate::onnx::{Model, Name};
use crate::source::{Rope, Source};

pub use filter::Filter;
pub use rate::Rate;
pub use reason::Reason;
pub use switch::Acting;

/// What a rewrite will do, site by site.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Plan {
    /// One step a site, in order.
    pub steps: Vec<Step>,
    /// What `Dropout` operators mean at inference.
    pub convention: Convention,
}

/// What happens to one site.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Step {
    /// The site, by index.
    pub site: usize,
    /// Its place in words.
    pub label: String,
    /// What is done.
    pub action: Action,
}

/// A value that an `Identity` is left for.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Identity {
    /// The value.
    pub value: Name,
    /// Why an Identity is left for it.
    pub why: &'static str,
}

/// What is done to a site.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Action {
    /// It is rewritten.
    Apply,
    /// It is left alone, for a reason that is no failure: it was not asked for.
    NoEffect(Reason),
    /// It cannot be rewritten.
    Refused(Reason),
}

impl Plan {
    /// The sites that are rewritten.
    pub fn applied(&self) -> impl Iterator<Item = &Step> {
        let steps = self.steps.iter();
        steps.filter(|step| step.action == Action::Apply)
    }

    /// The sites that cannot be rewritten, and why.
    pub fn refusals(&self) -> impl Iterator<Item = (&Step, &Reason)> {
        self.steps.iter().filter_map(|step| match &step.action {
            Action::Refused(why) => Some((step, why)),
            _ => None,
        })
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Action::Apply => f.write_str("apply"),
            Action::NoEffect(why) => write!(f, "kept ({why})"),
            Action::Refused(why) => write!(f, "refused: {why}"),
        }
    }
}

/// The result of a rewrite, read again from the bytes that would be written.
#[derive(Debug)]
#[non_exhaustive]
pub struct Edited {
    /// The bytes of the edited model.
    pub rope: Rope,
    /// The edited model, read from them.
    after: Examined<'static>,
}

impl Edited {
    /// The edited model.
    pub fn model(&self) -> &Model {
        self.after.model()
    }

    /// The edited model with its analysis and its dropout.
    pub fn examined(&self) -> &Examined<'static> {
        &self.after
    }

    /// Puts an edited model together and reads it again. Nothing is written; weights are not read.
    ///
    /// # Errors
    /// What was put together is not a readable model: the rewrite is wrong.
    pub fn new(model: &Model) -> Result<Edited> {
        let rope = model.to_rope()?;
        let source = Source::from_rope(rope.clone());
        let mut edited = Model::read_in(source, None).map_err(|e| {
            Error::new(
                ErrorKind::Verification,
                format!("the edited model is not valid: {e}"),
            )
        })?;
        edited.outside = model.outside.clone();
        let after = Examined::owning(edited);
        Ok(Edited { rope, after })
    }
}
