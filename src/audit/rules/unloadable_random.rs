//! `unloadable-random`.

use crate::onnx::Node;

use super::{Context, Found, rule};

rule! {
    /// A random operator that no runtime loads
    ///
    /// ## What it finds
    ///
    /// `StatelessRandomUniformV2` and `StatelessRandomNormalV2`, TensorFlow's operators, in ONNX' own
    /// domain, where they do not exist; and `RandomUniform` or `RandomNormal` with an input, which take
    /// none.
    ///
    /// ## Why it matters
    ///
    /// The file is not valid ONNX: a runtime refuses all of it. tf2onnx writes the first for Keras 3,
    /// the second at opsets 7 and 8.
    ///
    /// ## Example
    ///
    /// ```text
    /// u = StatelessRandomUniformV2(shape, key, counter, alg)
    /// ```
    ///
    /// ## What to do
    ///
    /// Remove what draws: `dropout-onnx strip` where it is dropout (the finding then names a site),
    /// else export the layer (`RandomFlip`, `RandomContrast`) out of the model, or in inference mode.
    "unloadable-random", Error, check
}

fn check(context: &Context<'_>) -> Vec<Found> {
    let operators = context.operators();
    operators
        .filter_map(|(id, node)| Some(context.at_node(id, why(node)?)))
        .collect()
}

/// Why no runtime loads a node.
fn why(node: &Node) -> Option<String> {
    if !node.draws() {
        return None;
    }
    let op_type = &node.op_type;
    if op_type.as_bytes().starts_with(b"Stateless") {
        return Some(format!(
            "ONNX has no operator {op_type}: no runtime loads the model"
        ));
    }
    let takes_none = *op_type == "RandomUniform" || *op_type == "RandomNormal";
    (takes_none && node.inputs.iter().any(|input| !input.is_empty()))
        .then(|| format!("{op_type} takes no input: no runtime loads the model"))
}
