//! Insert: dropout put into a model, for fine-tuning or for Monte-Carlo runs.
//!
//! A dropout is inserted after a value: its readers, in every graph, read the dropout instead. An
//! output of the model keeps its name. What is written is the `Dropout` of the model's opset, or a
//! random mask of other operators if it is shared along axes (spatial dropout). Stripping the
//! result restores the original, byte for byte; an input that was added for a switch stays.

mod apply;
mod candidates;
mod choose;
#[cfg(feature = "tract")]
mod expected;
mod fit;
mod flow;
#[cfg(feature = "keras")]
mod from;
mod like;
mod plan;
#[cfg(feature = "plan-files")]
mod plan_file;
mod position;
mod preset;
mod selector;
mod write;

use std::fmt;

use crate::dropout::{Examine, Examined, Site};
use crate::error::{Error, ErrorKind, Result};
use crate::onnx::{GraphId, Name, Use, ValueId};

use super::{Acting, Edited, Plan, Rate};
pub use candidates::{Candidate, candidates};
#[cfg(feature = "keras")]
pub use from::from;
pub use like::like;
#[doc(hidden)]
pub use like::{Like, Unplaced};
#[doc(hidden)]
pub use plan::plan;
#[cfg(feature = "plan-files")]
#[doc(hidden)]
pub use plan_file::{PlanFile, plan_text};
pub use preset::Preset;
#[doc(hidden)]
pub use selector::By;

/// What to insert.
#[derive(Clone, Debug, Default, derive_setters::Setters)]
#[non_exhaustive]
pub struct Options {
    /// Where; whatever any of them matches.
    pub choices: Vec<Choice>,
    /// The rate of choices that have none of their own.
    pub rate: Option<Rate>,
    /// Whether it acts.
    pub acting: Acting,
    /// The seed of the first; the others have those that follow.
    pub seed: Option<i64>,
    /// Each `Dropout` has its mask as a second output, which nothing uses: ONNX Runtime's training needs it.
    pub mask_output: bool,
}

/// Values chosen by all that is given here.
#[derive(Clone, Debug, Default, serde::Deserialize, derive_setters::Setters)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct Choice {
    /// The value of this name, exactly.
    pub at: Option<Name>,
    /// Values of graphs whose scope matches this pattern: `graph`, `graph/*`, `function:*`.
    pub scope: Option<String>,
    /// First outputs of operators of this type.
    pub after: Option<String>,
    /// Values, or first outputs of nodes, whose name matches this pattern.
    pub name: Option<String>,
    /// The outputs of layers whose path matches this pattern; with other criteria, all values
    /// made in them.
    pub layer: Option<String>,
    /// A position that has a name.
    #[serde(deserialize_with = "preset::named")]
    pub preset: Option<Preset>,
    /// Their rate.
    pub rate: Option<Rate>,
    /// The axes along which their masks are shared: `[2, 3]` for whole channels of images.
    pub shared_axes: Option<Vec<i64>>,
    /// The uses that read the dropout; all, if not given.
    #[serde(skip)]
    pub readers: Option<Vec<Use>>,
    /// Where it cannot be inserted, the rest is.
    #[serde(skip)]
    pub optional: bool,
}

/// A value that was chosen.
#[derive(Clone, Debug)]
#[non_exhaustive]
#[doc(hidden)]
pub struct Place {
    /// The value.
    pub value: ValueId,
    /// Its graph.
    pub graph: GraphId,
    /// The data of the dropout.
    pub data: Name,
    /// What comes out of it.
    pub output: Name,
    /// The probability to drop.
    pub rate: Rate,
    /// Its seed.
    pub seed: Option<i64>,
    /// The axes along which its mask is shared.
    pub shared_axes: Option<Vec<i64>>,
    /// The uses that read it; all, if not given.
    readers: Option<Vec<Use>>,
    /// The choice that counted.
    choice: usize,
    /// The choice that is inserted there instead.
    instead: Option<usize>,
    /// Its mask, where that is shared along axes.
    shared: Option<write::Shared>,
}

/// The result of insert, in addition to its plan.
#[derive(Clone, Debug, Default, PartialEq, serde::Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Outcome {
    /// The number of dropouts inserted.
    pub inserted: usize,
    /// The input of the model that switches them, if one does.
    pub switch: Option<Name>,
    /// True if that input was added.
    pub added_input: bool,
}

