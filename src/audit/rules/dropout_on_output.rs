//! `dropout-on-output`.

use crate::onnx::Use;
use crate::semantics::view::ValueRef;

use super::{Context, Found, acts, outputs, rule};

rule! {
    /// Dropout on an output of the model
    ///
    /// ## What it finds
    ///
    /// A dropout that is active, or that an input can switch on, and whose result is an output of
    /// the main graph, directly or through `Identity`.
    ///
    /// ## Why it matters
    ///
    /// Dropped elements are missing from the result itself, because no later layer averages them
    /// out. ONNX Runtime also keeps a `Dropout` in training mode next to an output, although it
    /// removes it elsewhere.
    ///
    /// ## Example
    ///
    /// ```text
    /// logits = Dropout(h, ratio=0.1, training_mode=true)     # an output of the model
    /// ```
    ///
    /// ## What to do
    ///
    /// Run `dropout-onnx strip model.onnx`; the output keeps its name. If this file is part of a
    /// larger model, split that model before the dropout instead.
    "dropout-on-output", Warning, check
}

/// The number of `Identity` nodes followed.
const REACH: usize = 8;

fn check(context: &Context<'_>) -> Vec<Found> {
    let acting = context.sound().filter(|site| acts(site));
    acting
        .filter_map(|site| {
            let mut names = outputs(context, site).filter_map(|value| output(value, REACH));
            let name = names.next()?;
            Some(context.at_site(site, format!("drops elements of the model output `{name}`")))
        })
        .collect()
}

/// The model output that a value is.
fn output(value: ValueRef<'_>, reach: usize) -> Option<String> {
    let model = value.view().model;
    value.uses().find_map(|at| match at {
        Use::Output { graph, output } if graph == model.main() => {
            let info = model.graph(graph).outputs.get(output as usize)?;
            Some(info.name.to_string())
        }
        Use::Input { node, .. } if reach > 0 && model.node(node).is("Identity") => {
            output(value.view().node(node).output(0)?, reach - 1)
        }
        _ => None,
    })
}
