//! A model with its analysis and its dropout: made once a command, for the original and for the result.

use std::sync::{Arc, OnceLock};

use crate::error::Result;
use crate::onnx::{Model, Values};
use crate::semantics::analysis::Analysis;
use crate::semantics::facts::Facts;
use crate::semantics::view::View;

use super::random_operator::{self, RandomOperator};
use super::{Site, find};

/// A model, analysed once, and the dropout in it, found at most once.
#[derive(Debug)]
#[non_exhaustive]
pub struct Examined<'m> {
    analysis: Analysis<'m>,
    sites: OnceLock<Arc<[Site]>>,
}

/// A model to read, and the dropout in it. Verification runs no recogniser: it is given what a command
/// has found.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Side<'m> {
    pub view: View<'m>,
    pub facts: Facts<'m>,
    /// All sites in the model.
    pub sites: &'m [Site],
}

impl<'m> Side<'m> {
    /// The same model with other sites.
    pub fn with<'s>(self, sites: &'s [Site]) -> Side<'s>
    where
        'm: 's,
    {
        Side { sites, ..self }
    }
}

impl<'m> Examined<'m> {
    /// Analyses a model. Linear in its size; weights are not read.
    pub fn new(model: &'m Model) -> Self {
        Examined::of(Analysis::of(model))
    }

    /// As [`Examined::new`], and keeps the model.
    pub fn owning(model: Model) -> Examined<'static> {
        Examined::of(Analysis::owning(model))
    }

    fn of(analysis: Analysis<'m>) -> Self {
        let sites = OnceLock::new();
        Examined { analysis, sites }
    }

    /// The model.
    pub fn model(&self) -> &Model {
        self.analysis.model()
    }

    /// The dropout in it, in file order.
    ///
    /// # Errors
    /// The rate of a dropout cannot be read.
    pub fn sites(&self) -> Result<&Arc<[Site]>> {
        if let Some(sites) = self.sites.get() {
            return Ok(sites);
        }
        let found = find(&self.analysis).map_err(|e| self.model().source().name_in(e))?;
        Ok(self.sites.get_or_init(|| found.into()))
    }

    /// The operators in it that draw random numbers and are not part of a dropout, in file order.
    ///
    /// # Errors
    /// The rate of a dropout cannot be read.
    pub fn random(&self) -> Result<Vec<RandomOperator>> {
        random_operator::find(self.facts(), self.sites()?)
    }

    /// The index of its values.
    pub(crate) fn values(&self) -> &Values {
        self.analysis.values()
    }

    /// Its nodes and values, to be read.
    pub(crate) fn view(&self) -> View<'_> {
        self.analysis.view()
    }

    /// The facts about its values.
    pub(crate) fn facts(&self) -> Facts<'_> {
        self.analysis.facts()
    }

    /// One side of a comparison, in which no dropout was looked for.
    ///
    /// # Errors
    /// The model is not sound.
    #[cfg(feature = "tract")]
    pub(crate) fn unjudged(&self) -> Result<Side<'_>> {
        self.model().check(self.values())?;
        Ok(Side {
            view: self.view(),
            facts: self.facts(),
            sites: &[],
        })
    }

    /// One side of a comparison.
    ///
    /// # Errors
    /// The model is not sound, or the rate of a dropout cannot be read.
    pub(crate) fn side(&self) -> Result<Side<'_>> {
        self.model().check(self.values())?;
        Ok(Side {
            view: self.view(),
            facts: self.facts(),
            sites: self.sites()?,
        })
    }
}

/// What a command takes: a model, or one that was examined before.
pub trait Examine {
    /// Calls a function with the examined model.
    #[doc(hidden)]
    fn examined<T>(&self, then: impl FnOnce(&Examined<'_>) -> T) -> T;
}

impl Examine for Model {
    fn examined<T>(&self, then: impl FnOnce(&Examined<'_>) -> T) -> T {
        then(&Examined::new(self))
    }
}

impl Examine for Examined<'_> {
    fn examined<T>(&self, then: impl FnOnce(&Examined<'_>) -> T) -> T {
        then(self)
    }
}
