//! Cutting a mask off where it meets data.

use smallvec::smallvec;

use crate::dropout::{Exit, Site};
use crate::error::{Error, Result};
use crate::onnx::{Model, Name, Node, NodeId, ValueId, Values};

use super::{Factor, Strip};

/// Why a mask cannot be taken out.
pub(super) fn refusal(model: &Model, values: &Values, site: &Site) -> Option<String> {
    if let Some(why) = &site.entangled {
        return Some(why.clone());
    }
    site.exits.iter().find_map(|exit| {
        let graph = exit.node.graph;
        let here = |node: &NodeId| node.graph == graph;
        if !exit.path.iter().all(here) {
            return Some("a function rearranges its elements".to_string());
        }
        if exit.prescale.is_some_and(|p| p.shared) && !exit.chain(model, values).iter().all(here) {
            return Some("its data is scaled in a different graph".to_string());
        }
        let outputs = 0..model.node(exit.node).outputs.len();
        let mut others = outputs
            .filter_map(|output| values.output(model, exit.node, output))
            .filter(|&other| !site.exits.iter().any(|exit| exit.output == other));
        if others.any(|other| values.is_used(other)) {
            return Some("other outputs of its node are used".to_string());
        }
        (exit.needs_scale() && exit.factor(model, values).is_none()).then(|| {
            format!(
                "inference scales it by {}, but its element type is unknown",
                exit.scale
            )
        })
    })
}

/// Lets what uses an exit of a mask use the data, as inference has it.
pub(super) fn cut(strip: &mut Strip<'_>, exit: &Exit, factor: Option<Factor>) -> Result<()> {
    let id = exit.node;
    let editor = &strip.editor;
    let node = editor.model().node(id).clone();
    if !node.is_removed() {
        let inputs = 0..node.inputs.len();
        let inputs = inputs.filter_map(|input| editor.values().input(id, input));
        strip.idle.extend(inputs);
    }
    let mut chain = Vec::new();
    let mut data = strip.now(exit.data);
    if let Some(prescale) = &exit.prescale {
        let from = strip.now(prescale.from);
        if prescale.shared {
            chain = exit.chain(editor.model(), editor.values());
            data = from;
        } else if !editor.model().node(prescale.node).is_removed() {
            let scaled = editor.values().output(editor.model(), prescale.node, 0);
            let inputs = (0..2).filter_map(|input| editor.values().input(prescale.node, input));
            let inputs: Vec<ValueId> = inputs.filter(|&input| input != from).collect();
            strip.idle.extend(inputs);
            let label = editor.model().node(prescale.node).name.clone();
            strip.editor.remove_node(prescale.node);
            if let Some(scaled) = scaled {
                strip.replace(prescale.node, &label, scaled, from)?;
                data = strip.now(data);
            }
        }
    }
    chain.extend(&exit.path);
    if !node.is_removed() {
        strip.editor.remove_node(id);
    }
    let label = node.name;
    for step in chain {
        data = again(strip, step, id, data)?;
    }
    match factor {
        Some(factor) => multiply(strip, id, exit.output, data, (factor, exit.scale), &label),
        None => strip.replace(id, &label, exit.output, data),
    }
}

/// Repeats a node that moves elements about, on other data.
fn again(strip: &mut Strip<'_>, step: NodeId, before: NodeId, data: ValueId) -> Result<ValueId> {
    let editor = &mut strip.editor;
    let node = editor.model().node(step).clone();
    let hint = node.output(0).map_or("moved".to_string(), Name::to_string);
    let name = editor.fresh_name(&format!("{hint}/kept"));
    let mut inputs = node.inputs;
    if let Some(input) = inputs.first_mut() {
        *input = editor.values()[data].name.clone();
    }
    let node = Node {
        name: name.clone(),
        op_type: node.op_type,
        domain: node.domain,
        inputs,
        outputs: smallvec![name],
        attributes: node.attributes,
        ..Node::default()
    };
    let id = editor.insert_node(before.graph, Some(before), node);
    let output = editor.values().output(editor.model(), id, 0);
    output.ok_or_else(|| Error::model("has no output").at(editor.model().place(step)))
}

/// One `Mul` with the inference scale, in the place of a node that made `output`.
pub(super) fn multiply(
    strip: &mut Strip<'_>,
    removed: NodeId,
    output: ValueId,
    data: ValueId,
    ((element, bytes), scale): (Factor, f64),
    label: &Name,
) -> Result<()> {
    let editor = &mut strip.editor;
    let name = editor.values()[output].name.clone();
    let at = (removed.graph, Some(removed));
    let factor = editor.add_constant(at, &format!("{name}/scale"), (element, &[], &bytes));
    let multiply = Node {
        name: label.clone(),
        outputs: smallvec![name.clone()],
        ..Node::new("Mul").on([editor.values()[data].name.clone(), factor])
    };
    editor.insert_node(at.0, at.1, multiply);
    strip.outcome.scales.push((name, scale));
    Ok(())
}
