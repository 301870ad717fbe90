//! Normalizations.

use super::{Repair, always};
use crate::onnx::{DataType, Name, Node};
use crate::verify::engine::patch::{Patch, int};
use crate::verify::engine::site::Site;

pub(super) const ALL: &[Repair] = &[
    Repair::of("BatchNormalization", has_parameters_of_a_run, batch),
    Repair::of("LayerNormalization", has_empty_bias, |mut patch| {
        let inputs = [patch.input(0), patch.input(1)];
        let attributes = patch.node.attributes.clone();
        let outputs = patch.node.outputs.clone();
        let node = Node::new("LayerNormalization").on(inputs);
        patch.end(outputs, Node { attributes, ..node });
    }),
    Repair::foreign("SkipLayerNormalization", always, skip),
    Repair::foreign("SkipSimplifiedLayerNormalization", always, skip_simplified),
    Repair::foreign("EmbedLayerNormalization", always, embed),
];

/// A batch normalization that trains, and whose statistics nothing reads.
pub(super) const TRAINING: &[Repair] = &[Repair {
    caveat: Some("BatchNormalization in training form is computed in its inference form"),
    ..Repair::of("BatchNormalization", trains, |mut patch| {
        let inputs = patch.node.inputs.clone();
        let mut attributes = patch.node.attributes.clone();
        attributes.retain(|attribute| attribute.name != "training_mode");
        patch.end_with("BatchNormalization", &inputs, attributes);
    })
}];

fn trains(site: &Site<'_>) -> bool {
    let outputs = site.node.outputs.len();
    let trains = outputs > 1 || site.int("training_mode", 0) != 0;
    trains && !(1..outputs).any(|output| site.wants(output))
}

fn has_empty_bias(site: &Site<'_>) -> bool {
    site.node.inputs.len() == 3 && !site.has(2)
}

/// tract takes constants of the type of the data alone. A training form is left to it.
fn has_parameters_of_a_run(site: &Site<'_>) -> bool {
    let infers = site.node.outputs.len() == 1 && site.int("training_mode", 0) == 0;
    let is_spatial = site.int("spatial", 1) == 1;
    let asks = |input| !site.is_constant(input) || site.element(input) != site.element(0);
    infers && is_spatial && (1..5).any(asks) && site.rank(0).is_some()
}

fn batch(mut patch: Patch<'_, '_>) {
    let x = patch.input(0);
    let mut shape = vec![1; patch.rank(0).unwrap_or(2)];
    if let Some(channels) = shape.get_mut(1) {
        *channels = -1;
    }
    let is_mixed = patch.element(0) != patch.element(1) || patch.element(0) != patch.element(3);
    let wide = |patch: &mut Patch<'_, '_>, value: &Name| match is_mixed {
        true => patch.cast(value, DataType::FLOAT),
        false => value.clone(),
    };
    let data = wide(&mut patch, &x);
    let parameters = [1, 2, 3, 4].map(|input| {
        let value = patch.input(input);
        let value = wide(&mut patch, &value);
        patch.reshape(&value, &shape)
    });
    let [scale, bias, mean, variance] = &parameters;
    let epsilon = patch.float("epsilon", 1e-5);
    let epsilon = match is_mixed {
        true => patch.constant(DataType::FLOAT, &[], &epsilon.to_le_bytes()),
        false => patch.number(0, epsilon.into()),
    };
    let variance = patch.op("Add", [variance, &epsilon]);
    let deviation = patch.op("Sqrt", [&variance]);
    let factor = patch.op("Div", [scale, &deviation]);
    let centred = patch.op("Sub", [&data, mean]);
    let scaled = patch.op("Mul", [&centred, &factor]);
    let result = patch.op("Add", [&scaled, bias]);
    if !is_mixed {
        patch.give(0, &result);
        return;
    }
    patch.end_with("CastLike", [&result, &x], Vec::new());
}

/// The inputs of scale and bias, and outputs of mean and inverse deviation.
struct Layer {
    scale: usize,
    bias: Option<usize>,
    is_centred: bool,
    epsilon: f32,
    statistics: Option<[usize; 2]>,
}

