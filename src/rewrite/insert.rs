//! Insert: dropout put into a model, for fine-tuning or for Monte-Carlo runs.
//!
//! A dropout stands behind a value: what used the value, in whatever graph, uses the dropout. An
//! output of the model keeps its name. What is written is the `Dropout` of the model's opset, or a
//! random mask of other operators where it is to be shared along axes (spatial dropout). Stripping the
//! result gives back the original, byte for byte; an input that was added for a switch stays.

mod candidates;
mod choose;
mod fit;
mod flow;
#[cfg(feature = "plan-files")]
mod plan_file;
mod preset;
mod selector;
mod write;

use std::fmt;

use crate::dropout::{self, Shapes, Site};
use crate::error::{Error, ErrorKind, Result};
use crate::hash::HashSet;
use crate::onnx::{DataType, Editor, GraphId, Model, Name, Producer, ValueId, ValueInfo, Values};
use crate::semantics::view::View;

use super::{Acting, Action, Edited, Plan, Rate, Step, switch};
pub use candidates::{Candidate, candidates};
use choose::Chooser;
pub(super) use choose::{glob, nearest, usage};
use fit::{Fit, Unfit, Wanted};
use flow::Flow;
#[cfg(feature = "plan-files")]
pub use plan_file::{PlanFile, plan_text};
pub use preset::Preset;
pub use selector::By;

/// What to insert.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Where; whatever any of them matches.
    pub choices: Vec<Choice>,
    /// The rate of choices that have none of their own.
    pub rate: Option<Rate>,
    /// Whether it acts.
    pub acting: Acting,
    /// The seed of the first; the others have those that follow.
    pub seed: Option<i64>,
}

/// Values chosen by all that is given here.
#[derive(Clone, Debug, Default)]
pub struct Choice {
    /// The value of this name, exactly.
    pub at: Option<Name>,
    /// Values of graphs whose scope matches this pattern: `graph`, `graph/*`, `function:*`.
    pub scope: Option<String>,
    /// First outputs of operators of this type.
    pub after: Option<String>,
    /// Values, or first outputs of nodes, whose name matches this pattern.
    pub name: Option<String>,
    /// What the layers whose path matches this pattern hand on; with other criteria, whatever is
    /// made in them.
    pub layer: Option<String>,
    /// A position that has a name.
    pub preset: Option<Preset>,
    /// Their rate.
    pub rate: Option<Rate>,
    /// The axes along which their masks are shared: `[2, 3]` for whole channels of images.
    pub shared_axes: Option<Vec<i64>>,
}

/// A value that was chosen.
#[derive(Clone, Debug)]
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
    /// The choice that counted.
    choice: usize,
    /// Its mask, where that is shared along axes.
    shared: Option<write::Shared>,
}

