//! Set: the rate, the mode or the seed of dropout that is there.
//!
//! `Dropout` operators of every version are changed where their ratio and flag stand: in attributes, or
//! in constants, of which a copy is made if something else uses them. Of a dropout that is written as a
//! random mask the rate is changed, if all numbers that depend on it are found (threshold and scale; the
//! deviation of Gaussian dropout; the threshold and the affine map of alpha dropout), and the seed.

mod filter;
mod leaf;
mod mask;
mod operator;

use std::str::FromStr;

use crate::dropout::{self, Form, Kind, Mode, RateOrigin, Site};
use crate::error::{Error, ErrorKind, Result};
use crate::onnx::{Attribute, AttributeValue, Editor, Model, Name, Values};
use crate::semantics::view::View;

use super::insert::usage;
use super::{Acting, Action, Edited, Plan, Rate, Step, strip};
pub use filter::Filter;
use leaf::Change;

/// What to set, and where.
#[derive(Clone, Debug, Default)]
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
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Outcome {
    /// Dropouts changed.
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
pub struct Changed {
    /// The dropouts that were found.
    pub sites: Vec<Site>,
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
/// The model is not sound, has no dropout, a filter holds for none, or what is asked for cannot be
/// written at one of those that were chosen: then nothing is.
///
/// # Examples
/// ```
/// # fn main() -> dropout_onnx::Result<()> {
/// use dropout_onnx::dropout;
/// use dropout_onnx::onnx::{Model, Values};
/// use dropout_onnx::rewrite::Rate;
/// use dropout_onnx::rewrite::set::{Options, set};
///
/// let model = Model::open("fixtures/torch_course_preserve_op17.onnx")?;
/// let options = Options { rate: Some(Rate::new(0.2)?), ..Options::default() };
/// let after = set(&model, &options)?.edited.model;
/// let sites = dropout::find(&dropout_onnx::Analysis::of(&after))?;
/// assert!(sites.iter().all(|site| site.rate == Some(0.2)));
/// # Ok(())
/// # }
/// ```
pub fn set(model: &Model, options: &Options) -> Result<Changed> {
    set_unnamed(model, options).map_err(|e| model.source().name_in(e))
}

fn set_unnamed(model: &Model, options: &Options) -> Result<Changed> {
    let values = Values::new(model);
    let sites = dropout::find_in(View::new(model, &values))?;
    let planned = plan(model, &values, &sites, options)?;
    let mut copy = model.clone();
    let outcome = apply(&mut copy, values, &sites, options, &planned)?;
    let edited = Edited::new(&copy)?;
    check(&edited.model, &sites, options, &planned.plan)?;
    Ok(Changed {
        sites,
        plan: planned.plan,
        outcome,
        edited,
    })
}

/// A plan, and the constants that it changes.
#[derive(Debug, Default)]
pub struct Planned {
    /// What is done to each site.
    pub plan: Plan,
    changes: Vec<Change>,
}

/// Plans changes to sites.
///
/// # Errors
/// Nothing is to be set, a filter holds for no site, or the file cannot be read where a constant stands.
pub fn plan(model: &Model, values: &Values, sites: &[Site], options: &Options) -> Result<Planned> {
    if options.rate.is_none() && options.acting.is_none() && options.seed.is_none() {
        return Err(usage(
            "nothing to change: give --rate, --mode or --seed".into(),
        ));
    }
    let chosen = filter::chosen(model, sites, &options.filters)?;
    let mut planned = Planned::default();
    let mut owners = Vec::new();
    for (site, chosen) in sites.iter().zip(chosen) {
        let action = match (chosen, is_so(site, options)) {
            (false, _) => Action::NoEffect("not selected".into()),
            (true, true) => Action::NoEffect("no change needed".into()),
            (true, false) => match changes(model, values, site, options)? {
                Ok(changes) => {
                    owners.extend(changes.iter().map(|_| site.id));
                    planned.changes.extend(changes);
                    Action::Apply
                }
                Err(_) if site.form == Form::Scale && options.filters.is_empty() => {
                    Action::NoEffect("a scale that inference needs".into())
                }
                Err(why) => Action::Refused(why),
            },
        };
        planned.plan.steps.push(Step {
            site: site.id,
            label: model.place(site.nodes[0]),
            action,
        });
    }
    // of all that is there noise is no part, if there is dropout too
    if options.filters.is_empty() && planned.plan.applied().next().is_some() {
        for (site, step) in sites.iter().zip(&mut planned.plan.steps) {
            if let (Kind::GaussianNoise, Action::Refused(why)) = (site.kind, &step.action) {
                step.action = Action::NoEffect(why.clone());
            }
        }
    }
    for (change, owner) in planned.changes.iter().zip(owners) {
        if let Some(why) = leaf::refusal(values, model, change, &planned.changes) {
            planned.plan.steps[owner].action = Action::Refused(why);
        }
    }
    Ok(planned)
}

/// True if there is nothing to change.
fn is_so(site: &Site, options: &Options) -> bool {
    let rate = options.rate.is_none_or(|rate| {
        let told = site.rate_origin != RateOrigin::Default;
        told && site
            .rate
            .is_some_and(|now| now as f32 == rate.value() as f32)
    });
    let acting = options.acting.as_ref().is_none_or(|acting| match acting {
        Acting::Inert => site.mode == Mode::Inert && site.rate != Some(0.0),
        Acting::Active => site.mode == Mode::Active,
        Acting::Runtime(_) => false,
    });
    let seed = options.seed.is_none_or(|seed| match seed {
        Seed::Number(_) => false,
        Seed::None => site.seed.is_none(),
    });
    rate && acting && seed
}

/// The constants to change, or why a site cannot be set.
fn changes(
    model: &Model,
    values: &Values,
    site: &Site,
    options: &Options,
) -> Result<std::result::Result<Vec<Change>, String>> {
    if let Some(why) = &site.problem {
        return Ok(Err(why.clone()));
    }
    if site.form == Form::Operator {
        return operator::changes(model, values, site, options);
    }
    match &options.acting {
        Some(Acting::Active) if site.mode == Mode::Active => {}
        Some(acting) => {
            return Ok(Err(format!(
                "a mask cannot be made {acting}; replace it with a Dropout operator, with `strip` \
                 and then `insert --at`"
            )));
        }
        None => {}
    }
    if options.seed.is_some()
        && !site
            .source()
            .is_some_and(|source| takes_seed(model, source))
    {
        return Ok(Err("the draw of its mask has no seed".into()));
    }
    match options.rate {
        Some(rate) => mask::changes(model, values, site, rate),
        None => Ok(Ok(Vec::new())),
    }
}

fn takes_seed(model: &Model, source: crate::onnx::NodeId) -> bool {
    let known = crate::onnx::RANDOM_OPERATORS;
    known.iter().any(|op| model.node(source).is(op))
}

/// Changes the sites of the plan.
///
/// # Errors
/// The plan refuses a site, or the name of the switch is taken; the model is then not to be used.
pub fn apply(
    model: &mut Model,
    values: Values,
    sites: &[Site],
    options: &Options,
    planned: &Planned,
) -> Result<Outcome> {
    model.check(&values)?;
    if let Some((step, why)) = planned.plan.refusals().next() {
        return Err(Error::new(ErrorKind::Unsupported, why).at(&step.label));
    }
    let before = strip::graph_inputs(model, &values);
    let done = planned.changes.iter().map(|change| change.at).collect();
    let mut editor = Editor::new(model, values);
    let mut outcome = Outcome::default();
    leaf::apply(&mut editor, &planned.changes);
    for (index, step) in planned.plan.applied().enumerate() {
        let site = &sites[step.site];
        if let Some(seed) = options.seed {
            let seed = match seed {
                Seed::Number(first) => Some(first.wrapping_add(index as i64)),
                Seed::None => None,
            };
            set_seed(&mut editor, site, seed);
        }
        if site.form == Form::Operator {
            operator::apply(&mut editor, site, options, &done, &mut outcome)?;
        }
        outcome.changed += 1;
    }
    let values = editor.values();
    let idle = before.into_iter().filter(|&value| !values.is_used(value));
    outcome.idle_inputs = idle.map(|value| values[value].name.clone()).collect();
    editor.finish()?;
    Ok(outcome)
}

fn set_seed(editor: &mut Editor<'_>, site: &Site, seed: Option<i64>) {
    let node = site.source().unwrap_or(site.nodes[0]);
    match seed {
        None => editor.remove_attribute(node, "seed"),
        Some(seed) => {
            let seed = match site.form {
                Form::Operator => AttributeValue::Int(seed),
                _ => AttributeValue::Float(seed as f32),
            };
            editor.set_attribute(node, Attribute::new("seed", seed));
        }
    }
}

/// Reads what was changed again: it must be the dropout that was asked for.
fn check(after: &Model, before: &[Site], options: &Options, plan: &Plan) -> Result<()> {
    let sites = dropout::find_in(View::new(after, &Values::new(after)))?;
    for step in plan.applied() {
        let old = &before[step.site];
        let new = sites
            .iter()
            .find(|site| site.graph == old.graph && site.output_name == old.output_name);
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
