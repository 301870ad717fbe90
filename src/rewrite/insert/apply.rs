//! Inserting dropout at the places of a plan.

use crate::error::{Error, ErrorKind, Result};
use crate::hash::HashSet;
use crate::onnx::{Editor, Model, Name, Use, ValueId, Values};
use crate::rewrite::names::usage;
use crate::rewrite::{Acting, Action, Plan, switch};

use super::{Options, Outcome, Place, write};

/// The value after which to insert: what the chosen readers read by now. That is a dropout that was inserted before where two
/// follow each other.
fn read_by(editor: &Editor<'_>, place: &Place) -> ValueId {
    let view = editor.view();
    let readers = place.readers.iter().flatten();
    let mut read = readers.filter_map(|&at| match at {
        Use::Input { node, input } => Some(view.node(node).input(input as usize)?.id),
        Use::Output { graph, output } => Some(view.graph_output(graph, output as usize)?.id),
        Use::Annotation(_) | Use::Binding(_) | Use::Attribute(_) => None,
    });
    let first = read.next().unwrap_or(place.value);
    match read.all(|other| other == first) {
        true => first,
        false => place.value,
    }
}

/// Inserts dropout as planned. The places then have the names of the data and of the result.
///
/// # Errors
/// The plan refuses a place or has none, or the name of the switch is taken; the model is
/// then not to be used.
pub(super) fn apply(
    model: &mut Model,
    values: Values,
    options: &Options,
    places: &mut [Place],
    plan: &Plan,
) -> Result<Outcome> {
    if let Some((step, why)) = plan.refusals().next() {
        return Err(Error::new(ErrorKind::Unsupported, why.to_string()).at(&step.label));
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
        let value = read_by(&editor, place);
        let ends = write::write(
            &mut editor,
            &write::Written {
                value,
                readers: place.readers.as_deref(),
                label: &label,
                rate: place.rate,
                acting: &options.acting,
                seed: place.seed,
                mask_output: options.mask_output,
                shared: place.shared.as_ref(),
            },
        )?;
        (place.data, place.output) = (ends.data, ends.output);
        outcome.inserted += 1;
    }
    editor.finish()?;
    Ok(outcome)
}
