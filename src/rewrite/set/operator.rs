//! The ratio, the flag and the seed of a `Dropout`, in every version.

use crate::dropout::{Mode, OperatorVersion, RateOrigin, Site, version};
use crate::error::Result;
use crate::hash::HashSet;
use crate::onnx::{
    Attribute, AttributeValue, DataType, Editor, Elements, Model, NodeId, ValueId, Values,
};
use crate::rewrite::{Acting, strip, switch};

use super::leaf::{self, Change, Place};
use super::{Options, Outcome};

/// Which inputs of Dropout-12 these are.
const RATIO: usize = 1;
const FLAG: usize = 2;

fn law(model: &Model, site: &Site) -> OperatorVersion {
    version(model.opset(site.graph, "").unwrap_or(i64::MAX))
}

/// The constants to change, or why the operator cannot be set.
pub(super) fn changes(
    model: &Model,
    values: &Values,
    site: &Site,
    options: &Options,
) -> Result<std::result::Result<Vec<Change>, String>> {
    let law = law(model, site);
    let acting = options.acting.as_ref();
    if let Some(why) = acting.and_then(|acting| acting.refusal(model, site.graph)) {
        return Ok(Err(why));
    }
    if law != OperatorVersion::Inputs {
        let opset = model.opset(site.graph, "").unwrap_or(1);
        let why = || format!("Dropout of opset {opset} has no seed");
        return Ok(match options.seed {
            Some(_) => Err(why()),
            None => Ok(Vec::new()),
        });
    }
    let id = site.nodes[0];
    let mut changes = Vec::new();
    if let Some(rate) = options.rate {
        match leaf::find(model, values, (id, RATIO))? {
            Some(leaf) => changes.push(Change {
                at: (id, RATIO),
                leaf,
                number: rate.value(),
            }),
            None if matches!(site.rate_origin, RateOrigin::Input | RateOrigin::Unknown) => {
                let name = model.node(id).input(RATIO);
                let name = name.map_or("?".to_string(), ToString::to_string);
                return Ok(Err(format!("its rate is decided at run time, by `{name}`")));
            }
            None => {}
        }
    }
    // a flag that only a run decides is replaced, not changed
    if let Some(on) = acting.and_then(constant_flag)
        && site.mode != Mode::Runtime
        && let Some(leaf) = leaf::find(model, values, (id, FLAG))?
    {
        changes.push(Change {
            at: (id, FLAG),
            leaf,
            number: f64::from(on),
        });
    }
    Ok(Ok(changes))
}

fn constant_flag(acting: &Acting) -> Option<u8> {
    match acting {
        Acting::Inert => Some(0),
        Acting::Active => Some(1),
        Acting::Runtime(_) => None,
    }
}

/// Makes the changes that are not changes of a constant. `done` are the inputs already changed.
pub(super) fn apply(
    editor: &mut Editor<'_>,
    site: &Site,
    options: &Options,
    done: &HashSet<Place>,
    outcome: &mut Outcome,
) -> Result<()> {
    let id = site.nodes[0];
    let law = law(editor.model(), site);
    if law != OperatorVersion::Inputs {
        if let Some(rate) = options.rate {
            let ratio = AttributeValue::Float(rate.value() as f32);
            editor.set_attribute(id, Attribute::new("ratio", ratio));
        }
        if let (OperatorVersion::IsTest, Some(acting)) = (law, &options.acting) {
            let test = AttributeValue::Int(i64::from(*acting == Acting::Inert));
            editor.set_attribute(id, Attribute::new("is_test", test));
        }
        return Ok(());
    }
    if let Some(rate) = options.rate
        && !done.contains(&(id, RATIO))
    {
        let hint = format!("{}/ratio", label(editor, id));
        let bytes = (rate.value() as f32).to_le_bytes();
        add(editor, id, RATIO, &hint, (DataType::FLOAT, &[], &bytes));
    }
    match &options.acting {
        Some(Acting::Runtime(name)) => {
            let (input, added) = switch::input(editor, name)?;
            outcome.switch = Some(name.clone());
            outcome.added_input |= added;
            replace(editor, id, FLAG, input);
        }
        Some(acting) if !done.contains(&(id, FLAG)) => {
            let on = constant_flag(acting).unwrap_or(0);
            let absent = editor.values().input(id, FLAG).is_none();
            if on == 1 || !absent {
                let hint = format!("{}/training_mode", label(editor, id));
                add(editor, id, FLAG, &hint, (DataType::BOOL, &[], &[on]));
            }
        }
        _ => {}
    }
    Ok(())
}

fn label(editor: &Editor<'_>, id: NodeId) -> String {
    let output = editor.model().node(id).output(0);
    output.map_or_else(|| editor.model().label(id), ToString::to_string)
}

fn add(editor: &mut Editor<'_>, id: NodeId, input: usize, hint: &str, elements: Elements<'_>) {
    let name = editor.add_constant((id.graph, Some(id)), hint, elements);
    if let Some(value) = editor.values().lookup(editor.model(), id.graph, &name) {
        replace(editor, id, input, value);
    }
}

/// Replaces an input, and removes nodes left unused.
fn replace(editor: &mut Editor<'_>, id: NodeId, input: usize, value: ValueId) {
    let old = editor.values().input(id, input);
    editor.set_input(id, input, value);
    if let Some(old) = old.filter(|&old| old != value) {
        strip::prune(editor, old, &mut strip::Outcome::default());
    }
}
