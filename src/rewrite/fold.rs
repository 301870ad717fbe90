//! Fold: products by constants, such as the scale that classic dropout leaves, moved into weights.
//!
//! A factor is a `Mul` or `Div` by a constant that is one number, or one for each index of one axis.
//! It moves downstream into the weights of its readers, or upstream into those of the producers of its
//! data, through operators that commute with it: a table of targets lists weights and their axes, a
//! table of carries the operators in between. A factor that is stopped by another constant factor is
//! merged with it. Where a route does not end in weights, the factor stays, and the plan has the
//! reason. A factor that is not a power of two also stays upstream of operators that round or compare.
//! Weights are multiplied in 64 bits and rounded once, whatever the number of factors.
//!
//! Nothing is read but factors and the weights that take them, and these only as they are written;
//! what else uses them keeps the old ones.

mod apply;
mod axes;
mod change;
mod commute;
mod context;
mod factor;
mod factors;
mod operand;
mod outcome;
mod planner;
mod propagate;
mod range;
mod rounding;
mod step;
mod targets;
mod weights;

use crate::dropout::{Examine, Examined, Form};
use crate::error::{Error, ErrorKind, Result};
use crate::hash::HashSet;
use crate::onnx::{DataType, Model, NodeId, Values};

use super::{Action, Edited, Reason};
use crate::verify::fold::{Fold, verify_fold};
use crate::verify::{self, Verification};
#[doc(hidden)]
pub use factor::Factor;
pub use outcome::{Lost, Outcome, Scaled, Weight};
#[doc(hidden)]
pub use step::Step;

use change::Change;
use context::Context;
use factors::Candidate;
use planner::Planner;

/// Which factors to fold.
#[derive(Clone, Debug, Default, derive_setters::Setters)]
#[non_exhaustive]
pub struct Options {
    /// Only those that dropout leaves: factors that are recognised as its scale, and those that
    /// `strip` inserted.
    pub only_dropout: bool,
    /// Only those that make these values, or whose nodes have these names. Each must be a factor that
    /// can be folded.
    pub at: Vec<String>,
}

/// What folding will do, factor by factor.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
#[doc(hidden)]
pub struct Plan {
    /// One step a factor, in file order.
    pub steps: Vec<Step>,
    changes: Vec<Change>,
    rounded: Vec<DataType>,
}

/// A model with factors folded, not yet verified.
#[derive(Debug)]
#[non_exhaustive]
pub struct Folded {
    /// What was planned.
    pub plan: Plan,
    /// What was done.
    pub outcome: Outcome,
    /// The result.
    pub edited: Edited,
}

impl Folded {
    /// Compares the original with the result. Structure shows that both are the same except for the
    /// removed factors and the weights and attributes that took them. That these have the effect of the
    /// factors is shown by a run.
    ///
    /// # Errors
    /// As [`verify::verify`].
    pub fn verify(&self, before: &impl Examine, options: &verify::Options) -> Result<Verification> {
        let fold = self.as_fold()?;
        before.examined(|before| match self.outcome.is_unchanged() {
            true => verify::verify_sides(before.side()?, fold.after, fold.allowed, options),
            false => verify_fold(before.side()?, fold, options),
        })
    }

    pub(super) fn as_fold(&self) -> Result<Fold<'_>> {
        Ok(Fold {
            after: self.edited.examined().side()?,
            allowed: &self.outcome.allowed,
            exact: self.outcome.exact,
            rounded: &self.outcome.rounded,
        })
    }
}

impl Plan {
    /// The factors that are folded.
    pub fn applied(&self) -> impl Iterator<Item = &Step> {
        let steps = self.steps.iter();
        steps.filter(|step| step.action == Action::Apply)
    }
}

/// Finds factors, plans their folds, and folds them in a copy.
///
/// # Errors
/// The model is not sound ([`Model::check`]), a name does not belong to a factor that can be folded,
/// or the weights would make the file larger than protobuf allows.
///
/// # Examples
/// ```
/// use dropout_onnx::onnx::Model;
/// use dropout_onnx::rewrite::fold::{Options, fold};
///
/// # fn main() -> dropout_onnx::Result<()> {
/// let model = Model::open("fixtures/paddle_downscale_op7.onnx")?;
/// let folded = fold(&model, &Options::default())?;
/// let step = &folded.plan.steps[0];
/// assert_eq!(step.factor.as_ref().and_then(|factor| factor.scalar()), Some(0.7f32.into()));
/// assert_eq!(step.into, ["MatMul `MatMul.1`"]);
/// assert_eq!(folded.outcome.folded, 1);
/// # Ok(())
/// # }
/// ```
pub fn fold(model: &impl Examine, options: &Options) -> Result<Folded> {
    model.examined(|before| {
        fold_examined(before, options).map_err(|e| before.model().source().name_in(e))
    })
}

/// protobuf's limit for a message.
const LARGEST: u64 = (1 << 31) - 1;

