//! `unloadable-random`.

use crate::semantics::draws::unloadable;

use super::{Context, Found, rule};

rule! {
    /// A random operator that no runtime loads
    ///
    /// ## What it finds
    ///
    /// Random operators of TensorFlow in the default domain, which do not exist in ONNX
    /// (`StatelessRandomUniformV2`, `StatelessRandomBinomial`, `TruncatedNormal`); and `RandomUniform` or
    /// `RandomNormal` with an input, which these operators do not take.
    ///
    /// ## Why it matters
    ///
    /// The file is not valid ONNX, and runtimes refuse the whole model. tf2onnx writes the former
    /// for Keras 3, and the latter at opsets 7 and 8.
    ///
    /// ## Example
    ///
    /// ```text
    /// u = StatelessRandomUniformV2(shape, key, counter, alg)
    /// ```
    ///
    /// ## What to do
    ///
    /// If the draw belongs to a dropout (the finding then names it), remove it with `dropout-onnx
    /// strip`. Otherwise export the model without the layer (`RandomFlip`, `RandomContrast`), or
    /// in inference mode.
    "unloadable-random", Error, check
}

fn check(context: &Context<'_>) -> Vec<Found> {
    let draws = context.facts.draws();
    draws
        .filter_map(|node| Some(context.at_node(node.id, unloadable(node)?)))
        .collect()
}
