//! Masks that are an output of the model as well: the output stays random, in both models alike, and what is
//! dropped is dropped with a copy of the mask that keeps everything.

use crate::dropout::{MaskUse, Site};
use crate::hash::{HashMap, HashSet};
use crate::onnx::{Editor, Name, Node, NodeId};
use crate::semantics::view::View;

use super::mask::{constant_draw, mask_nodes};

/// Lets junctions read a copy of the mask that is made of a draw that keeps everything.
pub(super) fn keep_all(editor: &mut Editor<'_>, site: &Site) {
    let draw = site.kept_draw.as_deref();
    let Some(draw) = draw.filter(|_| site.mask == MaskUse::Output) else {
        return;
    };
    let copied = copied(
        View::new(editor.model(), editor.values()),
        site,
        draw.source,
    );
    let Some((drawn, kept)) = constant_draw(editor, *draw) else {
        return;
    };
    let mut names: HashMap<Name, Name> = [(drawn, kept)].into_iter().collect();
    for id in copied {
        let node = editor.model().node(id).clone();
        let renamed = |name: &Name| names.get(name).unwrap_or(name).clone();
        let copy = Node {
            op_type: node.op_type.clone(),
            domain: node.domain.clone(),
            inputs: node.inputs.iter().map(renamed).collect(),
            attributes: node.attributes.clone(),
            ..Node::default()
        };
        if let Some(output) = node.output(0) {
            let hint = format!("{output}/kept");
            let kept = editor.put((id.graph, Some(id)), &hint, copy);
            names.insert(output.clone(), kept);
        }
    }
    for junction in &site.junctions {
        let inputs = editor.model().node(junction.node).inputs.clone();
        for (input, name) in inputs.iter().enumerate() {
            if let Some(kept) = names.get(name) {
                editor.set_input_to(junction.node, input, kept);
            }
        }
    }
}

/// The nodes between the draw and the junctions, in order.
fn copied(view: View<'_>, site: &Site, source: NodeId) -> Vec<NodeId> {
    let of_mask = mask_nodes(view, site);
    let junctions: HashSet<NodeId> = site
        .junctions
        .iter()
        .map(|junction| junction.node)
        .collect();
    let mut behind: HashSet<NodeId> = [source].into_iter().collect();
    let order = view.model.check_order(view.values).unwrap_or_default();
    let between = order.into_iter().filter(|&id| {
        let mut makers = view
            .node(id)
            .inputs()
            .flatten()
            .filter_map(|value| value.node());
        let between = id.graph == source.graph
            && of_mask.contains(&id)
            && !junctions.contains(&id)
            && makers.any(|node| behind.contains(&node.id));
        between && behind.insert(id)
    });
    between.collect()
}
