//! Set: the rate, the mode or the seed of dropout that is there.
//!
//! `Dropout` operators of every version are changed where their ratio and flag are stored: in attributes, or
//! in constants, of which a copy is made if something else uses them. Of a dropout that is written as a
//! random mask the rate is changed, if all numbers that depend on it are found (threshold and scale; the
//! deviation of Gaussian dropout; the threshold and the affine map of alpha dropout), and the seed.

mod apply;
mod change;
mod constant;
#[cfg(feature = "tract")]
mod expected;
mod mask;
mod operator;
mod plan;

use std::str::FromStr;
use std::sync::Arc;

use crate::dropout::{Examine, Examined, Form, Site};
use crate::error::{Error, ErrorKind, Result};
use crate::onnx::Name;

use super::names::usage;
use super::{Acting, Edited, Plan, Rate, Reason};
#[doc(hidden)]
pub use crate::rewrite::Filter;
use change::Change;

/// The constants to change, or why a site cannot be changed.
type Changes = Result<Vec<Change>, Reason>;

/// What to set, and where.
#[derive(Clone, Debug, Default, derive_setters::Setters)]
#[non_exhaustive]
pub struct Options {
    /// The dropouts to change: those matching any of these, or all without any.
    pub filters: Vec<Filter>,
    /// The new rate.
    pub rate: Option<Rate>,
    /// Whether they are to act.
    pub acting: Option<Acting>,
    /// The seed of the first, the others have those that follow; or none for any.
    pub seed: Option<Seed>,
}

/// A seed that was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Seed {
    /// This one.
    Number(i64),
    /// No seed: the runtime chooses one.
    None,
}

impl FromStr for Seed {
    type Err = Error;

    fn from_str(text: &str) -> Result<Seed> {
        match text {
            "none" => Ok(Seed::None),
            number => number
                .parse()
                .map(Seed::Number)
                .map_err(|_| usage(format!("expected an integer or `none`, not `{number}`"))),
        }
    }
}

/// The result of set, in addition to its plan.
#[derive(Clone, Debug, Default, PartialEq, serde::Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Outcome {
    /// The number of dropouts that were changed.
    pub changed: usize,
    /// The input of the model that switches them, if one does.
    pub switch: Option<Name>,
    /// True if that input was added.
    pub added_input: bool,
    /// Inputs of the model that nothing uses any more.
    pub idle_inputs: Vec<Name>,
}

/// A model whose dropout was changed, not yet verified.
#[derive(Debug)]
#[non_exhaustive]
pub struct Changed {
    /// The dropouts that were found.
    pub sites: Arc<[Site]>,
    /// What was planned for each.
    pub plan: Plan,
    /// What was done.
    pub outcome: Outcome,
    /// The result.
    pub edited: Edited,
}

/// Changes dropout in a copy.
///
/// # Errors
/// The model is not sound, has no dropout, a filter matches none, or the change cannot be
/// written at one of those that were chosen: then nothing is.
///
/// # Examples
/// ```
/// # fn main() -> dropout_onnx::Result<()> {
/// use dropout_onnx::onnx::Model;
/// use dropout_onnx::rewrite::Rate;
/// use dropout_onnx::rewrite::set::{Options, set};
///
/// let model = Model::open("fixtures/torch_course_preserve_op17.onnx")?;
/// let options = Options::default().rate(Some(Rate::new(0.2)?));
/// let changed = set(&model, &options)?;
/// let sites = changed.edited.examined().sites()?;
/// assert!(sites.iter().all(|site| site.rate == Some(0.2)));
/// # Ok(())
/// # }
/// ```
pub fn set(model: &impl Examine, options: &Options) -> Result<Changed> {
    model.examined(|before| {
        set_examined(before, options).map_err(|e| before.model().source().name_in(e))
    })
}

fn set_examined(before: &Examined<'_>, options: &Options) -> Result<Changed> {
    before.model().check(before.values())?;
    let sites = before.sites()?;
    let planned = plan::plan(before.view(), sites, options)?;
    let mut copy = before.model().clone();
    let values = before.values().clone();
    let outcome = apply::apply(&mut copy, values, sites, options, &planned)?;
    let edited = Edited::new(&copy)?;
    check(edited.examined().sites()?, sites, options, &planned.plan)?;
    Ok(Changed {
        sites: sites.clone(),
        plan: planned.plan,
        outcome,
        edited,
    })
}

/// The site of the result that a site has become. Where calls of a function are distinguished, they are in the
/// same order; the result may not distinguish them any more.
fn counterpart<'a>(old: &Site, before: &[Site], after: &'a [Site]) -> Option<&'a Site> {
    let place = before[..old.id]
        .iter()
        .filter(|other| old.is_twin_of(other))
        .count();
    let same = |site: &&Site| site.graph == old.graph && site.output_name == old.output_name;
    let mut found = after.iter().filter(same);
    found.clone().nth(place).or_else(|| found.next())
}

/// Reads what was changed again: it must be the dropout that was asked for.
fn check(after: &[Site], before: &[Site], options: &Options, plan: &Plan) -> Result<()> {
    for step in plan.applied() {
        let old = &before[step.site];
        let new = counterpart(old, before, after);
        let rate = |site: &Site| match options.rate {
            None => site.rate == old.rate,
            Some(rate) => site.rate.is_some_and(|now| {
                let rate = rate.value();
                let operator = site.form == Form::Operator && now as f32 == rate as f32;
                // the constants of a mask may be halves
                operator || (now - rate).abs() < (0.5 * rate.min(1.0 - rate)).min(1e-3)
            }),
        };
        let same = |site: &&Site| {
            site.kind == old.kind
                && site.scaling == old.scaling
                && site.form == old.form
                && site.input_name == old.input_name
        };
        match new.filter(same) {
            Some(site) if rate(site) => {}
            _ if old.form == Form::RandomMask && options.rate.is_some() => {
                let why = "at this rate, threshold and scale of the mask are too close to 0 or 1 to be \
                           recognised as dropout in their precision";
                return Err(Error::new(ErrorKind::Unsupported, why).at(&step.label));
            }
            _ => {
                let why = "the result would not be recognised as the dropout that was requested";
                return Err(Error::new(ErrorKind::Verification, why).at(&step.label));
            }
        }
    }
    Ok(())
}
