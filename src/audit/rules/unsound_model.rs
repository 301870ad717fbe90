//! `unsound-model`.

use super::{Context, Found, rule};

rule! {
    /// A model whose graph is invalid: undefined values, names defined twice, or cycles
    ///
    /// ## What it finds
    ///
    /// A node input or graph output that no node, input or initializer defines; a name that is defined
    /// twice in one graph; a node that depends on its own output; a function that calls itself. The
    /// finding names the first of each kind, and the number of other names.
    ///
    /// ## Why it matters
    ///
    /// ONNX gives such a model no meaning, and no runtime loads it. Dropout may be missed in it, so its
    /// verdict is `unknown` unless active dropout was found. The audit of the file fails (exit status
    /// 2), and `strip` refuses it.
    ///
    /// ## Example
    ///
    /// ```text
    /// h = Relu(x)
    /// y = Add(h, bias)     # nothing defines `bias`
    /// ```
    ///
    /// ## What to do
    ///
    /// Export the model again, or correct the graph: `onnx.checker.check_model` reports the same
    /// mistakes.
    "unsound-model", Error, check
}

fn check(context: &Context<'_>) -> Vec<Found> {
    let flaws = context.flaws.iter().map(|flaw| Found {
        graph: flaw.graph,
        node: flaw.node,
        site: None,
        place: Some(flaw.place.clone()),
        what: flaw.why.clone().into(),
    });
    flaws.collect()
}
