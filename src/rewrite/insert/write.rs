//! Inserting a dropout after a value: the operator of the opset, or a mask shared along axes.

use smallvec::smallvec;

use crate::dropout::{OperatorVersion, version};
mod mask;

use crate::error::{Error, Result};
use crate::onnx::{
    At, Attribute, AttributeValue, DataType, Editor, Name, Node, NodeId, Producer, Use, ValueId,
};
use crate::rewrite::{Acting, Rate};
pub(super) use mask::Shared;

/// What is written.
pub(super) struct Written<'p> {
    /// The value after which to insert.
    pub value: ValueId,
    /// The uses that read it; all, if not given.
    pub readers: Option<&'p [Use]>,
    /// What to call it.
    pub label: &'p Name,
    pub rate: Rate,
    pub acting: &'p Acting,
    pub seed: Option<i64>,
    /// Whether it has its mask as an output.
    pub mask_output: bool,
    /// What is shared of its mask.
    pub shared: Option<&'p Shared>,
}

/// The names of the data and of the result.
pub(super) struct Ends {
    pub data: Name,
    pub output: Name,
}

/// Inserts a dropout after a value: its readers read the dropout instead. If the value is an output of
/// its graph, the dropout takes its name.
pub(super) fn write(editor: &mut Editor<'_>, what: &Written<'_>) -> Result<Ends> {
    let known = editor.values()[what.value].clone();
    let uses: Vec<Use> = editor.values().uses(what.value).collect();
    let chosen = |at: &Use| what.readers.is_none_or(|readers| readers.contains(at));
    let (uses, others): (Vec<Use>, Vec<Use>) = uses.into_iter().partition(chosen);
    let is_output = uses.iter().any(|at| matches!(at, Use::Output { .. }));
    let (at, ends) = match known.producer {
        Producer::Node { node, output } => {
            let at = (known.graph, editor.node_behind(node));
            if is_output {
                let data = editor.fresh_name(&format!("{}/before_dropout", known.name));
                editor.detach_output(node, output as usize, &data);
                let output = known.name;
                (at, Ends { data, output })
            } else {
                let (data, output) = (known.name, what.label.clone());
                (at, Ends { data, output })
            }
        }
        _ => {
            let first = NodeId {
                graph: known.graph,
                index: 0,
            };
            let (data, output) = (known.name, what.label.clone());
            ((known.graph, Some(first)), Ends { data, output })
        }
    };
    match what.shared {
        Some(shared) => mask::write(editor, at, what, &ends, shared),
        None => operator(editor, at, what, &ends),
    }
    let fresh = match is_output {
        true => &ends.data,
        false => &ends.output,
    };
    editor.describe_like(fresh, what.value);
    // an output keeps its name, and with it what reads it: the others read the data under its new name
    let (moved, name) = match is_output {
        true => (others, &ends.data),
        false => (uses, &ends.output),
    };
    let made = editor.values().lookup(editor.model(), known.graph, name);
    let made = made.ok_or_else(|| Error::model("an inserted node is missing"))?;
    for at in moved {
        if let Use::Input { node, input } = at {
            editor.set_input(node, input as usize, made);
        }
    }
    Ok(ends)
}

fn operator(editor: &mut Editor<'_>, at: At, what: &Written<'_>, ends: &Ends) {
    let opset = editor.model().opset(at.0, "").unwrap_or(1);
    let rate = what.rate.value() as f32;
    let ratio = || Attribute::new("ratio", AttributeValue::Float(rate));
    let mut inputs = vec![ends.data.clone()];
    let mut attributes = Vec::new();
    match version(opset) {
        OperatorVersion::Inputs => {
            let hint = format!("{}/ratio", what.label);
            let elements = (DataType::FLOAT, &[][..], &rate.to_le_bytes()[..]);
            inputs.push(editor.add_constant(at, &hint, elements));
            inputs.push(switch(editor, at, what));
            let seed = what.seed.map(AttributeValue::Int);
            attributes.extend(seed.map(|seed| Attribute::new("seed", seed)));
        }
        OperatorVersion::IsTest => {
            let test = i64::from(*what.acting == Acting::Inert);
            attributes.push(ratio());
            attributes.push(Attribute::new("is_test", AttributeValue::Int(test)));
        }
        OperatorVersion::InferenceTyped | OperatorVersion::InferenceBool => {
            attributes.push(ratio());
        }
    }
    let mut outputs = smallvec![ends.output.clone()];
    if what.mask_output {
        outputs.push(editor.fresh_name(&format!("{}/mask", what.label)));
    }
    let dropout = Node {
        name: what.label.clone(),
        inputs: inputs.into(),
        outputs,
        attributes,
        ..Node::new("Dropout")
    };
    editor.insert_node(at.0, at.1, dropout);
}

/// The name of the value that switches it.
fn switch(editor: &mut Editor<'_>, at: At, what: &Written<'_>) -> Name {
    let on = match what.acting {
        Acting::Runtime(name) => return name.clone(),
        acting => u8::from(*acting == Acting::Active),
    };
    let hint = format!("{}/training_mode", what.label);
    editor.add_constant(at, &hint, (DataType::BOOL, &[], &[on]))
}
