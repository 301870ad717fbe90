//! `unloadable-random`.

use crate::onnx::Node;

use super::{Context, Found, rule};

rule! {
    /// A random operator that no runtime loads
    ///
    /// ## What it finds
    ///
    /// `StatelessRandomUniformV2` and `StatelessRandomNormalV2` in the default domain, which are
    /// operators of TensorFlow and do not exist in ONNX; and `RandomUniform` or `RandomNormal`
    /// with an input, which these operators do not take.
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
    let operators = context.operators();
    operators
        .filter_map(|(id, node)| Some(context.at_node(id, why(node)?)))
        .collect()
}

/// The reason why no runtime loads a node.
fn why(node: &Node) -> Option<&'static str> {
    if !node.draws() {
        return None;
    }
    let op_type = &node.op_type;
    if op_type.as_bytes().starts_with(b"Stateless") {
        return Some("is not an ONNX operator, so no runtime loads the model");
    }
    let takes_none = *op_type == "RandomUniform" || *op_type == "RandomNormal";
    (takes_none && node.inputs.iter().any(|input| !input.is_empty()))
        .then_some("takes no input in ONNX, so no runtime loads the model")
}
