//! Classic `Dropout` operators: each is followed by a product with 1-p. The operators stay, and pass
//! their data through.

use crate::dropout::{ScalarBytes, Side};
use crate::onnx::{Editor, Node, NodeId};
use crate::verify::engine::Unrunnable;

/// The operators with a rate that is not 0, and their factors.
///
/// # Errors
/// A factor is unknown.
pub(super) fn operators(side: Side<'_>) -> Result<Vec<(NodeId, ScalarBytes)>, Unrunnable> {
    let sites = side.sites.iter().filter(|site| site.is_classic());
    let mut operators: Vec<(NodeId, ScalarBytes)> = Vec::new();
    for site in sites {
        let id = site.nodes[0];
        let unknown = || {
            Unrunnable::new(format!(
                "{}: its scale is unknown",
                side.view.model.place(id)
            ))
        };
        let factor = site.classic_factor(side.view).ok_or_else(unknown)?;
        match operators.last() {
            // the calls of a function may set it differently
            Some((known, same)) if *known == id && *same == factor => {}
            Some((known, _)) if *known == id => return Err(unknown()),
            _ => operators.push((id, factor)),
        }
    }
    Ok(operators)
}

/// Multiplies the output of an operator by its factor.
pub(super) fn scale(editor: &mut Editor<'_>, id: NodeId, (element, factor): ScalarBytes) {
    let output = editor.values().output(editor.model(), id, 0);
    let detached = output.and_then(|output| editor.detach(id, output));
    if let Some((kept, at, name)) = detached {
        let factor = editor.put_constant(at, "kept/scale", (element, &[], &factor));
        editor.put_as(at, name, Node::new("Mul").on([kept, factor]));
    }
}
