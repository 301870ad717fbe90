//! Graph inputs that nothing uses any more after a rewrite.

use crate::onnx::{Name, ValueId};
use crate::semantics::view::View;

/// Inputs of the main graph that something uses.
pub(super) fn graph_inputs(view: View<'_>) -> Vec<Name> {
    let inputs = view.graph_inputs(view.model.main()).flatten();
    let used = inputs.filter(|value| value.is_used());
    used.map(|value| value.get().name.clone()).collect()
}

/// The names of those of these inputs that nothing uses.
pub(super) fn idle_names(view: View<'_>, inputs: &[Name]) -> Vec<Name> {
    let idle = idle_inputs(view, inputs).into_iter();
    idle.map(|input| view.value(input).name.clone()).collect()
}

/// Those of these inputs that nothing uses.
pub(super) fn idle_inputs(view: View<'_>, inputs: &[Name]) -> Vec<ValueId> {
    let main = view.model.main();
    let inputs = inputs.iter().filter_map(|name| view.lookup(main, name));
    let idle = inputs.filter(|value| !value.is_used());
    idle.map(|value| value.id).collect()
}
