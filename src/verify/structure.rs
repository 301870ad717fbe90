//! Structure: do two models compute the same expression for every output?
//!
//! Every value of both models is numbered such that equal numbers are equal expressions (global
//! value numbering, Alpern, Wegman and Zadeck 1988): an operator with its version, attributes and
//! the numbers of its inputs. Graphs inside attributes and model-local functions are numbered by
//! what they compute from their inputs, so that names do not matter. Dropout takes its inference
//! meaning, which is stated in this module and shares nothing with how a rewrite removes dropout:
//! - `Dropout(x)` is x (x times 1-p under the classic convention), and its mask is ones in the shape
//!   of x;
//! - `Identity(x)` is x;
//! - `BatchNormalization` in training mode is its inference form where a rewrite reports that it wrote that;
//! - dropout that is written as a mask is the data that the mask is applied to, without a factor that
//!   compensates for dropped elements, else times the inference scale; the mask, its draw, and states
//!   of loops and functions that only the mask needs are not compared;
//! - an attribute that is an input in a later opset is that input;
//! - operators that read only shape and type (`Shape`, `RandomUniformLike`) compute the same of x and
//!   of x times or by a scalar, so that a factor may be missing;
//! - `ConstantOfShape(Shape(x))` of one and `Cast(Not(Greater(x, x)))` are ones in the shape of x.
//!
//! Changes that a rewrite reports ([`Allowed`]) count as equal where they are named: a factor is its
//! data, and scaled weights are the weights of the model before. That a factor ended up in the right
//! place has to be shown by a run.
//!
//! Operators that draw at random, and unknown operators, are equal only if they are the same draw:
//! the n-th of those that look alike. Time is linear; weights are read only where they could be equal
//! without being the same bytes of the same file.

mod allowed;
mod application;
mod attributes;
mod constants;
mod contents;
mod difference;
mod expression;
mod forms;
mod hidden;
mod inference;
mod mask;
mod mismatch;
mod numbering;
mod reachable;
mod results;
mod shared;
mod sides;
mod states;
mod step;
mod tuned;
mod weights;

use crate::dropout::{Convention, Examined, Side, under};
use crate::error::Result;
use crate::onnx::{Model, ValueInfo};

use allowed::Exceptions;
#[doc(hidden)]
pub use allowed::{Allowed, ScaledAttribute, ScaledWeights};
#[cfg(feature = "tract")]
pub(super) use attributes::{floats, of_inference};
pub use difference::Mismatch;
#[cfg(feature = "tract")]
pub(crate) use difference::What;
#[doc(hidden)]
pub use difference::{Hidden, Kind};
use numbering::Builder;
use shared::Shared;
use sides::Sides;
#[doc(hidden)]
pub use weights::{Weight, Weights};

/// What a comparison of structures found.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Verdict {
    /// Both compute the same expression for every output.
    Same {
        /// Outputs compared, those of functions and training graphs included.
        outputs: usize,
    },
    /// They do not, as far as structure shows; a run may still give the same numbers.
    Different(Mismatch),
}

/// Compares the structure of two models.
///
/// # Errors
/// A model has undefined values or cycles, or weights that have to be read cannot be.
pub fn compare(before: &Model, after: &Model) -> Result<Verdict> {
    compare_but(before, after, &Allowed::default())
}

/// As [`compare`], except for the changes that a rewrite reports.
///
/// # Errors
/// As [`compare`].
#[doc(hidden)]
pub fn compare_but(before: &Model, after: &Model, allowed: &Allowed) -> Result<Verdict> {
    let (before, after) = (Examined::new(before), Examined::new(after));
    compare_sides(before.side()?, after.side()?, allowed, Convention::Inverted)
}

