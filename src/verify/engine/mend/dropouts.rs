//! Dropout operators of ONNX Runtime's training, which its usual builds lack: as `Dropout`.

use super::Repair;
use crate::onnx::{Attribute, AttributeValue, Name, Node};
use crate::semantics::view::NodeRef;
use crate::verify::engine::copy::VERSION;
use crate::verify::engine::patch::Patch;

const MICROSOFT: &str = "com.microsoft";

/// data, bias, residual, ratio, training_mode
pub(super) const BIAS: Repair = Repair {
    operator: "BiasDropout",
    domain: MICROSOFT,
    applies: |_| true,
    mend: biased,
};

/// data, ratio, training_mode
pub(super) const BITMASK: Repair = Repair {
    operator: "BitmaskDropout",
    domain: MICROSOFT,
    applies: has_no_mask,
    mend: plain,
};

/// As `BIAS`.
pub(super) const BITMASK_BIAS: Repair = Repair {
    operator: "BitmaskBiasDropout",
    domain: MICROSOFT,
    applies: has_no_mask,
    mend: biased,
};

/// data, ratio
pub(super) const TRAINABLE: Repair = Repair {
    operator: "TrainableDropout",
    domain: "",
    applies: |_| true,
    mend: plain,
};

pub(super) const TRAINABLE_OF_MICROSOFT: Repair = Repair {
    domain: MICROSOFT,
    ..TRAINABLE
};

/// A mask of bits is not made.
fn has_no_mask(node: NodeRef<'_>) -> bool {
    node.output(1).is_none_or(|mask| !mask.is_used())
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
