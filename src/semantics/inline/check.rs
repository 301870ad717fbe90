//! Calls that cannot be inlined.

use crate::onnx::Function;
use crate::semantics::view::{NodeRef, View};

use super::Failure;
use super::scope::Scope;

/// How deep calls may be nested.
const DEEPEST: usize = 64;

/// Checks that a call fits its function, and is not nested too deep.
pub(super) fn check_call(
    view: View<'_>,
    call: NodeRef<'_>,
    function: &Function,
    scope: &Scope<'_>,
) -> Result<(), Failure> {
    let calls_itself = scope.calls.iter().any(|&outer| {
        let callee = view.node(outer).callee();
        callee == call.callee()
    });
    if calls_itself {
        let why = format!("function {} calls itself", shown(function));
        return Err(Failure::Refused(why));
    }
    if scope.calls.len() >= DEEPEST {
        let why = format!("functions call each other more than {DEEPEST} deep");
        return Err(Failure::Refused(why));
    }
    let body = view.model.graph(function.body);
    let (inputs, outputs) = (call.inputs.len(), call.outputs.len());
    if inputs > body.inputs.len() || outputs > body.outputs.len() {
        return Err(Failure::Refused(format!(
            "a call of function {} passes {inputs} inputs and {outputs} outputs; it has {} and {}",
            shown(function),
            body.inputs.len(),
            body.outputs.len(),
        )));
    }
    Ok(())
}

/// The name of a function in messages.
pub(super) fn shown(function: &Function) -> String {
    let domain = match function.domain == "ai.onnx" {
        true => String::new(),
        false => function.domain.to_string(),
    };
    match function.overload.is_empty() {
        true => format!("{domain}::{}", function.name),
        false => format!("{domain}::{}:{}", function.name, function.overload),
    }
}