/// As [`compare_but`], with this meaning of `Dropout` operators in both models.
pub(crate) fn compare_sides(
    before: Side<'_>,
    after: Side<'_>,
    allowed: &Allowed,
    convention: Convention,
) -> Result<Verdict> {
    let (old, new) = (before.view.model, after.view.model);
    let (sites, others) = (
        under(before.sites, convention),
        under(after.sites, convention),
    );
    let (before, after) = (before.with(&sites), after.with(&others));
    let mut shared = Shared::new(new.source().derives_from(old.source()));
    let exceptions = Exceptions::before(allowed, before.facts);
    let first = Builder::build(before, exceptions, &mut shared);
    let first = first.map_err(|e| old.source().name_in(e))?;
    shared.contents.second_model();
    let exceptions = Exceptions::after(allowed, before.view, after.facts);
    let second = Builder::build(after, exceptions, &mut shared);
    let second = second.map_err(|e| new.source().name_in(e))?;
    // an unsound model is an error, not a difference: so this comes last
    if let Some(mismatch) = interface(old, new, allowed) {
        return Ok(Verdict::Different(mismatch));
    }
    let sides = Sides {
        shared: &shared,
        before: &first,
        after: &second,
    };
    Ok(sides.compared())
}

impl Sides<'_, '_> {
    /// All results, one by one.
    fn compared(&self) -> Verdict {
        let (before, after) = (&self.before.results, &self.after.results);
        let mut pairs = Vec::new();
        let mut first: Option<(&String, String)> = None;
        for (name, &expression) in before {
            match after.get(name) {
                Some(&other) if other == expression => {}
                Some(&other) => {
                    let pair = (expression, other);
                    first.get_or_insert_with(|| (name, self.explain(pair)));
                    pairs.push(pair);
                }
                None if self.before.functions.contains(name) => {}
                None => {
                    first.get_or_insert_with(|| (name, "is missing after".to_string()));
                }
            }
        }
        let added =
            |name: &&String| !before.contains_key(*name) && !self.after.functions.contains(*name);
        let added = after.keys().find(added);
        if let Some(name) = added {
            first.get_or_insert_with(|| (name, "is missing before".to_string()));
        }
        let missing =
            |name: &String| !after.contains_key(name) && !self.before.functions.contains(name);
        let same_results = added.is_none() && !before.keys().any(missing);
        match first {
            None => Verdict::Same {
                outputs: before
                    .keys()
                    .filter(|name| after.contains_key(*name))
                    .count(),
            },
            Some((place, why)) => {
                let (kind, hidden, weights) = self.kind(pairs);
                Verdict::Different(Mismatch {
                    place: place.clone(),
                    why,
                    kind,
                    hidden,
                    weights: weights.filter(|_| same_results),
                })
            }
        }
    }
}

/// The first difference between the inputs and outputs of the main graphs.
fn interface(before: &Model, after: &Model, allowed: &Allowed) -> Option<Mismatch> {
    let differs = |place: String, why: String| {
        let kind = Kind::Interface;
        let hidden = Vec::new();
        Some(Mismatch {
            place,
            why,
            kind,
            hidden,
            weights: None,
        })
    };
    let (old, new) = (before.graph(before.main()), after.graph(after.main()));
    let inputs = new.inputs.iter();
    let inputs = inputs.filter(|info| allowed.added_input.as_ref() != Some(&info.name));
    let kept = old.inputs.iter();
    let kept = kept.filter(|info| !allowed.removed_inputs.contains(&info.name));
    let pairs: [(_, Vec<&ValueInfo>, Vec<&ValueInfo>); 2] = [
        ("input", kept.collect(), inputs.collect()),
        (
            "output",
            old.outputs.iter().collect(),
            new.outputs.iter().collect(),
        ),
    ];
    for (what, old, new) in pairs {
        for (index, (old, new)) in old.iter().zip(&new).enumerate() {
            let by_position = what == "output" && allowed.output_names;
            if old.name != new.name && !by_position {
                let why = format!("is `{}` before and `{}` after", old.name, new.name);
                return differs(format!("{what} {index}"), why);
            }
            if old.type_bytes() != new.type_bytes() && old.value_type() != new.value_type() {
                let (old_type, new_type) = (old.value_type(), new.value_type());
                let why = format!("is {old_type} before and {new_type} after");
                return differs(format!("{what} `{}`", old.name), why);
            }
        }
        if old.len() != new.len() {
            let why = format!("has {} {what}s before and {} after", old.len(), new.len());
            return differs("interface".into(), why);
        }
    }
    None
}
