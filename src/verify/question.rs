//! The question that a verification answers: everything it depends on besides the two models, as data
//! that a document can have.

mod between;
mod changed;
mod claim;
mod folded;
mod how;
mod stripped;

use serde::{Deserialize, Serialize};

use super::Options;
use super::acting::Expected;
use super::structure::Allowed;
use crate::dropout::Site;
use crate::error::Result;
use crate::onnx::{DataType, Model};
use crate::semantics::view::View;
use between::Between;
use changed::Changed;
pub(super) use folded::Folded;
use how::How;
pub(super) use stripped::Stripped;

/// What is compared with what, and how.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(crate) struct Question {
    /// What the second model is to the first.
    pub(super) result: Relation,
    /// How the models were compared.
    pub(super) how: How,
}

/// What the second model is to the first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case", tag = "is", deny_unknown_fields)]
pub(super) enum Relation {
    /// Any other model.
    Other,
    /// Its inference form.
    Stripped(Stripped),
    /// Its inference form with factors folded into weights.
    StrippedAndFolded {
        /// The first step.
        stripped: Stripped,
        /// The model between both.
        between: Between,
        /// The second step.
        folded: Folded,
    },
    /// The same with factors folded into weights.
    Folded(Folded),
    /// The same with dropout that was inserted or set.
    Changed(Changed),
}

impl Question {
    fn new(result: Relation, options: &Options) -> Option<Question> {
        let how = How::of(options)?;
        Some(Question { result, how })
    }

    /// Of two models. `None`, here and below: the options are for data that no document can have.
    pub fn other(options: &Options) -> Option<Question> {
        Question::new(Relation::Other, options)
    }

    /// Of a model, and the same without these masks.
    pub fn stripped(
        view: View<'_>,
        removed: &[&Site],
        allowed: &Allowed,
        options: &Options,
    ) -> Option<Question> {
        let stripped = Stripped::of(view, removed, allowed);
        Question::new(Relation::Stripped(stripped), options)
    }

    /// Of a model, and a fold of what a strip left of it.
    ///
    /// # Errors
    /// The model between both cannot be read.
    pub fn both(steps: [Option<Question>; 2], between: &Model) -> Result<Option<Question>> {
        let [Some(first), Some(second)] = steps else {
            return Ok(None);
        };
        let (Relation::Stripped(stripped), Relation::Folded(folded)) =
            (first.result, second.result)
        else {
            return Ok(None);
        };
        let result = Relation::StrippedAndFolded {
            stripped,
            between: Between::of(between)?,
            folded,
        };
        let how = first.how;
        Ok(Some(Question { result, how }))
    }

    /// Of a model, and a fold of it.
    pub fn folded(
        allowed: &Allowed,
        (exact, rounded): (bool, &[DataType]),
        options: &Options,
    ) -> Option<Question> {
        let folded = Folded::of(allowed, exact, rounded);
        Question::new(Relation::Folded(folded), options)
    }

    /// Of a model, and the same with this dropout in it.
    pub fn changed(after: View<'_>, expected: &Expected, options: &Options) -> Option<Question> {
        let changed = Changed::of(after, expected);
        Question::new(Relation::Changed(changed), options)
    }
}