/// The result of insert, in addition to its plan.
#[derive(Clone, Debug, Default, PartialEq)]
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
pub struct Inserted {
    /// The values that were chosen.
    pub places: Vec<Place>,
    /// What was planned for each.
    pub plan: Plan,
    /// What was done.
    pub outcome: Outcome,
    /// The result.
    pub edited: Edited,
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
/// value, or what is asked for cannot be written there: then nothing is.
///
/// # Examples
/// ```
/// # fn main() -> dropout_onnx::Result<()> {
/// use dropout_onnx::onnx::Model;
/// use dropout_onnx::rewrite::insert::{Choice, Options, Preset, insert};
/// use dropout_onnx::rewrite::{Rate, strip};
///
/// let model = Model::open("fixtures/torch_course_eval_op17.onnx")?;
/// let options = Options {
///     choices: vec![Choice { preset: Some(Preset::Head), ..Choice::default() }],
///     rate: Some(Rate::new(0.3)?),
///     ..Options::default()
/// };
/// let inserted = insert(&model, &options)?;
/// assert_eq!(inserted.outcome.inserted, 2);
///
/// let stripped = strip::strip(&inserted.edited.model, &strip::Options::default())?;
/// assert_eq!(stripped.edited.rope.len(), model.source().len()); // the original again
/// # Ok(())
/// # }
/// ```
pub fn insert(model: &Model, options: &Options) -> Result<Inserted> {
    insert_unnamed(model, options).map_err(|e| model.source().name_in(e))
}

fn insert_unnamed(model: &Model, options: &Options) -> Result<Inserted> {
    let values = Values::new(model);
    let (mut places, plan) = plan(model, &values, options)?;
    let mut copy = model.clone();
    let outcome = apply(&mut copy, values, options, &mut places, &plan)?;
    let edited = Edited::new(&copy)?;
    undisturbed(model, &edited.model)?;
    Ok(Inserted {
        places,
        plan,
        outcome,
        edited,
    })
}

/// Checks that dropout which was there before as a mask is still seen to be one.
fn undisturbed(before: &Model, after: &Model) -> Result<()> {
    let old = Values::new(before);
    let old = dropout::find_masks(View::new(before, &old))?;
    if old.is_empty() {
        return Ok(());
    }
    let new = dropout::find_masks(View::new(after, &Values::new(after)))?;
    let same = |old: &Site| {
        let mut new = new.iter();
        new.any(|new| {
            new.graph == old.graph
                && new.output_name == old.output_name
                && new.rate == old.rate
                && new.exits.len() == old.exits.len()
                && new.entangled.is_some() == old.entangled.is_some()
        })
    };
    match old.iter().find(|site| !same(site)) {
        None => Ok(()),
        Some(hidden) => {
            let why = "the inserted dropout would hide this random mask; `strip` the model first, or \
                       select other values";
            Err(Error::new(ErrorKind::Unsupported, why).at(before.place(hidden.nodes[0])))
        }
    }
}

/// Plans dropout for the values that were chosen.
///
/// # Errors
/// As [`insert`], but for what cannot be written: that is in the plan.
pub fn plan(model: &Model, values: &Values, options: &Options) -> Result<(Vec<Place>, Plan)> {
    if options.choices.is_empty() {
        return Err(usage("no position selected for dropout".into()));
    }
    let flow = Flow::new(model, values)?;
    let fit = Fit::new(&flow)?;
    let mut places = chosen(&flow, &fit, options)?;
    let mut plan = Plan::default();
    let mut seeds = 0;
    for (index, place) in places.iter_mut().enumerate() {
        let choice = &options.choices[place.choice];
        let wanted = Wanted::new(choice, options);
        let action = match fit.unfit(place.value, &wanted) {
            None => Action::Apply,
            Some(Unfit::Left(why)) if wanted.exact => Action::Refused(why),
            Some(Unfit::Left(why)) => Action::NoEffect(why),
            Some(Unfit::Refused(why)) => Action::Refused(why),
        };
        if action == Action::Apply {
            place.seed = options.seed.map(|seed| seed.wrapping_add(seeds));
            seeds += 1;
        }
        plan.steps.push(Step {
            site: index,
            label: label(model, values, place.value),
            action,
        });
    }
    Ok((places, plan))
}

/// The selected values, each with its settings.
fn chosen(flow: &Flow<'_>, fit: &Fit<'_>, options: &Options) -> Result<Vec<Place>> {
    for choice in &options.choices {
        if choice.rate.or(options.rate).is_none() {
            return Err(usage(format!(
                "{choice}: no rate; give --rate, or append =RATE"
            )));
        }
    }
    let chosen = Chooser::new(flow).all(options)?.into_iter();
    let places = chosen.filter_map(|(value, index)| {
        let (known, choice) = (&flow.values[value], &options.choices[index]);
        Some(Place {
            value,
            graph: known.graph,
            data: known.name.clone(),
            output: known.name.clone(),
            rate: choice.rate.or(options.rate)?,
            seed: None,
            shared_axes: choice.shared_axes.clone(),
            choice: index,
            shared: choice.shared_axes.clone().map(|axes| write::Shared {
                axes,
                rank: fit.shape(value).map_or(0, |shape| shape.len()),
                element: flow.element_type(value).unwrap_or(DataType::FLOAT),
            }),
        })
    });
    Ok(places.collect())
}

fn label(model: &Model, values: &Values, value: ValueId) -> String {
    let known = &values[value];
    match known.producer {
        Producer::Node { node, .. } => model.place(node),
        _ => format!("{}: `{}`", model.scope(known.graph), known.name),
    }
}

impl<'m> Fit<'m> {
    fn new(flow: &'m Flow<'m>) -> Result<Self> {
        let (model, values) = (flow.model, flow.values);
        let mut dropped = HashSet::default();
        for site in dropout::find_in(View::new(model, values))? {
            dropped.extend(site.input);
            dropped.extend(site.output);
            for exit in &site.exits {
                dropped.extend([exit.data, exit.output]);
            }
            let mask = site.mask_nodes(model, values).into_iter();
            for id in mask.chain(site.nodes.iter().copied()) {
                let outputs = 0..model.node(id).outputs.len();
                dropped.extend(outputs.filter_map(|output| values.output(model, id, output)));
            }
        }
        through_calls(flow, &mut dropped);
        Ok(Fit {
            model,
            values,
            flow,
            shapes: Shapes::new(model, values),
            implied: crate::semantics::shapes::Shapes::new(model, values),
            dropped,
        })
    }
}

/// What calls pass to dropout inside functions, and what comes out of it through them.
fn through_calls(flow: &Flow<'_>, dropped: &mut HashSet<ValueId>) {
    let (model, values) = (flow.model, flow.values);
    for &function in flow.calls.callers_first().iter().rev() {
        let body = model.functions[function].body;
        let graph = model.graph(body);
        let formal = |info: &ValueInfo| values.lookup(model, body, &info.name);
        for &call in flow.calls.of(function) {
            for (index, info) in graph.inputs.iter().enumerate() {
                if formal(info).is_some_and(|value| dropped.contains(&value)) {
                    dropped.extend(values.input(call, index));
                }
            }
            for (index, info) in graph.outputs.iter().enumerate() {
                if formal(info).is_some_and(|value| dropped.contains(&value)) {
                    dropped.extend(values.output(model, call, index));
                }
            }
        }
    }
}

/// Puts dropout in where the plan says so. The places then have the names of what goes in and comes
/// out.
///
/// # Errors
/// The plan refuses a place, nothing is left to do, or the name of the switch is taken; the model is
/// then not to be used.
pub fn apply(
    model: &mut Model,
    values: Values,
    options: &Options,
    places: &mut [Place],
    plan: &Plan,
) -> Result<Outcome> {
    if let Some((step, why)) = plan.refusals().next() {
        return Err(Error::new(ErrorKind::Unsupported, why).at(&step.label));
    }
    if plan.applied().next().is_none() {
        let why = plan.steps.first().map(|step| match &step.action {
            Action::NoEffect(why) => format!("{}: {why}", step.label),
            _ => String::new(),
        });
        let why = why.unwrap_or_default();
        return Err(usage(format!(
            "dropout cannot be inserted after any selected value: {why}"
        )));
    }
    let names: HashSet<Name> = model.nodes().map(|(_, node)| node.name.clone()).collect();
    let mut editor = Editor::new(model, values);
    let mut outcome = Outcome::default();
    if let Acting::Runtime(name) = &options.acting {
        let (_, added) = switch::input(&mut editor, name)?;
        outcome.switch = Some(name.clone());
        outcome.added_input = added;
    }
    for step in plan.applied() {
        let place = &mut places[step.site];
        let hint = format!("{}/dropout", place.data);
        let mut label = editor.fresh_name(&hint);
        while names.contains(&label) {
            label = editor.fresh_name(&hint);
        }
        let ends = write::write(
            &mut editor,
            &write::Written {
                value: place.value,
                label: &label,
                rate: place.rate,
                acting: &options.acting,
                seed: place.seed,
                shared: place.shared.as_ref(),
            },
        )?;
        (place.data, place.output) = (ends.data, ends.output);
        outcome.inserted += 1;
    }
    editor.finish()?;
    Ok(outcome)
}
