//! The outputs of a model that no input changes, such as the mask of a dropout that is off.

use std::collections::BTreeSet;

use crate::hash::HashSet;
use crate::onnx::{Use, ValueId};
use crate::semantics::view::{NodeRef, View};

/// Names of the main graph's outputs whose elements depend on no input that has to be fed: at most on
/// the shape of one. Dropout is taken as in inference.
pub(super) fn outputs(view: View<'_>) -> BTreeSet<String> {
    let main = view.model.main();
    let mut moved = HashSet::default();
    let fed = view.graph_inputs(main).flatten();
    let fed = fed.filter(|input| input.initializer_index().is_none());
    let mut open: Vec<ValueId> = fed.map(|input| input.id).collect();
    while let Some(value) = open.pop() {
        if !moved.insert(value) {
            continue;
        }
        for at in view.value(value).uses() {
            match at {
                Use::Input { node, input } => {
                    open.extend(changed(view.node(node), input as usize));
                }
                Use::Output { graph, .. } => {
                    let owner = view.owner(graph);
                    open.extend(owner.iter().flat_map(|node| node.produced().map(|v| v.id)));
                }
                Use::Annotation(_) | Use::Binding(_) | Use::Attribute(_) => {}
            }
        }
    }
    let outputs = view.graph_outputs(main).flatten();
    let steady = outputs.filter(|output| !moved.contains(&output.id));
    steady.map(|output| output.name.to_string()).collect()
}

/// What an input of a node changes: its outputs, and the inputs of graphs inside it.
fn changed(node: NodeRef<'_>, input: usize) -> Vec<ValueId> {
    if node
        .operator()
        .is_some_and(|operator| !operator.reads_values(input))
    {
        return Vec::new();
    }
    let outputs = if node.is("Dropout") { 1 } else { usize::MAX };
    let view = node.view();
    let formals = node
        .bodies()
        .flat_map(|body| view.graph_inputs(body).flatten());
    let outputs = node.outputs().take(outputs).flatten();
    outputs.chain(formals).map(|value| value.id).collect()
}
