//! Removing a `Dropout`: nothing stays of it, or, if it is classic, its scale.

use crate::dropout::{Convention, MaskUse, OperatorVersion, Site, version};
use crate::error::{Error, Result};
use crate::onnx::{Model, ValueId, Values};

use super::random_mask::multiply;
use super::{Factor, Strip, mask};

/// Why a classic dropout cannot leave its scale.
pub(super) fn refusal(
    model: &Model,
    values: &Values,
    site: &Site,
    convention: Convention,
) -> Option<String> {
    if convention == Convention::Inverted {
        return None;
    }
    let why = match site.classic_scale() {
        _ if site.lost_rate(model) => {
            "and it has no ratio input: the exporter probably lost p. Set it with \
             `dropout-onnx set --rate` first"
        }
        None => "but the rate is not constant",
        Some(_) if site.classic_factor(model, values).is_none() => {
            "but its element type is unknown"
        }
        Some(_) => return None,
    };
    Some(format!("classic dropout scales by 1-p, {why}"))
}

/// Removes it; what stays is a `Mul` by `factor`, if there is one.
pub(super) fn remove(strip: &mut Strip<'_>, site: &Site, factor: Option<Factor>) -> Result<()> {
    let id = site.nodes[0];
    let editor = &mut strip.editor;
    let Some(data) = editor.values().input(id, 0) else {
        return Err(Error::model("has no data input").at(editor.model().place(id)));
    };
    let node = editor.model().node(id).clone();
    let others: Vec<ValueId> = (1..node.inputs.len())
        .filter_map(|input| editor.values().input(id, input))
        .collect();
    let output = editor.values().output(editor.model(), id, 0);
    let mask = editor.values().output(editor.model(), id, 1);
    // A mask of the data's type has to know it, and the data may lose its name below.
    let ones = match mask {
        Some(mask) if site.mask != MaskUse::Unused && editor.values().is_used(mask) => {
            let opset = editor.model().opset(id.graph, "").unwrap_or(1);
            let typed = version(opset) < OperatorVersion::InferenceBool;
            let name = editor.values()[mask].name.clone();
            let element = mask::element_type(editor.model(), editor.values(), site, typed)
                .ok_or_else(|| Error::model("the element type of its mask is unknown"))?;
            Some((name, element, opset))
        }
        _ => None,
    };
    editor.remove_node(id);
    match (output, factor) {
        (Some(output), Some(factor)) if strip.editor.values().is_used(output) => {
            let scale = site.classic_scale().unwrap_or(1.0);
            multiply(strip, id, output, data, (factor, scale), &node.name)?;
        }
        (Some(output), _) => strip.replace(id, &node.name, output, data)?,
        (None, _) => {}
    }
    if let Some((name, element, opset)) = ones {
        let data = strip.editor.values()[data].name.clone();
        mask::insert_ones(&mut strip.editor, id, &data, &name, element, opset);
        strip.outcome.masks.push(name);
    }
    strip.idle.extend(others);
    Ok(())
}
