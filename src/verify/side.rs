//! A model to compare, and the dropout in it.

use crate::dropout::{self, Site};
use crate::error::Result;
use crate::onnx::Model;
use crate::semantics::analysis::Analysis;
use crate::semantics::view::View;

/// One of two models to compare. Verification runs no recogniser: it is given the dropout that a
/// command has found in the model.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Side<'m> {
    pub view: View<'m>,
    /// All sites in the model, as [`dropout::find`] returns them.
    pub sites: &'m [Site],
}

/// A model that is analysed for a comparison alone.
#[derive(Debug)]
pub(crate) struct Examined<'m> {
    analysis: Analysis<'m>,
    sites: Vec<Site>,
}

impl<'m> Examined<'m> {
    /// Analyses a model and finds its dropout.
    ///
    /// # Errors
    /// The model is not sound, or the rate of a dropout cannot be read.
    pub fn new(model: &'m Model) -> Result<Self> {
        Examined::of(Analysis::of(model))
    }

    /// As [`Examined::new`], of a model that is analysed already.
    ///
    /// # Errors
    /// As [`Examined::new`].
    pub fn of(analysis: Analysis<'m>) -> Result<Self> {
        let model = analysis.model();
        model.check(analysis.values())?;
        let sites = dropout::find(&analysis).map_err(|e| model.source().name_in(e))?;
        Ok(Examined { analysis, sites })
    }

    pub fn side(&self) -> Side<'_> {
        Side {
            view: self.analysis.view(),
            sites: &self.sites,
        }
    }
}
