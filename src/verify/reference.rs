//! What a model with masks is compared by when it is run: the original, with every mask where it
//! keeps all it meets.
//!
//! The draw of each mask is replaced by one that keeps its element, such as 0.75 for `u ≥ 0.5`, in the
//! shape the draw has; the mask, and whatever makes it, is computed from that as the file says. Kept
//! elements come out scaled by `1/(1-p)` (or not, or as alpha dropout does): what comes out is put
//! back to the inference scale by one `Mul`, after a `Sub` where something was added. Normal draws
//! become their mean. Nothing is cut, and nothing of how strip cuts is used.
//!
//! A mask that an input switches on is compared with that input off, one whose rate is an input with
//! that input at some rate.

use std::collections::BTreeMap;

use crate::dropout::{self, Exit, Form, FrozenInput, KeptDraw, Kind, Site};
use crate::error::Result;
use crate::onnx::{DataType, Editor, Model, Values, encode_float, encode_number};
use crate::rewrite::Edited;
use crate::rewrite::wiring::{constant, detach, drawn_element, drawn_shape, fix, put, value};

/// A model whose masks keep everything.
#[derive(Debug)]
pub(super) struct Reference {
    pub edited: Edited,
    /// True if putting outputs back to the inference scale rounds nothing.
    pub exact: bool,
    /// What was done, in words.
    pub notes: Vec<String>,
}

/// What there is to run in a model's place.
#[derive(Debug)]
pub(super) enum Stand {
    /// The model itself: it has no masks.
    Itself,
    /// A copy whose masks keep everything.
    In(Box<Reference>),
    /// Nothing, and why.
    Nothing(String),
}

/// Lets every mask keep everything.
///
/// # Errors
/// The model is not sound, or cannot be put together.
pub(super) fn of(model: &Model) -> Result<Stand> {
    let values = Values::new(model);
    let mut sites = dropout::find_masks(model, &values)?;
    sites.retain(|site| site.entangled.is_none());
    let untold = |site: &&Site| site.form == Form::RandomMask && site.kept_draw.is_none();
    if let Some(site) = sites.iter().find(untold) {
        let place = model.place(site.nodes[0]);
        let why = format!("{place}: the calls of its function keep different draws");
        return Ok(Stand::Nothing(why));
    }
    let sites: Vec<&Site> = sites.iter().collect();
    if sites.is_empty() {
        return Ok(Stand::Itself);
    }
    let mut copy = model.clone();
    let mut editor = Editor::new(&mut copy, values);
    let mut exact = true;
    for site in &sites {
        let off = site.switch.zip(site.off);
        for (input, number) in off.into_iter().chain(site.assumed) {
            fix(&mut editor, input, number)?;
        }
        if let Some(draw) = site.kept_draw {
            keep(&mut editor, draw);
        }
        for frozen in site.exits.iter().filter_map(|exit| exit.frozen.as_ref()) {
            thaw(&mut editor, frozen);
        }
        for exit in &site.exits {
            exact &= match site.off {
                None => put_back(&mut editor, exit),
                Some(_) => exit.scale == 1.0 && exit.prescale.is_none(),
            };
        }
    }
    editor.finish()?;
    Ok(Stand::In(Box::new(Reference {
        edited: Edited::new(&copy)?,
        exact,
        notes: notes(model, &sites),
    })))
}

