//! Rewrites: planned on a model that is only read, then applied at once.
//!
//! A [`Plan`] says for every site what will be done to it, or why nothing will. Whoever applies it
//! has the edited model verified before writing it: see [`crate::verify`].

mod bypass;
pub mod fold;
pub mod insert;
pub mod set;
pub mod strip;
mod upstream;

mod rate;
mod switch;

use std::fmt;
use std::path::Path;

use crate::dropout::Convention;
use crate::error::{Error, ErrorKind, Result};
use crate::onnx::Model;
use crate::source::{Rope, Source};

pub use rate::Rate;
pub use switch::Acting;

/// What a rewrite will do, site by site.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    /// One step a site, in order.
    pub steps: Vec<Step>,
    /// What `Dropout` operators mean at inference.
    pub convention: Convention,
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
            Action::NoEffect(why) => write!(f, "kept ({why})"),
            Action::Refused(why) => write!(f, "refused: {why}"),
        }
    }
}

/// A model and what a rewrite made of it, read again from the bytes that would be written.
#[derive(Debug)]
pub struct Edited {
    /// The bytes of the edited model.
    pub rope: Rope,
    /// The edited model, read from them.
    pub model: Model,
}

impl Edited {
    /// Puts an edited model together and reads it again. Nothing is written; weights are not read.
    ///
    /// # Errors
    /// What was put together is not a readable model: the rewrite is wrong.
    pub fn new(model: &Model) -> Result<Edited> {
        let rope = model.to_rope()?;
        let folder = model.folder().map(Path::to_path_buf);
        let source = Source::from_rope(rope.clone());
        let model = Model::read_in(source, folder).map_err(|e| {
            Error::new(
                ErrorKind::Verification,
                format!("the edited model is not valid: {e}"),
            )
        })?;
        Ok(Edited { rope, model })
    }
}
