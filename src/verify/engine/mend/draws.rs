//! Draws that tf2onnx leaves in the default domain, where they are not defined.

use super::Repair;
use crate::onnx::{Attribute, AttributeValue, DataType, Node};
use crate::verify::engine::patch::Patch;

pub(super) const UNIFORM: Repair = Repair {
    operator: "StatelessRandomUniformV2",
    domain: "",
    applies: |node| node.input(0).is_some(),
    mend: |patch| drawn(patch, "RandomUniformLike"),
};

pub(super) const NORMAL: Repair = Repair {
    operator: "StatelessRandomNormalV2",
    domain: "",
    applies: |node| node.input(0).is_some(),
    mend: |patch| drawn(patch, "RandomNormalLike"),
};

/// Draws of the shape that is the first input. Key and counter are not read: the numbers are ours.
fn drawn(mut patch: Patch<'_, '_>, operator: &str) {
    let shape = patch.put(Node::cast(DataType::INT64).on([patch.input(0)]));
    let zero = Attribute::tensor((DataType::FLOAT, &[1], &[0; 4]));
    let zeros = Node::new("ConstantOfShape").on([shape]).with(zero);
    let zeros = patch.put(zeros);
    let element = patch.elements[1].unwrap_or(DataType::FLOAT);
    let element = AttributeValue::Int(element.0.into());
    let like = Node::new(operator).on([zeros]);
    let outputs = patch.node.outputs.clone();
    patch.end(outputs, like.with(Attribute::new("dtype", element)));
}
