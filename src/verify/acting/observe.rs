//! The copy of a model in which every site has a node that observes it.

use std::collections::VecDeque;

use super::expected::{Expected, Watch};
use crate::error::Result;
use crate::hash::HashSet;
use crate::onnx::{DataType, Editor, Name, Node, Producer, ValueType};
use crate::semantics::view::View;
use crate::source::Source;
use crate::verify::engine::watch;

/// Creates the copy, with the switches of dropout on.
pub(super) fn observed(view: View<'_>, expected: &Expected) -> Result<Source> {
    let mut copy = view.model.clone();
    let mut editor = Editor::new(&mut copy, view.values.clone());
    for (switch, &on) in &expected.switches {
        set_default(&mut editor, view, switch, on);
    }
    for (site, watch) in expected.watches.iter().enumerate() {
        if watch.unseen.is_none() {
            observe(&mut editor, view, site, watch);
        }
    }
    editor.finish()?;
    Ok(Source::from_rope(copy.to_rope()?))
}

/// True of a site whose output is computed from the data that it names.
pub(super) fn is_made_of_data(view: View<'_>, watch: &Watch) -> bool {
    let [data, output] = [&watch.data, &watch.output].map(|name| view.lookup(watch.graph, name));
    let (Some(data), Some(output)) = (data, output) else {
        return false;
    };
    // the data is near: nodes next to the output come first
    let mut open = VecDeque::from([output]);
    let mut seen = HashSet::default();
    while let Some(value) = open.pop_front() {
        if value.id == data.id {
            return true;
        }
        if let Some(node) = value.node().filter(|node| seen.insert(node.id)) {
            open.extend(node.inputs().flatten());
        }
    }
    false
}

/// Sets the default of a boolean input, in the shape that the input declares: `()` or `(1)`.
fn set_default(editor: &mut Editor<'_>, view: View<'_>, input: &Name, on: bool) {
    let main = view.model.main();
    let Some(value) = view.lookup(main, input) else {
        return;
    };
    let Producer::Input(index) = value.producer else {
        return;
    };
    let shape = match view.model.graph(main).inputs[index as usize].value_type() {
        ValueType::Tensor {
            shape: Some(shape), ..
        } => vec![1; shape.len()],
        _ => Vec::new(),
    };
    let on = [u8::from(on)];
    match value.initializer {
        Some(index) => editor.replace_initializer(main, index, DataType::BOOL, &shape, &on),
        None => {
            editor.add_initializer(main, input, DataType::BOOL, &shape, &on);
        }
    }
}

/// Inserts a node after a site that observes its data and its output.
fn observe(editor: &mut Editor<'_>, view: View<'_>, site: usize, watch: &Watch) {
    let output = view.lookup(watch.graph, &watch.output);
    let Some((output, node)) = output.and_then(|output| Some((output.id, output.node()?.id)))
    else {
        return;
    };
    // the data may be the output of a site that is observed already
    if let Some((made, at, name)) = editor.detach(node, output) {
        let observer = Node {
            // tract requires distinct names of nodes
            name: Name::from(format!("{made}/watch").as_str()),
            outputs: [name].into_iter().collect(),
            ..watch::node(site, &watch.data, &made)
        };
        editor.insert_node(at.0, at.1, observer);
    }
}
