//! Layers that a draw runs or skips, by an If: in a copy every layer runs, and the product of its data by the
//! condition is measured as a mask that is shared by all elements.

use std::path::Path;

use crate::dropout::{Junction, Site};
use crate::error::Result;
use crate::onnx::{DataType, Editor, Model, Name, Node, NodeId, Values};
use crate::semantics::view::View;
use crate::source::Source;

/// A copy of a model, and in it the names of products that mask these layers. A layer whose data has no known
/// type, or is in an opset in which a product does not broadcast, is left out.
///
/// # Errors
/// The copy cannot be edited.
pub(super) fn as_masks<'s>(
    view: View<'_>,
    layers: &[&'s Site],
) -> Result<(Model, Vec<(&'s Site, Name)>)> {
    let mut model = view.model.clone();
    let values = Values::new(&model);
    let mut editor = Editor::new(&mut model, values);
    let mut products = Vec::new();
    for &site in layers {
        let (layer, Some(runs)) = (view.node(site.nodes[0]), site.runs_if) else {
            continue;
        };
        let (Some(condition), Some(data)) = (layer.input(0), site.input) else {
            continue;
        };
        let element = view.value(data).element_type();
        let broadcasts = view.model.opset(layer.graph(), "") >= Some(7);
        let Some(element) = element.filter(|element| element.is_float() && broadcasts) else {
            continue;
        };
        // at the end, so that nodes keep their numbers
        let at = (layer.graph(), None);
        let mut decides = condition.get().name.clone();
        if !runs {
            decides = editor.put(at, "decides", Node::new("Not").on([decides]));
        }
        let kept = editor.put(at, "kept", Node::cast(element).on([decides]));
        let data = view.value(data).get().name.clone();
        let product = editor.put(at, "product", Node::new("Mul").on([data, kept]));
        let always = (DataType::BOOL, &[][..], &[u8::from(runs)][..]);
        let always = editor.add_constant(at, "always", always);
        editor.set_input_to(layer.id, 0, &always);
        products.push((site, product));
    }
    editor.finish()?;
    let copy = Source::from_rope(model.to_rope()?);
    let folder = view.model.folder().map(Path::to_path_buf);
    Ok((Model::read_in(copy, folder)?, products))
}

/// A layer as the mask that this product is, in the copy; `None` if the nodes have other numbers there.
pub(super) fn mask(
    (original, copy): (View<'_>, View<'_>),
    site: &Site,
    product: &Name,
) -> Option<Site> {
    let is_same = |&id: &NodeId| {
        let outputs = &original.node(id).outputs;
        let mut nodes = copy.nodes();
        nodes.any(|node| node.id == id && node.outputs == *outputs)
    };
    if !site.nodes.iter().all(is_same) {
        return None;
    }
    let output = copy.lookup(site.nodes[0].graph, product)?;
    let node = output.node()?;
    let junction = Junction {
        node: node.id,
        data: node.input(0)?.id,
        path: Vec::new(),
        output: output.id,
        scale: 1.0,
        prescale: None,
        kept: (1.0, 0.0),
        frozen: Vec::new(),
    };
    Some(Site {
        junctions: vec![junction],
        noise_shape: Some(Vec::new()),
        runs_if: None,
        ..site.clone()
    })
}
