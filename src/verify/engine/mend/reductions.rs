//! Reductions over axes.

use super::Repair;
use crate::onnx::{DataType, Node};
use crate::verify::engine::patch::Patch;
use crate::verify::engine::site::{Known, Site};

pub(super) const ALL: &[Repair] = &[
    Repair::of("ReduceMax", needs, reduced),
    Repair::of("ReduceMin", needs, reduced),
    Repair::of("ReduceMean", needs, reduced),
    Repair::of("ReduceSum", needs, reduced),
    Repair::of("ReduceProd", needs, reduced),
    Repair::of("ReduceL1", needs, reduced),
    Repair::of("ReduceL2", needs, reduced),
    Repair::of("ReduceLogSum", needs, reduced),
    Repair::of("ReduceLogSumExp", needs, reduced),
    Repair::of("ReduceSumSquare", needs, reduced),
];

/// Axes that are computed, which tract may have made sizes of, or that are absent by an empty name; booleans;
/// and integers where tract takes floats alone.
fn needs(site: &Site) -> bool {
    let is_odd = |axes: &Known| !axes.is_constant;
    site.inputs.get(1).is_some_and(is_odd) || stand_in(site).is_some()
}

/// The type in which tract computes what it cannot in the type of the data.
fn stand_in(site: &Site) -> Option<DataType> {
    let of_floats = [
        "ReduceL2",
        "ReduceLogSum",
        "ReduceLogSumExp",
        "ReduceSumSquare",
    ];
    match site.element(0)? {
        DataType::BOOL => Some(DataType::UINT8),
        DataType::INT64 if of_floats.iter().any(|op| site.node.is(op)) => Some(DataType::DOUBLE),
        _ => None,
    }
}

fn reduced(mut patch: Patch<'_, '_>) {
    let (mut x, axes) = (patch.input(0), patch.input(1));
    let (element, stand_in) = (patch.element(0), stand_in(&patch));
    if let Some(stand_in) = stand_in {
        x = patch.cast(&x, stand_in);
    }
    let attributes = patch.node.attributes.clone();
    let outputs = patch.node.outputs.clone();
    let op_type = patch.node.op_type.to_string();
    let mut inputs = vec![x];
    if !axes.is_empty() {
        inputs.push(patch.int64(&axes));
    }
    let result = patch.op_with(&op_type, &inputs, attributes);
    match element.filter(|_| stand_in.is_some()) {
        Some(element) => patch.end(outputs, Node::cast(element).on([result])),
        None => patch.give(0, &result),
    }
}
