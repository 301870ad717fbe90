//! Fold: products by constants, such as the scale that classic dropout leaves, moved into weights.
//!
//! A factor is a `Mul` or `Div` by a constant that is one number, or one for each index of one axis.
//! It goes forward into the weights of what uses it, or backward into those of what computes its
//! data, through operators that commute with it: a table of targets says which weights and which
//! axis, a table of carries what it passes. A factor that meets another constant factor and gets no
//! further is merged with it. Where a way does not end in weights, the factor stays, and the plan says
//! why. A factor that is not a power of two also stays upstream of operators that round or compare.
//! Weights are multiplied in 64 bits and rounded once, whatever the number of factors.
//!
//! Nothing is read but factors and the weights that take them, and these only as they are written;
//! what else uses them keeps the old ones.

mod apply;
mod axes;
mod carries;
mod factor;
mod factors;
mod operand;
mod planner;
mod rounding;
mod targets;
mod walk;
mod weights;

use crate::dropout::{self, Form};
use crate::error::{Error, ErrorKind, Result};
use crate::hash::HashSet;
use crate::onnx::{DataType, Model, Name, NodeId, Values};
use crate::semantics::shapes;
use crate::semantics::view;

use super::{Action, Edited};
pub use apply::{Outcome, Trace, TracedAttribute, TracedWeights};
pub use factor::Factor;
use factors::Candidate;
use planner::Planner;
use shapes::Shapes;
use targets::{Change, View};

/// Which factors to fold.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Only those that dropout leaves: factors that are recognised as its scale, and those that
    /// `strip` put in.
    pub only_dropout: bool,
    /// Only those that make these values, or whose nodes have these names. Each must be a factor that
    /// can be folded.
    pub at: Vec<String>,
}

/// What folding will do, factor by factor.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    /// One step a factor, in file order.
    pub steps: Vec<Step>,
    changes: Vec<Change>,
    rounded: Vec<DataType>,
}

/// What happens to one factor.
#[derive(Clone, Debug)]
pub struct Step {
    /// The Mul or Div.
    pub node: NodeId,
    /// Which of its inputs is the data.
    pub data: usize,
    /// Its place in words.
    pub label: String,
    /// The value it makes.
    pub value: Name,
    /// What it multiplies by, where that can be told.
    pub factor: Option<Factor>,
    /// [`Action::Refused`] leaves this one factor where it is.
    pub action: Action,
    /// Nodes whose weights or attributes take it.
    pub into: Vec<String>,
    /// Nodes it passes on the way.
    pub through: Vec<String>,
}

/// A model with factors folded, not yet verified.
#[derive(Debug)]
pub struct Folded {
    /// What was planned.
    pub plan: Plan,
    /// What was done.
    pub outcome: Outcome,
    /// The result.
    pub edited: Edited,
}

impl Plan {
    /// The factors that are folded.
    pub fn applied(&self) -> impl Iterator<Item = &Step> {
        let steps = self.steps.iter();
        steps.filter(|step| step.action == Action::Apply)
    }
}

/// Finds factors, plans where they go, and folds them in a copy.
///
/// # Errors
/// The model is not sound ([`Model::check`]), a factor asked for by name is none or stays where it is,
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
pub fn fold(model: &Model, options: &Options) -> Result<Folded> {
    fold_unnamed(model, options).map_err(|e| model.source().name_in(e))
}

/// protobuf's limit for a message.
const LARGEST: u64 = (1 << 31) - 1;

fn fold_unnamed(model: &Model, options: &Options) -> Result<Folded> {
    let values = Values::new(model);
    let plan = plan(model, &values, options)?;
    let mut copy = model.clone();
    let outcome = apply(&mut copy, values, &plan)?;
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
pub fn plan(model: &Model, values: &Values, options: &Options) -> Result<Plan> {
    let order = model.check_order(values)?;
    let shapes = Shapes::new(model, values);
    let view = View {
        model,
        values,
        shapes: &shapes,
    };
    let found = factors::find(&view)?;
    let wanted = wanted(model, values, &found, options)?;
    let mut planner = Planner::new(view, &found, &wanted)?;
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
            None => planner.step(candidate, Action::NoEffect("not selected".to_string())),
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

/// Folds what the plan says to fold.
///
/// # Errors
/// Weights cannot be read, or the edit would leave a value undefined; the model is then not to be
/// used.
pub fn apply(model: &mut Model, values: Values, plan: &Plan) -> Result<Outcome> {
    apply::apply(model, values, &plan.steps, &plan.changes, &plan.rounded)
}

/// The factors that were asked for.
fn wanted(
    model: &Model,
    values: &Values,
    found: &[Candidate],
    options: &Options,
) -> Result<HashSet<NodeId>> {
    let mut wanted: HashSet<NodeId> = found.iter().map(|candidate| candidate.node).collect();
    if options.only_dropout {
        let sites = dropout::find_in(view::View::new(model, values))?;
        let scales = sites.iter().filter(|site| site.form == Form::Scale);
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