fn notes(model: &Model, sites: &[&Site]) -> Vec<String> {
    let mut kinds: BTreeMap<(Form, Kind), usize> = BTreeMap::new();
    let mut draws = Vec::new();
    for site in sites {
        *kinds.entry((site.form, site.kind)).or_default() += 1;
        if let Some(draw) = site.kept_draw {
            let draw = format!("{}", draw.value as f32);
            if !draws.contains(&draw) {
                draws.push(draw);
            }
        }
    }
    let kinds = kinds.into_iter().map(|((form, kind), count)| match form {
        Form::FrozenMask => format!("{count} frozen {kind}"),
        _ => format!("{count} random {kind}"),
    });
    let kinds: Vec<String> = kinds.collect();
    let mut note = format!("masks keep everything ({})", kinds.join(", "));
    if !draws.is_empty() {
        draws.truncate(6);
        note.push_str(&format!("; their draws are {}", draws.join(", ")));
    }
    note.push_str("; what they let out is put back to the inference scale");
    let mut notes = vec![note];
    for site in sites {
        if let (Some(_), Some(off)) = (site.switch, site.off) {
            let place = model.place(site.nodes[0]);
            notes.push(format!("{place}: its switch is {off}, which is off"));
        }
        if let Some((_, rate)) = site.assumed {
            let place = model.place(site.nodes[0]);
            notes.push(format!("{place}: the input that is its rate is {rate}"));
        }
    }
    notes
}

/// Replaces a constant mask by the number that it is where it keeps.
fn thaw(editor: &mut Editor<'_>, frozen: &FrozenInput) {
    let FrozenInput { node, input, kept } = *frozen;
    let (model, values) = (editor.model(), editor.values());
    let mask = values.input(node, input);
    let element = match model.node(node).is("Where") {
        true => Some(DataType::BOOL),
        false => mask.and_then(|mask| model.element_type(values, mask)),
    };
    let element = element.unwrap_or(DataType::FLOAT);
    if let Some(bytes) = encode_number(element, kept) {
        let at = (node.graph, Some(node));
        let name = constant(editor, at, "mask/kept", (element, &[], bytes));
        if let Some(value) = editor.values().lookup(editor.model(), node.graph, &name) {
            editor.set_input(node, input, value);
        }
    }
}

/// Replaces a draw by a constant in its shape.
fn keep(editor: &mut Editor<'_>, draw: KeptDraw) {
    let id = draw.source;
    let (model, values) = (editor.model(), editor.values());
    let node = model.node(id).clone();
    let Some(output) = node.output(0).cloned().filter(|_| !node.is_removed()) else {
        return;
    };
    let element = drawn_element(model, values, id).unwrap_or(DataType::FLOAT);
    let Some(bytes) = encode_number(element, draw.value) else {
        return;
    };
    let at = (id.graph, Some(id));
    let Some(shape) = drawn_shape(editor, id) else {
        return;
    };
    editor.remove_node(id);
    let value = value((element, &[1], bytes));
    put(
        editor,
        at,
        "ConstantOfShape",
        vec![shape],
        Some(value),
        Ok(output),
    );
}

/// Puts what comes out of a mask that keeps everything back to the inference scale. True if that
/// rounds nothing that the model after does not round as well.
fn put_back(editor: &mut Editor<'_>, exit: &Exit) -> bool {
    let (a, b) = exit.kept;
    let factor = exit.scale / a;
    let model = editor.model();
    let found = [exit.output, exit.data].into_iter();
    let element = found
        .filter_map(|value| model.element_type(editor.values(), value))
        .next()
        .unwrap_or(DataType::FLOAT);
    if factor == 1.0 && b == 0.0 {
        return exit.prescale.is_none();
    }
    let (Some(shift), Some(scale)) = (encode_float(element, b), encode_float(element, factor))
    else {
        return false;
    };
    let Some((mut data, at, name)) = detach(editor, exit.node, exit.output) else {
        return false;
    };
    if b != 0.0 {
        let shift = constant(editor, at, "kept/shift", (element, &[], shift));
        data = put(
            editor,
            at,
            "Sub",
            vec![data, shift],
            None,
            Err("kept/shifted"),
        );
    }
    let scale = constant(editor, at, "kept/scale", (element, &[], scale));
    put(editor, at, "Mul", vec![data, scale], None, Ok(name));
    let power_of_two = factor.log2().fract() == 0.0;
    b == 0.0 && (power_of_two || (a == 1.0 && exit.prescale.is_none()))
}
