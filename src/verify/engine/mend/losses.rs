//! Losses of training.

use super::{Repair, always};
use crate::onnx::Name;
use crate::verify::engine::patch::{Patch, int};

pub(super) const ALL: &[Repair] = &[
    Repair::of("SoftmaxCrossEntropyLoss", always, |mut patch| {
        let scores = patch.input(0);
        // over the second axis, whatever the opset takes as the default
        let centred = centred(&mut patch, &scores);
        let power = patch.op("Exp", [&centred]);
        let sum = patch.along(("ReduceSum", 13), &power, &[1], Vec::new());
        let sum = patch.op("Log", [&sum]);
        let logarithms = patch.op("Sub", [&centred, &sum]);
        patch.give(1, &logarithms);
        likelihood(patch, &logarithms);
    }),
    Repair::of("NegativeLogLikelihoodLoss", always, |patch| {
        let logarithms = patch.input(0);
        likelihood(patch, &logarithms);
    }),
];

/// Less the largest score of each place, so that no power overflows.
fn centred(patch: &mut Patch<'_, '_>, scores: &Name) -> Name {
    let largest = patch.along(("ReduceMax", 18), scores, &[1], Vec::new());
    patch.op("Sub", [scores, &largest])
}

/// The negative logarithm at the label of each place, times the weight of the label; 0 if it is ignored.
fn likelihood(mut patch: Patch<'_, '_>, logarithms: &Name) {
    let labels = patch.input(1);
    let labels = patch.int64(&labels);
    let ignored = patch.node.attribute("ignore_index").is_some();
    let ignored = ignored.then(|| {
        let ignored = patch.int("ignore_index", 0);
        let ignored = patch.integer(ignored);
        patch.op("Equal", [&labels, &ignored])
    });
    let zero = patch.integer(0);
    let labels = match &ignored {
        Some(ignored) => patch.op("Where", [ignored, &zero, &labels]),
        None => labels,
    };
    let places = patch.unsqueeze(&labels, &[1]);
    let chosen = patch.op_with(
        "GatherElements",
        [logarithms, &places],
        vec![int("axis", 1)],
    );
    let shape = patch.op("Shape", [&labels]);
    let chosen = patch.op("Reshape", [&chosen, &shape]);
    let one = patch.number(0, 1.0);
    let mut weights = match patch.has(2) {
        true => patch.op("Gather", [&patch.input(2), &labels]),
        false => patch.op("Expand", [&one, &shape]),
    };
    if let Some(ignored) = ignored {
        let zero = patch.number(0, 0.0);
        weights = patch.op("Where", [&ignored, &zero, &weights]);
    }
    let loss = patch.op("Mul", [&chosen, &weights]);
    let loss = patch.op("Neg", [&loss]);
    if patch.text("reduction") == "none" {
        patch.give(0, &loss);
        return;
    }
    let [mut result, weight] = [&loss, &weights].map(|all| {
        let flat = patch.reshape(all, &[-1]);
        patch.along(("ReduceSum", 13), &flat, &[0], vec![int("keepdims", 0)])
    });
    if patch.text("reduction") != "sum" {
        result = patch.op("Div", [&result, &weight]);
    }
    patch.give(0, &result);
}
