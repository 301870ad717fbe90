//! Dropout operators of ONNX Runtime's training, which its usual builds lack: as `Dropout`.

use super::{Repair, With, always};
use crate::onnx::{Attribute, AttributeValue, Name, Node};
use crate::verify::engine::copy::VERSION;
use crate::verify::engine::patch::Patch;
use crate::verify::engine::site::Site;

pub(super) const ALL: &[Repair] = &[
    // data, bias, residual, ratio, training_mode
    Repair::new("BiasDropout", always, With::Nodes(biased)).foreign(),
    Repair::new("BitmaskBiasDropout", has_no_mask, With::Nodes(biased)).foreign(),
    // data, ratio, training_mode
    Repair::new("BitmaskDropout", has_no_mask, With::Nodes(plain)).foreign(),
    // data, ratio
    Repair::new("TrainableDropout", always, With::Nodes(plain)),
    Repair::new("TrainableDropout", always, With::Nodes(plain)).foreign(),
];

/// A mask of bits is not made.
fn has_no_mask(site: &Site<'_>) -> bool {
    !site.wants(1)
}

fn plain(patch: Patch<'_, '_>) {
    let data = patch.input(0);
    let inputs = [data, patch.input(1), patch.input(2)];
    let output = patch.node.outputs.first().cloned().unwrap_or_default();
    dropped(patch, inputs, output);
}

/// Dropout of the sum of data and bias, and a residual added to the result.
fn biased(mut patch: Patch<'_, '_>) {
    let data = patch.put(Node::new("Add").on([patch.input(0), patch.input(1)]));
    let inputs = [data, patch.input(3), patch.input(4)];
    let residual = patch.input(2);
    let mut output = patch.node.outputs.first().cloned().unwrap_or_default();
    if !residual.is_empty() {
        let left = patch.fresh();
        let sum = Node::new("Add").on([left.clone(), residual]);
        patch.put_as([output], sum);
        output = left;
    }
    dropped(patch, inputs, output);
}

fn dropped(mut patch: Patch<'_, '_>, inputs: [Name; 3], output: Name) {
    let version = Attribute::new(VERSION, AttributeValue::Int(13));
    let dropout = Node::new("Dropout").on(inputs).with(version);
    let is_boolean = patch.node.op_type == "BiasDropout";
    let mask = patch.node.outputs.get(1).cloned().filter(|_| is_boolean);
    patch.end([output].into_iter().chain(mask), dropout);
}
