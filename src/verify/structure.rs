//! Structure: do two models compute the same expression for every output?
//!
//! Every value of both models is numbered such that equal numbers are equal expressions (global
//! value numbering, Alpern, Wegman and Zadeck 1988): an operator with its version, attributes and
//! the numbers of its inputs. Graphs inside attributes and model-local functions are numbered by
//! what they compute from their inputs, so that names do not matter. Dropout takes its inference
//! meaning; this is said here anew, and shares nothing with how a rewrite removes it:
//! - `Dropout(x)` is x (x times 1-p, if it is said to be classic), and its mask is ones in the shape
//!   of x;
//! - `Identity(x)` is x;
//! - dropout written as a mask, where [`crate::dropout::find`] finds it, is the data it meets,
//!   without a factor that makes up for what is dropped, else times the inference scale; the mask, its
//!   draw, states of loops and functions that nothing else needs do not count;
//! - operators that look at no more than shape and type (`Shape`, `RandomUniformLike`) make of x times
//!   or by a scalar what they make of x: a factor that makes up for what is dropped may be
//!   gone;
//! - `ConstantOfShape(Shape(x))` of one and `Cast(Not(Greater(x, x)))` are ones in the shape of x.
//!
//! What [`fold`](crate::rewrite::fold) changed is taken as equal where it is named, and nothing else: a
//! factor is its data, weights that took one are the weights of before, and so are alpha and beta.
//! That the factor ended up in the right place is not for structure to say.
//!
//! Operators that draw at random, and operators nobody knows, are equal only if they are the same
//! draw: the n-th of those that look alike. Time is linear; weights are read only where they could
//! be equal without being the same bytes of the same file.

mod apart;
mod attributes;
mod contents;
mod expression;
mod known;
mod live;
mod mask;
mod mismatch;
mod numbering;
mod step;

use crate::dropout::Convention;
use crate::error::Result;
use crate::hash::{HashMap, HashSet};
use crate::onnx::{Model, ValueInfo, Values};

use crate::rewrite::fold::Trace;
use apart::Apart;
use contents::Contents;
use expression::{Expression, Expressions};
use mismatch::Sides;
pub use mismatch::{Kind, Mismatch};
use numbering::Numbering;

/// What a comparison of structures found.
#[derive(Clone, Debug, PartialEq, Eq)]
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
    compare_under(before, after, Convention::Inverted)
}

/// As [`compare`], with this meaning of `Dropout` operators in both models.
///
/// # Errors
/// As [`compare`].
pub fn compare_under(before: &Model, after: &Model, convention: Convention) -> Result<Verdict> {
    compare_as(before, after, &Trace::default(), convention)
}

/// As [`compare`], but for what fold says it changed.
///
/// # Errors
/// As [`compare`].
pub fn compare_but(before: &Model, after: &Model, changed: &Trace) -> Result<Verdict> {
    compare_as(before, after, changed, Convention::Inverted)
}

fn compare_as(
    before: &Model,
    after: &Model,
    changed: &Trace,
    convention: Convention,
) -> Result<Verdict> {
    let mut shared = Shared {
        expressions: Expressions::default(),
        contents: Contents::new(after.source().derives_from(before.source())),
        scalars: HashSet::default(),
        unscaled: HashMap::default(),
    };
    let before_values = Values::new(before);
    let after_values = Values::new(after);
    let terms = (Apart::before(changed), convention);
    let first = Numbering::new(before, &before_values, terms, &mut shared)
        .map_err(|e| before.source().name_in(e))?;
    shared.contents.second_model();
    let terms = (Apart::after(changed, after, &after_values), convention);
    let second = Numbering::new(after, &after_values, terms, &mut shared)
        .map_err(|e| after.source().name_in(e))?;
    // Only now: a model that is not sound is no model, not a different one.
    if let Some(mismatch) = interface(before, after) {
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
                None if self.before.idle.contains(name) => {}
                None => {
                    first.get_or_insert_with(|| (name, "is missing after".to_string()));
                }
            }
        }
        let added = after.keys().find(|name| !before.contains_key(*name));
        if let Some(name) = added {
            first.get_or_insert_with(|| (name, "is missing before".to_string()));
        }
        match first {
            None => Verdict::Same {
                outputs: before
                    .keys()
                    .filter(|name| after.contains_key(*name))
                    .count(),
            },
            Some((place, why)) => Verdict::Different(Mismatch {
                place: place.clone(),
                why,
                kind: self.kind(pairs),
            }),
        }
    }
}

/// What the numberings of both models share.
#[derive(Debug)]
struct Shared<'m> {
    expressions: Expressions,
    contents: Contents<'m>,
    /// Constants and inputs of no dimensions.
    scalars: HashSet<Expression>,
    /// What products by those multiply: data of the same shape.
    unscaled: HashMap<Expression, Expression>,
}

impl Shared<'_> {
    /// Takes down that one is a product of the other by a scalar.
    fn scaled(&mut self, product: Expression, data: Expression) {
        let data = self.shape_of(data);
        self.unscaled.insert(product, data);
    }

    /// What has the shape of data, and its type, and is no such product.
    fn shape_of(&self, data: Expression) -> Expression {
        self.unscaled.get(&data).copied().unwrap_or(data)
    }
}

/// The first difference between the inputs and outputs of the main graphs.
fn interface(before: &Model, after: &Model) -> Option<Mismatch> {
    let differs = |place: String, why: String| {
        let kind = Kind::Interface;
        Some(Mismatch { place, why, kind })
    };
    let sides = |of: fn(&Model) -> &[ValueInfo]| (of(before), of(after));
    let inputs: fn(&Model) -> &[ValueInfo] = |model| &model.graph(model.main()).inputs;
    let outputs: fn(&Model) -> &[ValueInfo] = |model| &model.graph(model.main()).outputs;
    for (what, (old, new)) in [("input", sides(inputs)), ("output", sides(outputs))] {
        for (index, (old, new)) in old.iter().zip(new).enumerate() {
            if old.name != new.name {
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
