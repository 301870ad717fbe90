//! What a model with classic `Dropout` operators is run as: each of them is followed by a product
//! with 1-p. The operators stay, and pass their data through.

use smallvec::smallvec;

use crate::dropout::{self, Form};
use crate::error::Result;
use crate::onnx::{Attribute, AttributeValue, Editor, Model, Name, Node, Values, encode_tensor};
use crate::rewrite::Edited;
use crate::semantics::view::View;

use super::engine::{Stop, Unrunnable};

/// A copy whose operators scale, and what was done in words; `None` if there is nothing to scale.
///
/// # Errors
/// The model is not sound, or what an operator scales by is not known.
pub(super) fn scaled(model: &Model) -> Result<Option<(Edited, String)>, Stop> {
    let values = Values::new(model);
    let sites = dropout::find_in(View::new(model, &values))?.into_iter();
    let mut operators = Vec::new();
    for site in sites.filter(|site| site.form == Form::Operator && site.rate != Some(0.0)) {
        let node = site.nodes[0];
        let Some(factor) = site.classic_factor(model, &values) else {
            let place = model.place(node);
            let why = format!("{place}: its scale is unknown");
            return Err(Unrunnable::new(why).into());
        };
        operators.push((node, factor));
    }
    if operators.is_empty() {
        return Ok(None);
    }
    let note = format!(
        "Dropout operators scale by 1-p (classic; {})",
        operators.len()
    );
    let mut copy = model.clone();
    let mut editor = Editor::new(&mut copy, values);
    for (id, (element, bytes)) in operators {
        let Some(name) = editor.model().node(id).output(0).cloned() else {
            continue;
        };
        let kept = editor.fresh_name(&format!("{name}/kept"));
        editor.detach_output(id, 0, &kept);
        let factor = editor.fresh_name(&format!("{name}/scale"));
        let value = encode_tensor(&Name::default(), element, &[], &bytes);
        let behind = editor.node_behind(id);
        let constant = Node {
            outputs: smallvec![factor.clone()],
            attributes: vec![Attribute::new("value", AttributeValue::NewTensor(value))],
            ..Node::new("Constant")
        };
        editor.insert_node(id.graph, behind, constant);
        let product = Node {
            inputs: smallvec![kept, factor],
            outputs: smallvec![name],
            ..Node::new("Mul")
        };
        editor.insert_node(id.graph, behind, product);
    }
    editor.finish()?;
    Ok(Some((Edited::new(&copy)?, note)))
}
