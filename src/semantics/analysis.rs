//! A model with its index and facts: made once, and lent to everything that reads it.

use std::borrow::Cow;

use crate::onnx::{Model, Values};

use super::facts::{Facts, Memo};
use super::view::View;

/// A model with the index of its values, and with the facts about them that were asked for so far.
///
/// It describes the model as it was read. A rewrite edits a copy and analyses its result again.
#[derive(Debug)]
#[non_exhaustive]
pub struct Analysis<'m> {
    model: Cow<'m, Model>,
    values: Values,
    facts: Memo,
}

impl<'m> Analysis<'m> {
    /// Analyses a model. Linear in its size; weights are not read.
    pub fn of(model: &'m Model) -> Self {
        Analysis {
            values: Values::new(model),
            model: Cow::Borrowed(model),
            facts: Memo::default(),
        }
    }

    /// The model.
    pub fn model(&self) -> &Model {
        &self.model
    }

    /// The index of its values.
    pub fn values(&self) -> &Values {
        &self.values
    }

    /// Its nodes and values, to be read.
    pub(crate) fn view(&self) -> View<'_> {
        View::new(&self.model, &self.values)
    }

    /// The facts about its values.
    pub(crate) fn facts(&self) -> Facts<'_> {
        Facts::new(self.view(), &self.facts)
    }
}

impl Analysis<'static> {
    /// As [`Analysis::of`], and keeps the model.
    pub fn owning(model: Model) -> Self {
        Analysis {
            values: Values::new(&model),
            model: Cow::Owned(model),
            facts: Memo::default(),
        }
    }
}
