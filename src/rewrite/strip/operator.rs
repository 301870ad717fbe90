//! Removing a `Dropout`: nothing stays of it, or, if it is classic, its scale.

use crate::dropout::{Convention, MaskUse, OperatorVersion, Site, version};
use crate::error::{Error, Result};
use crate::onnx::{NodeId, ValueId};
use crate::rewrite::Reason;
use crate::semantics::view::View;

use super::mask;
use super::random_mask::multiply;
use super::removal::{Factor, Strip};

/// Why a classic dropout cannot leave its scale.
pub(super) fn refusal(view: View<'_>, site: &Site) -> Option<Reason> {
    if site.convention != Some(Convention::Classic) {
        return None;
    }
    let because = |why: &str| format!("classic dropout scales by 1-p, {why}").into();
    Some(match site.classic_scale() {
        _ if site.lost_rate(view.model) => Reason::Unknown(because(
            "and it has no ratio input: the exporter probably lost p. Set it with \
             `dropout-onnx set --rate` first",
        )),
        None => match site.rate.filter(|rate| !(0.0..1.0).contains(rate)) {
            Some(rate) => {
                let why = format!("but its rate of {rate} is outside [0, 1)");
                Reason::Invalid(because(&why))
            }
            None => Reason::Computed(because("but the rate is not constant")),
        },
        Some(_) if site.classic_factor(view).is_none() => {
            Reason::Unknown(because("but its element type is unknown"))
        }
        Some(_) => return None,
    })
}

/// Removes the gradients of a dropout that is the identity.
pub(super) fn pass_gradients(strip: &mut Strip<'_>, id: NodeId) -> Result<()> {
    let gradients = mask::own_gradients(strip.editor.view().node(id));
    let gradients: Vec<NodeId> = gradients.map(|node| node.id).collect();
    gradients
        .into_iter()
        .try_for_each(|gradient| pass_gradient(strip, gradient))
}

/// Lets what reads the gradient of a dropout's data read that of its result.
fn pass_gradient(strip: &mut Strip<'_>, id: NodeId) -> Result<()> {
    let node = strip.editor.view().node(id);
    let label = node.name.clone();
    let others = node.given().filter(|&(input, _)| input > 1);
    let others: Vec<ValueId> = others.map(|(_, value)| value.id).collect();
    let (gradient, output) = (node.input(0), node.output(0));
    let (gradient, output) = (gradient.map(|value| value.id), output.map(|value| value.id));
    strip.editor.remove_node(id);
    if let (Some(gradient), Some(output)) = (gradient, output) {
        let gradient = strip.now(gradient);
        strip.replace(id, &label, output, gradient)?;
    }
    strip.idle.extend(others);
    Ok(())
}

/// Removes it; what stays is a `Mul` by `factor`, if there is one.
pub(super) fn remove(strip: &mut Strip<'_>, site: &Site, factor: Option<Factor>) -> Result<()> {
    let id = site.nodes[0];
    if factor.is_none() {
        pass_gradients(strip, id)?;
    }
    let view = strip.editor.view();
    let node = view.node(id);
    let Some(data) = node.input(0).map(|data| data.id) else {
        return Err(Error::model("has no data input").at(node.place()));
    };
    let label = node.name.clone();
    let others = node.given().filter(|&(input, _)| input > 0);
    let others: Vec<ValueId> = others.map(|(_, value)| value.id).collect();
    let output = node.output(0).map(|output| output.id);
    // A mask of the data's type has to know it, and the data may lose its name below.
    let ones = match node.output(1) {
        Some(mask) if site.mask != MaskUse::Unused && mask.is_used() => {
            let opset = view.model.opset(id.graph, "").unwrap_or(1);
            let typed = version(opset) < OperatorVersion::InferenceBool;
            let element = mask::element_type(view, site, typed)
                .ok_or_else(|| Error::model("the element type of its mask is unknown"))?;
            Some((mask.name.clone(), element, opset))
        }
        _ => None,
    };
    strip.editor.remove_node(id);
    match (output, factor) {
        (Some(output), Some(factor)) if strip.editor.values().is_used(output) => {
            let scale = site.classic_scale().unwrap_or(1.0);
            multiply(strip, id, output, data, (factor, scale), &label)?;
        }
        (Some(output), _) => strip.replace(id, &label, output, data)?,
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
