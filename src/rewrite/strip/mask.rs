//! Masks at inference: all true, in the shape of the data and the type of the version.
//!
//! A `DropoutGrad` that reads the mask of a dropout is removed with it, as the gradient of the identity is
//! the identity. A mask from which gradients are computed in another way cannot be all true: `DropoutGrad`
//! scales by `1/(1-p)` itself, and would differentiate dropout that is no longer there.

use crate::dropout::{Convention, MaskUse, OperatorVersion, Site, version};
use crate::hash::HashSet;
use crate::onnx::{Attribute, AttributeValue, DataType, Editor, Name, Node, NodeId, encode_float};
use crate::rewrite::Reason;
use crate::rewrite::upstream::Upstream;
use crate::semantics::foreign::{has_mask, is_gradient};
use crate::semantics::view::{NodeRef, ValueRef, View};

/// The gradients that are removed with a dropout: they read its mask itself, and their ratio and mode are
/// constants.
pub(super) fn own_gradients(node: NodeRef<'_>) -> impl Iterator<Item = NodeRef<'_>> {
    let readers = node.output(1).into_iter().flat_map(|mask| mask.readers());
    let masks = readers
        .filter(|&(_, input)| input == 1)
        .map(|(node, _)| node);
    masks.filter(|&gradient| is_own(gradient))
}

fn is_own(gradient: NodeRef<'_>) -> bool {
    let mask = gradient.input(1).and_then(|mask| mask.producer());
    let constant = |input| {
        let value = gradient.input(input);
        value.is_none_or(ValueRef::is_in_file)
    };
    let dropout = mask.is_some_and(|(node, output)| has_mask(node) && output == 1);
    let here = mask.is_some_and(|(node, _)| node.graph() == gradient.graph());
    is_gradient(gradient) && dropout && here && constant(2) && constant(3)
}

/// What masks of gradients are computed from, except for those that are removed with their dropout; `None` in
/// a model without such gradients. Classic dropout scales the gradient, which is not removed.
pub(super) fn gradients(view: View<'_>, sites: &[Site]) -> Option<Upstream> {
    let classic = sites
        .iter()
        .filter(|site| site.convention == Some(Convention::Classic));
    let classic: HashSet<NodeId> = classic.map(|site| site.nodes[0]).collect();
    let stays = |node: NodeRef<'_>| {
        let dropout = node.input(1).and_then(|mask| mask.node());
        !is_own(node) || dropout.is_some_and(|dropout| classic.contains(&dropout.id))
    };
    let gradients = view
        .nodes()
        .filter(|&node| is_gradient(node) && stays(node));
    let masks = gradients.filter_map(|node| Some((node.id, node.input(1)?.id)));
    let masks: Vec<_> = masks.collect();
    // what becomes of the data of a Dropout does not change its mask
    let reads = |node: NodeRef<'_>, _| !has_mask(node);
    (!masks.is_empty()).then(|| Upstream::of(view, masks, reads))
}

/// Why a gradient would be wrong without the mask of a site.
pub(super) fn gradient_refusal(
    view: View<'_>,
    site: &Site,
    gradients: Option<&Upstream>,
) -> Option<Reason> {
    let mask = view.node(site.nodes[0]).output(1)?;
    let gradient = view.node(gradients?.from(mask.id)?);
    let (op, label) = (&gradient.op_type, gradient.label());
    let why = format!(
        "{op} `{label}` uses its mask, and its gradient would be wrong once the dropout is removed; \
         strip the model before gradients are added"
    );
    Some(Reason::Shared(why.into()))
}

/// Why the mask of a site cannot be made all true.
pub(super) fn refusal(view: View<'_>, site: &Site, gradients: Option<&Upstream>) -> Option<Reason> {
    if matches!(site.mask, MaskUse::None | MaskUse::Unused) {
        return None;
    }
    let gradient = gradient_refusal(view, site, gradients);
    if gradient.is_some() {
        return gradient;
    }
    let typed = version(view.model.opset(site.graph, "")?) < OperatorVersion::InferenceBool;
    match element_type(view, site, typed) {
        None => {
            let why = "its mask is used, but its element type, that of the data, is unknown";
            Some(Reason::Unknown(why.into()))
        }
        Some(element) if one(element).is_none() => {
            let why = format!("its mask is used and has element type {element}");
            Some(Reason::Type(why.into()))
        }
        Some(_) => None,
    }
}

/// The element type of a site's mask.
pub(super) fn element_type(view: View<'_>, site: &Site, typed: bool) -> Option<DataType> {
    if !typed {
        return Some(DataType::BOOL);
    }
    let mask = view.node(site.nodes[0]).output(1);
    let ends = [site.output, site.input].into_iter().flatten();
    let ends = ends.map(|value| view.value(value));
    mask.into_iter()
        .chain(ends)
        .find_map(|value| value.element_type())
}

/// Puts nodes in that define `mask` as ones in the shape of `data`.
pub(super) fn insert_ones(
    editor: &mut Editor<'_>,
    site: NodeId,
    data: &Name,
    mask: &Name,
    element: DataType,
    opset: i64,
) {
    let at = (site.graph, Some(site));
    let mut put = |op_type: &str, inputs: &[&Name]| {
        let hint = format!("{mask}/{}", op_type.to_lowercase());
        let inputs = inputs.iter().map(|&name| name.clone());
        editor.put(at, &hint, Node::new(op_type).on(inputs))
    };
    let ones = if opset >= 9 {
        let shape = put("Shape", &[data]);
        let one = one(element).unwrap_or_default();
        let one = Attribute::tensor((element, &[1], &one));
        Node::new("ConstantOfShape").on([shape]).with(one)
    } else {
        // ConstantOfShape begins with opset 9. Nothing is greater than itself, not even NaN.
        let greater = put("Greater", &[data, data]);
        let not = put("Not", &[&greater]);
        let cast = match opset {
            ..=5 => {
                let name = element.name().unwrap_or("float").to_uppercase();
                let to = AttributeValue::String(name.into_bytes());
                Node::new("Cast").with(Attribute::new("to", to))
            }
            _ => Node::cast(element),
        };
        cast.on([not])
    };
    editor.put_as(at, mask.clone(), ones);
}

/// One, little-endian, in the types a mask may have.
fn one(element: DataType) -> Option<Vec<u8>> {
    match element {
        DataType::BOOL => Some(vec![1]),
        DataType::BFLOAT16 => None, // no version has masks of it
        _ => encode_float(element, 1.0),
    }
}
