//! Letting what used one value use another.

use smallvec::smallvec;

use super::Identity;
use crate::error::Result;
use crate::onnx::{Editor, Name, Node, NodeId, Producer, Use, ValueId};

/// Lets everything that used `output`, which a removed node made, use `data`. Where the name of
/// `output` must live on, `data` takes it over; where that cannot be, an `Identity` called `label`
/// replaces the node, and is returned.
pub(super) fn pass_through(
    editor: &mut Editor<'_>,
    removed: NodeId,
    label: &Name,
    output: ValueId,
    data: ValueId,
) -> Result<Option<Identity>> {
    let Some(why) = redirect(editor, output, data)? else {
        return Ok(None);
    };
    let values = editor.values();
    let value = values[output].name.clone();
    let identity = Node {
        name: label.clone(),
        outputs: smallvec![value.clone()],
        ..Node::new("Identity").on([values[data].name.clone()])
    };
    editor.insert_node(removed.graph, Some(removed), identity);
    Ok(Some(Identity { value, why }))
}

/// Lets everything that used `output` use `data`. Returns why that cannot be.
fn redirect(
    editor: &mut Editor<'_>,
    output: ValueId,
    data: ValueId,
) -> Result<Option<&'static str>> {
    let view = editor.view();
    let (source, target) = (view.value(data), view.value(output));
    if !target.is_used() {
        return Ok(None);
    }
    if editor.can_redirect(output, data) {
        editor.redirect(output, data)?;
        return Ok(None);
    }
    let name = target.name.clone();
    if source.graph == target.graph && editor.can_rename(data, &name) {
        editor.rename(data, &name)?;
        return Ok(None);
    }
    let by_name = target.uses().any(|at| !matches!(at, Use::Input { .. }));
    Ok(Some(match source.get().producer {
        _ if !by_name => "the name of its input is shadowed where its result is used",
        _ if source.graph != target.graph => {
            "it is an output, and its input is an outer-scope value"
        }
        Producer::Input(_) => "it is an output, and its input is an input of the same graph",
        Producer::Initializer(_) | Producer::SparseInitializer(_) => {
            "it is an output, and its input is an initializer"
        }
        _ => "both it and its input are outputs",
    }))
}