fn fold_examined(before: &Examined<'_>, options: &Options) -> Result<Folded> {
    let model = before.model();
    let plan = plan(before, options)?;
    let mut copy = model.clone();
    let outcome = apply(&mut copy, before.values().clone(), &plan)?;
    let edited = Edited::new(&copy)?;
    if edited.rope.len() > LARGEST && model.source().len() <= LARGEST {
        let why = "the weights that change would be written into the model itself, which would \
                   then be larger than the 2 GiB that protobuf allows: --at folds some of the \
                   factors only";
        return Err(Error::new(ErrorKind::Unsupported, why));
    }
    Ok(Folded {
        plan,
        outcome,
        edited,
    })
}

/// How often all factors that stay are looked at again, at most.
const PASSES: usize = 50;

/// Plans where factors go. Reads no weights, unless a factor is so large that they could overflow.
///
/// # Errors
/// As [`fold`].
fn plan(before: &Examined<'_>, options: &Options) -> Result<Plan> {
    let (model, values) = (before.model(), before.values());
    let order = model.check_order(values)?;
    let context = Context {
        view: before.view(),
        facts: before.facts(),
    };
    let found = factors::find(&context)?;
    let wanted = wanted(before, &found, options)?;
    let mut planner = Planner::new(context, before.sites()?, &found, &wanted);
    // From the last on: a factor passes those behind it that are folded already. Then again, until
    // nothing changes: what was folded or merged may have made way for others. Usually twice.
    let mut left: Vec<NodeId> = order.iter().rev().copied().collect();
    left.retain(|node| wanted.contains(node));
    for pass in 0..PASSES {
        let before = planner.count_folded();
        for &node in &left {
            planner.decide(node)?;
        }
        left.retain(|node| !planner.is_folded(*node));
        if pass > 0 && planner.count_folded() == before {
            break;
        }
    }
    let mut steps = Vec::new();
    for candidate in &found {
        let step = match planner.steps.remove(&candidate.node) {
            // as the file has it, whatever was merged with it on the way
            Some(step) => Step {
                factor: candidate.factor.clone().ok(),
                ..step
            },
            None => {
                let why = Reason::NotSelected("not selected".into());
                let node = context.view.node(candidate.node);
                Step::new(node, candidate, Action::NoEffect(why))
            }
        };
        if let (Action::Refused(why), false) = (&step.action, options.at.is_empty()) {
            let why = format!("the factor cannot be folded: {why}");
            return Err(Error::new(ErrorKind::Unsupported, why).at(&step.label));
        }
        steps.push(step);
    }
    Ok(Plan {
        steps,
        changes: planner.changes.into_values().flatten().collect(),
        rounded: planner.rounded,
    })
}

/// Folds the factors that the plan applies.
///
/// # Errors
/// Weights cannot be read, or the edit would leave a value undefined; the model is then not to be
/// used.
fn apply(model: &mut Model, values: Values, plan: &Plan) -> Result<Outcome> {
    apply::apply(model, values, &plan.steps, &plan.changes, &plan.rounded)
}

/// The factors that were asked for.
fn wanted(
    before: &Examined<'_>,
    found: &[Candidate],
    options: &Options,
) -> Result<HashSet<NodeId>> {
    let model = before.model();
    let mut wanted: HashSet<NodeId> = found.iter().map(|candidate| candidate.node).collect();
    if options.only_dropout {
        let sites = before.sites()?.iter();
        let scales = sites.filter(|site| site.form == Form::Scale);
        let scales: HashSet<NodeId> = scales.map(|site| site.nodes[0]).collect();
        wanted.retain(|id| scales.contains(id) || is_put_in_by_strip(model, *id));
    }
    if !options.at.is_empty() {
        let named = |id: NodeId, name: &str| {
            let node = model.node(id);
            node.name == name || node.output(0).is_some_and(|output| *output == name)
        };
        let all = |name: &&String| !found.iter().any(|candidate| named(candidate.node, name));
        if let Some(name) = options.at.iter().find(all) {
            let why = format!(
                "`{name}` is no product or quotient by a constant that is one number or one for \
                 each index of an axis"
            );
            return Err(Error::new(ErrorKind::Usage, why));
        }
        wanted.retain(|&id| options.at.iter().any(|name| named(id, name)));
    }
    Ok(wanted)
}

/// True of a product by a constant that is called as strip calls it: `<value>/scale`.
fn is_put_in_by_strip(model: &Model, id: NodeId) -> bool {
    let node = model.node(id);
    let Some(output) = node.output(0) else {
        return false;
    };
    let scale = format!("{output}/scale");
    node.inputs.iter().any(|input| {
        let name = input
            .as_str()
            .and_then(|name| name.strip_prefix(scale.as_str()));
        name.is_some_and(|rest| {
            let number = rest.strip_prefix('_');
            rest.is_empty() || number.is_some_and(|n| n.bytes().all(|b| b.is_ascii_digit()))
        })
    })
}
