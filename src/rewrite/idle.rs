//! Graph inputs that nothing uses any more after a rewrite. They stay: they are the interface.

use crate::onnx::{Model, Name, Values};
use crate::semantics::view::View;

/// Inputs of the main graph that something uses.
pub(super) fn graph_inputs(model: &Model, values: &Values) -> Vec<Name> {
    let view = View::new(model, values);
    let inputs = view.graph_inputs(model.main()).flatten();
    let used = inputs.filter(|value| value.is_used());
    used.map(|value| value.get().name.clone()).collect()
}

/// Those of these inputs that nothing uses.
pub(super) fn idle_names(view: View<'_>, inputs: Vec<Name>) -> Vec<Name> {
    let main = view.model.main();
    let idle = |name: &Name| {
        view.lookup(main, name)
            .is_some_and(|value| !value.is_used())
    };
    inputs.into_iter().filter(idle).collect()
}