/// A model with inserted dropout, not yet verified.
#[derive(Debug)]
#[non_exhaustive]
pub struct Inserted {
    /// The values that were chosen.
    pub places: Vec<Place>,
    /// What was planned for each.
    pub plan: Plan,
    /// What was done.
    pub outcome: Outcome,
    /// The result.
    pub edited: Edited,
    /// Dropout of the model given to [`like()`] that has no place in this one.
    pub unplaced: Vec<Unplaced>,
}

impl Options {
    /// The rate of a choice: its own, else that of all, else the usual one of its preset.
    fn rate_of(&self, choice: &Choice) -> Option<Rate> {
        let usual = choice.preset.and_then(Preset::rate);
        choice.rate.or(self.rate).or(usual)
    }
}

impl fmt::Display for Choice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words = [
            self.at.as_ref().map(|name| format!("value `{name}`")),
            self.preset.map(|preset| format!("preset {preset}")),
            self.after.as_ref().map(|op| format!("after {op}")),
            self.name.as_ref().map(|name| format!("name `{name}`")),
            self.layer.as_ref().map(|layer| format!("layer `{layer}`")),
            self.scope.as_ref().map(|scope| format!("scope `{scope}`")),
        ];
        let words: Vec<String> = words.into_iter().flatten().collect();
        f.write_str(&words.join(" and "))
    }
}

/// Puts dropout into a copy.
///
/// # Errors
/// The model is not sound, a choice matches nothing or has no rate, two want different things at one
/// value, or the dropout cannot be written there: then nothing is.
///
/// # Examples
/// ```
/// # fn main() -> dropout_onnx::Result<()> {
/// use dropout_onnx::onnx::Model;
/// use dropout_onnx::rewrite::insert::{Choice, Options, Preset, insert};
/// use dropout_onnx::rewrite::{Rate, strip};
///
/// let model = Model::open("fixtures/torch_course_eval_op17.onnx")?;
/// let choice = Choice::default().preset(Some(Preset::Head));
/// let options = Options::default().choices(vec![choice]).rate(Some(Rate::new(0.3)?));
/// let inserted = insert(&model, &options)?;
/// assert_eq!(inserted.outcome.inserted, 2);
///
/// let stripped = strip::strip(inserted.edited.model(), &strip::Options::default())?;
/// assert_eq!(stripped.edited.rope.len(), model.source().len()); // the original again
/// # Ok(())
/// # }
/// ```
pub fn insert(model: &impl Examine, options: &Options) -> Result<Inserted> {
    model.examined(|before| {
        insert_examined(before, options).map_err(|e| before.model().source().name_in(e))
    })
}

fn insert_examined(before: &Examined<'_>, options: &Options) -> Result<Inserted> {
    let (mut places, plan) = plan(before, options)?;
    let mut copy = before.model().clone();
    let values = before.values().clone();
    let outcome = apply::apply(&mut copy, values, options, &mut places, &plan)?;
    let edited = Edited::new(&copy)?;
    undisturbed(before, edited.examined())?;
    Ok(Inserted {
        places,
        plan,
        outcome,
        edited,
        unplaced: Vec::new(),
    })
}

/// Checks that dropout which was there before as a mask is still seen to be one.
fn undisturbed(before: &Examined<'_>, after: &Examined<'_>) -> Result<()> {
    let is_mask = |site: &&Site| site.is_mask();
    let mut old = before.sites()?.iter().filter(is_mask).peekable();
    if old.peek().is_none() {
        return Ok(());
    }
    let new = after.sites()?;
    let same = |old: &Site| {
        let mut new = new.iter().filter(is_mask);
        new.any(|new| {
            new.graph == old.graph
                && new.output_name == old.output_name
                && new.rate == old.rate
                && new.junctions.len() == old.junctions.len()
                && new.entangled.is_some() == old.entangled.is_some()
        })
    };
    match old.find(|site| !same(site)) {
        None => Ok(()),
        Some(hidden) => {
            let why = "the inserted dropout would hide this random mask; `strip` the model first, or \
                       select other values";
            Err(Error::new(ErrorKind::Unsupported, why).at(before.model().place(hidden.nodes[0])))
        }
    }
}
