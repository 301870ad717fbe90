//! Normalizations, losses, and pooling by norms.

use super::{Repair, always};
use crate::verify::engine::site::Site;

pub(super) const ALL: &[Repair] = &[
    Repair::made("BatchNormalization", has_parameters_of_a_run, |site| {
        // computed in single precision if the types differ
        let is_mixed = site.element(0) != site.element(1) || site.element(0) != site.element(3);
        let wide = |name: &str| match is_mixed {
            true => format!("Cast({name}){{to=float}}"),
            false => name.to_string(),
        };
        let [x, scale, bias, mean, variance] = ["x", "scale", "bias", "mean", "variance"].map(wide);
        format!(
            "x scale bias mean variance => y
             variance = {variance}
             factor = Div({scale}, Sqrt(Add(variance, CastLike(@epsilon=1e-5f, variance))))
             centred = Sub(Reshape({x}, [0, 0, -1]), Unsqueeze({mean}, [1]))
             scaled = Add(Mul(centred, Unsqueeze(factor, [1])), Unsqueeze({bias}, [1]))
             y = CastLike(Reshape(scaled, Shape(x)), x)"
        )
    }),
    // tract has another default for epsilon, and cannot leave the bias away
    Repair::of(
        "SkipLayerNormalization",
        always,
        "x skip scale bias more => y mean inverse sum
         sum = Add(Add(x, skip), more?)
         wide = sum
         if scale.type=float16: wide = Cast(sum){to=float}
         mean = ReduceMean(wide, [-1])
         centred = Sub(wide, mean)
         inverse = inverse(centred, @epsilon=1e-12f)
         y = Add(Mul(CastLike(Mul(centred, inverse), sum), scale), bias?)",
    )
    .foreign(),
    // tract does not read the bias of the sum
    Repair::of(
        "SkipSimplifiedLayerNormalization",
        always,
        "x skip scale more => y mean inverse sum
         sum = Add(Add(x, skip), more?)
         wide = sum
         if scale.type=float16: wide = Cast(sum){to=float}
         y = Mul(CastLike(Mul(wide, inverse(wide, @epsilon=1e-5f)), sum), scale)",
    )
    .foreign(),
    Repair::of(
        "EmbedLayerNormalization",
        always,
        "words segments of_word of_place of_segment scale bias mask places => y lengths sum
         if !places: places = count(size(words, [1]))
         sum = Add(Gather(of_word, words), Gather(of_place, places))
         if segments, of_segment: sum = Add(sum, Gather(of_segment, segments))
         wide = sum
         if scale.type=float16: wide = Cast(sum){to=float}
         centred = Sub(wide, ReduceMean(wide, [-1]))
         y = Mul(centred, inverse(centred, @epsilon=1e-12f))
         y = Add(Mul(CastLike(y, sum), scale), bias)
         if lengths, mask: lengths = ReduceSum(mask, [1]){keepdims=0}
         if lengths, !mask: lengths = Expand(CastLike(0i, words), size(words, [0]))",
    )
    .foreign(),
    // over the second axis, whatever the opset takes as the default
    Repair::made("SoftmaxCrossEntropyLoss", always, |_| {
        format!(
            "scores labels weights => y logarithms
             centred = Sub(scores, ReduceMax(scores, [1]))
             logarithms = Sub(centred, Log(ReduceSum(Exp(centred), [1])))
             {LIKELIHOOD}"
        )
    }),
    Repair::made("NegativeLogLikelihoodLoss", always, |_| {
        format!("logarithms labels weights => y\n {LIKELIHOOD}")
    }),
    // without windows that reach over the end: the sum from the mean
    Repair::made(
        "LpPool",
        |site| site.int("ceil_mode", 0) == 0 && site.ints("kernel_shape").is_some(),
        |site| {
            let window = site.ints("kernel_shape").unwrap_or_default().iter();
            let window: f64 = window.map(|&size| size as f64).product();
            format!(
                "x => y
                 powers = Pow(Abs(x), CastLike(@p=2i, x))
                 mean = AveragePool(powers){{*, !p, count_include_pad=1}}
                 y = Pow(Mul(mean, {window:?}), Reciprocal(CastLike(@p=2i, x)))"
            )
        },
    ),
    Repair::made(
        "GlobalLpPool",
        |site| site.rank(0).is_some(),
        |site| {
            let axes: Vec<usize> = (2..site.rank(0).unwrap_or(2)).collect();
            format!(
                "x => y
             sum = ReduceSum(Pow(Abs(x), CastLike(@p=2i, x)), {axes:?})
             y = Pow(sum, Reciprocal(CastLike(@p=2i, x)))"
            )
        },
    ),
];

/// The negative logarithm at the label of each place, times the weight of the label; 0 if it is ignored.
const LIKELIHOOD: &str = "labels = CastLike(labels, 0i)
    if ignore_index.given: ignored = Equal(labels, @ignore_index=0i)
    if ignore_index.given: labels = Where(ignored, 0i, labels)
    chosen = GatherElements(logarithms, Unsqueeze(labels, [1])){axis=1}
    if weights: weight = Gather(weights, labels)
    if !weights: weight = Expand(1, Shape(labels))
    if ignore_index.given: weight = Where(ignored, 0, weight)
    y = Neg(Mul(Reshape(chosen, Shape(labels)), weight))
    if !reduction=none: y = ReduceSum(Reshape(y, [-1]), [0]){keepdims=0}
    if !reduction=none, !reduction=sum: y = Div(y, ReduceSum(Reshape(weight, [-1]), [0]){keepdims=0})";

/// A batch normalization that trains, and whose statistics nothing reads.
pub(super) const TRAINING: &[Repair] = &[Repair {
    caveat: Some("BatchNormalization in training form is computed in its inference form"),
    ..Repair::of(
        "BatchNormalization",
        |site| {
            let outputs = site.node.outputs.len();
            let trains = outputs > 1 || site.int("training_mode", 0) != 0;
            trains && !(1..outputs).any(|output| site.wants(output))
        },
        "x scale bias mean variance => y
         y = BatchNormalization(x, scale, bias, mean, variance){*, !training_mode}",
    )
}];

/// tract takes constants of the type of the data alone. A training form is left to it.
fn has_parameters_of_a_run(site: &Site<'_>) -> bool {
    let infers = site.node.outputs.len() == 1 && site.int("training_mode", 0) == 0;
    let is_spatial = site.int("spatial", 1) == 1;
    let asks = |input| !site.is_constant(input) || site.element(input) != site.element(0);
    infers && is_spatial && (1..5).any(asks)
}
