//! Draws that tf2onnx leaves in the default domain, where they are not defined.

use super::{Repair, With};
use crate::onnx::{Attribute, AttributeValue, DataType, Node};
use crate::verify::engine::patch::Patch;
use crate::verify::engine::site::Site;

pub(super) const ALL: &[Repair] = &[
    Repair::new(
        "StatelessRandomUniformV2",
        has_shape,
        With::Nodes(|patch| drawn(patch, "RandomUniformLike")),
    ),
    Repair::new(
        "StatelessRandomNormalV2",
        has_shape,
        With::Nodes(|patch| drawn(patch, "RandomNormalLike")),
    ),
];

fn has_shape(site: &Site<'_>) -> bool {
    site.has(0)
}

/// Draws of the shape that is the first input. Key and counter are not read: the numbers are ours.
fn drawn(mut patch: Patch<'_, '_>, operator: &str) {
    let shape = patch.put(Node::cast(DataType::INT64).on([patch.input(0)]));
    let zero = Attribute::tensor((DataType::FLOAT, &[1], &[0; 4]));
    let zeros = Node::new("ConstantOfShape").on([shape]).with(zero);
    let zeros = patch.put(zeros);
    let element = patch.output_element(0).unwrap_or(DataType::FLOAT);
    let element = AttributeValue::Int(element.0.into());
    let like = Node::new(operator).on([zeros]);
    let outputs = patch.node.outputs.clone();
    patch.end(outputs, like.with(Attribute::new("dtype", element)));
}
