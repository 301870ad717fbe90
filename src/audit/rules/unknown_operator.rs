//! `unknown-operator`.

use std::collections::BTreeMap;

use crate::semantics::foreign::ForeignDropout;
use crate::semantics::operator::Operator;
use crate::semantics::view::NodeRef;

use super::{Context, Found, rule};

/// Domains of ONNX besides the default one. None of their operators draws random numbers.
const STANDARD: [&str; 2] = ["ai.onnx.ml", "ai.onnx.preview.training"];

rule! {
    /// Operators that are not part of ONNX
    ///
    /// ## What it finds
    ///
    /// Operators of other domains than those of ONNX, and operators that ONNX's own domain has at no opset,
    /// unless a function of the model defines them. There is one finding per model, which lists the operators with their number of nodes.
    ///
    /// ## Why it matters
    ///
    /// Whether such an operator drops values or draws random numbers is unknown. The verdict of the model
    /// does not take it into account.
    ///
    /// ## Example
    ///
    /// ```text
    /// y = com.acme.StochasticPool(x)
    /// ```
    ///
    /// ## What to do
    ///
    /// Look up the operators. If they are deterministic, accept the finding in `dropout-onnx.toml`, with a
    /// reason.
    "unknown-operator", Note, check
}

fn check(context: &Context<'_>) -> Vec<Found> {
    let view = context.view;
    let unknown: Vec<NodeRef<'_>> = view.nodes().filter(|&node| is_unknown(node)).collect();
    let Some(first) = unknown.first() else {
        return Vec::new();
    };
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for node in &unknown {
        let name = match node.in_default_domain() {
            true => node.op_type.to_string(),
            false => format!("{}.{}", node.domain, node.op_type),
        };
        *counts.entry(name).or_default() += 1;
    }
    let listed = counts.iter().map(|(name, count)| match count {
        1 => name.clone(),
        many => format!("{name} ({many} nodes)"),
    });
    let listed = listed.collect::<Vec<String>>().join(", ");
    let what =
        format!("is not part of ONNX, so its effect is unknown; all such operators: {listed}");
    vec![context.at_node(first.id, what)]
}

fn is_unknown(node: NodeRef<'_>) -> bool {
    let draws = node.in_default_domain() && node.draws();
    let standard = draws
        || Operator::is_standard(node.get())
        || STANDARD.iter().any(|domain| node.domain == *domain);
    !standard && node.callee().is_none() && ForeignDropout::of(node).is_none()
}
