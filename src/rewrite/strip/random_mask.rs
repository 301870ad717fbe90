//! Removing a mask where it is applied to data.

use smallvec::smallvec;

use crate::dropout::{Junction, Site};
use crate::error::{Error, Result};
use crate::onnx::{DataType, Name, Node, NodeId, ValueId};
use crate::rewrite::Reason;
use crate::semantics::view::View;

use super::removal::{Factor, Strip};

/// Why a mask cannot be removed.
pub(super) fn refusal(view: View<'_>, site: &Site) -> Option<Reason> {
    let scope = |why: &'static str| Some(Reason::Scope(why.into()));
    site.junctions.iter().find_map(|junction| {
        let graph = junction.node.graph;
        let here = |node: &NodeId| node.graph == graph;
        let chain = || junction.chain(view);
        if !junction.path.iter().all(here) {
            return scope("a function rearranges its elements");
        }
        if junction.prescale.is_some_and(|p| p.shared) && !chain().iter().all(here) {
            return scope("its data is scaled in a different graph");
        }
        let is_junction = |output| {
            site.junctions
                .iter()
                .any(|junction| junction.output == output)
        };
        let mut others = view.node(junction.node).produced();
        if others.any(|other| other.is_used() && !is_junction(other.id)) {
            let why = "other outputs of its node are used";
            return Some(Reason::Shared(why.into()));
        }
        let untyped = junction.needs_scale() && junction.factor(view).is_none();
        let scale = junction.scale;
        let why = || format!("inference scales it by {scale}, but its element type is unknown");
        untyped.then(|| Reason::Unknown(why().into()))
    })
}

/// Lets what reads the output of a mask read the data, as in inference.
pub(super) fn cut(
    strip: &mut Strip<'_>,
    junction: &Junction,
    factor: Option<Factor>,
) -> Result<()> {
    let id = junction.node;
    let node = strip.editor.view().node(id);
    let (removed, label) = (node.is_removed(), node.name.clone());
    if !removed {
        strip.idle.extend(node.given().map(|(_, value)| value.id));
    }
    let (data, mut moves) = unscaled(strip, junction)?;
    moves.extend(&junction.path);
    if !removed {
        strip.editor.remove_node(id);
    }
    let moved = (moves.into_iter()).try_fold(data, |data, node| again(strip, node, id, data))?;
    match factor {
        Some(factor) => multiply(
            strip,
            id,
            junction.output,
            moved,
            (factor, junction.scale),
            &label,
        ),
        None => strip.replace(id, &label, junction.output, moved),
    }
}

/// Lets an If run its layer always.
pub(super) fn run_layer(strip: &mut Strip<'_>, id: NodeId, runs: bool) {
    let editor = &mut strip.editor;
    strip.idle.extend(editor.values().input(id, 0));
    let (at, runs) = ((id.graph, Some(id)), [u8::from(runs)]);
    let condition = editor.add_constant(at, "layer/runs", (DataType::BOOL, &[], &runs));
    editor.set_input_to(id, 0, &condition);
}

/// The data before it was scaled, and the nodes that move its elements between there and the mask, if
/// these have to be repeated.
fn unscaled(strip: &mut Strip<'_>, junction: &Junction) -> Result<(ValueId, Vec<NodeId>)> {
    let data = strip.now(junction.data);
    let Some(prescale) = &junction.prescale else {
        return Ok((data, Vec::new()));
    };
    let from = strip.now(prescale.from);
    let view = strip.editor.view();
    if prescale.shared {
        return Ok((from, junction.chain(view)));
    }
    let node = view.node(prescale.node);
    if node.is_removed() {
        return Ok((data, Vec::new()));
    }
    let (label, scaled) = (node.name.clone(), node.output(0).map(|value| value.id));
    let given = node.given().filter(|&(input, _)| input < 2);
    let constants = given.filter(|(_, value)| value.id != from);
    strip.idle.extend(constants.map(|(_, value)| value.id));
    strip.editor.remove_node(prescale.node);
    if let Some(scaled) = scaled {
        strip.replace(prescale.node, &label, scaled, from)?;
        return Ok((strip.now(data), Vec::new()));
    }
    Ok((data, Vec::new()))
}

/// Repeats a node that moves elements about, on other data.
fn again(strip: &mut Strip<'_>, step: NodeId, before: NodeId, data: ValueId) -> Result<ValueId> {
    let editor = &mut strip.editor;
    let node = editor.model().node(step).clone();
    let hint = node.output(0).map_or("moved".to_string(), Name::to_string);
    let mut inputs = node.inputs;
    if let Some(input) = inputs.first_mut() {
        *input = editor.values()[data].name.clone();
    }
    let node = Node {
        op_type: node.op_type,
        domain: node.domain,
        inputs,
        attributes: node.attributes,
        ..Node::default()
    };
    let name = editor.put((before.graph, Some(before)), &format!("{hint}/kept"), node);
    let output = editor.view().lookup(before.graph, &name);
    let output = output.map(|output| output.id);
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