/// The layer normalization of a sum, in single precision if that is in half. The result is the first
/// output.
fn normalized(patch: &mut Patch<'_, '_>, sum: &Name, layer: &Layer) {
    let epsilon = patch.float("epsilon", layer.epsilon).to_le_bytes();
    let x = match patch.element(layer.scale) == Some(DataType::FLOAT16) {
        true => patch.cast(sum, DataType::FLOAT),
        false => sum.clone(),
    };
    let numbers = [1f32.to_le_bytes(), epsilon];
    let numbers = numbers.map(|bytes| patch.constant(DataType::FLOAT, &[], &bytes));
    let [one, epsilon] = numbers.map(|number| patch.op("CastLike", [&number, &x]));
    let mean = patch.mean(&x, &[-1]);
    let centred = match layer.is_centred {
        true => patch.op("Sub", [&x, &mean]),
        false => x,
    };
    let square = patch.op("Mul", [&centred, &centred]);
    let variance = patch.mean(&square, &[-1]);
    let variance = patch.op("Add", [&variance, &epsilon]);
    let deviation = patch.op("Sqrt", [&variance]);
    let inverse = patch.op("Div", [&one, &deviation]);
    let scaled = patch.op("Mul", [&centred, &inverse]);
    let scaled = patch.op("CastLike", [&scaled, sum]);
    let mut result = patch.op("Mul", [&scaled, &patch.input(layer.scale)]);
    if let Some(bias) = layer.bias.filter(|&bias| patch.has(bias)) {
        result = patch.op("Add", [&result, &patch.input(bias)]);
    }
    patch.give(0, &result);
    for (output, value) in layer.statistics.into_iter().flatten().zip([mean, inverse]) {
        patch.give(output, &value);
    }
}

/// The sum of the first two inputs, and a third.
fn summed(patch: &mut Patch<'_, '_>, third: usize) -> Name {
    let sum = patch.op("Add", [&patch.input(0), &patch.input(1)]);
    match patch.has(third) {
        true => patch.op("Add", [&sum, &patch.input(third)]),
        false => sum,
    }
}

/// input, skip, scale, bias, bias of the sum: tract has another default for epsilon, and cannot leave the first
/// bias away.
fn skip(mut patch: Patch<'_, '_>) {
    let sum = summed(&mut patch, 4);
    let layer = Layer {
        scale: 2,
        bias: Some(3),
        is_centred: true,
        epsilon: 1e-12,
        statistics: Some([1, 2]),
    };
    normalized(&mut patch, &sum, &layer);
    patch.give(3, &sum);
}

/// input, skip, scale, bias of the sum, which tract does not read.
fn skip_simplified(mut patch: Patch<'_, '_>) {
    let sum = summed(&mut patch, 3);
    let layer = Layer {
        scale: 2,
        bias: None,
        is_centred: false,
        epsilon: 1e-5,
        statistics: None,
    };
    normalized(&mut patch, &sum, &layer);
    patch.give(3, &sum);
}

/// Identifiers of words and segments, embeddings of words, positions and segments, scale and bias, mask,
/// identifiers of positions. The second output is the length by the mask.
fn embed(mut patch: Patch<'_, '_>) {
    let [words, segments] = [patch.input(0), patch.input(1)];
    let mut sum = patch.op("Gather", [&patch.input(2), &words]);
    let positions = match patch.has(8) {
        true => patch.input(8),
        false => {
            let length = patch.size(&words, 1);
            patch.count(&length)
        }
    };
    let positions = patch.op("Gather", [&patch.input(3), &positions]);
    sum = patch.op("Add", [&sum, &positions]);
    if !segments.is_empty() && patch.has(4) {
        let segments = patch.op("Gather", [&patch.input(4), &segments]);
        sum = patch.op("Add", [&sum, &segments]);
    }
    let layer = Layer {
        scale: 5,
        bias: Some(6),
        is_centred: true,
        epsilon: 1e-12,
        statistics: None,
    };
    normalized(&mut patch, &sum, &layer);
    patch.give(2, &sum);
    if !patch.wants(1) {
        return;
    }
    let lengths = match patch.has(7) {
        true => {
            let mask = patch.input(7);
            let kept = vec![int("keepdims", 0)];
            patch.along(("ReduceSum", 13), &mask, &[1], kept)
        }
        false => {
            let batch = patch.size(&words, 0);
            let zero = patch.constant(DataType::INT32, &[], &[0; 4]);
            patch.op("Expand", [&zero, &batch])
        }
    };
    patch.give(1, &lengths);
}
