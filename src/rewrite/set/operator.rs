//! The ratio, the flag and the seed of a `Dropout`, in every version.

use crate::dropout::{Mode, OperatorVersion, RateOrigin, Site, version};
use crate::error::Result;
use crate::hash::HashSet;
use crate::onnx::{
    Attribute, AttributeValue, DataType, Editor, Elements, Model, Name, NodeId, ValueId,
    encode_float,
};
use crate::rewrite::prune::{self, Pruned};
use crate::rewrite::{Acting, Reason, switch};
use crate::semantics::view::View;

use super::change::{Change, Place};
use super::constant;
use super::{Changes, Options, Outcome};

/// Which inputs of Dropout-12 these are.
const RATIO: usize = 1;
const FLAG: usize = 2;

fn law(model: &Model, site: &Site) -> OperatorVersion {
    version(model.opset(site.graph, "").unwrap_or(i64::MAX))
}

/// The constants to change, or why the operator cannot be set.
pub(super) fn changes(view: View<'_>, site: &Site, options: &Options) -> Result<Changes> {
    let model = view.model;
    let law = law(model, site);
    let acting = options.acting.as_ref();
    if let Some(why) = acting.and_then(|acting| acting.refusal(model, site.graph)) {
        return Ok(Err(why));
    }
    if law != OperatorVersion::Inputs {
        let opset = model.opset(site.graph, "").unwrap_or(1);
        let why = || format!("Dropout of opset {opset} has no seed");
        return Ok(match options.seed {
            Some(_) => Err(Reason::Inexpressible(why().into())),
            None => Ok(Vec::new()),
        });
    }
    let node = view.node(site.nodes[0]);
    let mut changes = Vec::new();
    if let Some(rate) = options.rate.filter(|_| site.passed.is_none()) {
        match constant::find(node, RATIO)? {
            Some(constant) => changes.push(Change {
                at: (node.id, RATIO),
                constant,
                number: rate.value(),
            }),
            None if matches!(site.rate_origin, RateOrigin::Input | RateOrigin::Unknown) => {
                let name = node.get().input(RATIO);
                let name = name.map_or("?".to_string(), ToString::to_string);
                let why = format!("its rate is decided at run time, by `{name}`");
                return Ok(Err(Reason::Computed(why.into())));
            }
            None => {}
        }
    }
    // a flag that only a run decides is replaced, not changed
    if let Some(on) = acting.and_then(constant_flag)
        && site.mode != Mode::Runtime
        && let Some(constant) = constant::find(node, FLAG)?
    {
        changes.push(Change {
            at: (node.id, FLAG),
            constant,
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
    if let (Some((call, name)), Some(rate)) = (site.passed.as_deref(), options.rate) {
        pass(editor, (*call, name), rate.value());
    }
    let rate = options.rate.filter(|_| site.passed.is_none());
    if law != OperatorVersion::Inputs {
        if let Some(rate) = rate {
            let ratio = AttributeValue::Float(rate.value() as f32);
            editor.set_attribute(id, Attribute::new("ratio", ratio));
        }
        if let (OperatorVersion::IsTest, Some(acting)) = (law, &options.acting) {
            let test = AttributeValue::Int(i64::from(*acting == Acting::Inert));
            editor.set_attribute(id, Attribute::new("is_test", test));
        }
        return Ok(());
    }
    if let Some(rate) = rate
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

/// Lets a call pass a rate in an attribute: as the tensor that is there, or else as a float.
fn pass(editor: &mut Editor<'_>, (call, name): (NodeId, &Name), rate: f64) {
    let given = editor.model().node(call).attributes.iter();
    let given = given.rev().find(|given| given.name == *name);
    let value = match given.map(|given| &given.value) {
        Some(AttributeValue::Tensor(tensor)) => {
            let bytes = encode_float(tensor.data_type, rate);
            let dims = tensor.dims.clone();
            bytes.map(|bytes| Attribute::tensor((tensor.data_type, &dims, &bytes)).value)
        }
        _ => None,
    };
    let value = value.unwrap_or(AttributeValue::Float(rate as f32));
    editor.set_attribute(call, Attribute::new(&name.to_string(), value));
}

fn label(editor: &Editor<'_>, id: NodeId) -> String {
    let output = editor.model().node(id).output(0).cloned();
    output
        .unwrap_or_else(|| editor.model().label(id))
        .to_string()
}

fn add(editor: &mut Editor<'_>, id: NodeId, input: usize, hint: &str, elements: Elements<'_>) {
    let name = editor.add_constant((id.graph, Some(id)), hint, elements);
    let value = editor.view().lookup(id.graph, &name).map(|value| value.id);
    if let Some(value) = value {
        replace(editor, id, input, value);
    }
}

/// Replaces an input, and removes nodes left unused.
fn replace(editor: &mut Editor<'_>, id: NodeId, input: usize, value: ValueId) {
    let old = editor.values().input(id, input);
    editor.set_input(id, input, value);
    if let Some(old) = old.filter(|&old| old != value) {
        prune::prune(editor, old, &mut Pruned::default());
    }
}
