//! Inserting a dropout after a value: the operator of the opset, or a mask shared along axes.

use smallvec::smallvec;

use crate::dropout::{OperatorVersion, version};
use crate::error::{Error, Result};
use crate::onnx::{
    At, Attribute, AttributeValue, DataType, Editor, Elements, Name, Node, NodeId, Producer, Use,
    ValueId, encode_float,
};
use crate::rewrite::{Acting, Rate};

/// What is written.
pub(super) struct Written<'p> {
    /// The value after which to insert.
    pub value: ValueId,
    /// What to call it.
    pub label: &'p Name,
    pub rate: Rate,
    pub acting: &'p Acting,
    pub seed: Option<i64>,
    /// What is shared of its mask.
    pub shared: Option<&'p Shared>,
}

/// A mask that is shared along axes.
#[derive(Clone, Debug)]
pub(super) struct Shared {
    pub axes: Vec<i64>,
    /// How many axes there are.
    pub rank: usize,
    pub element: DataType,
}

/// The names of the data and of the result.
pub(super) struct Ends {
    pub data: Name,
    pub output: Name,
}

/// Puts a dropout behind a value: what used the value uses the dropout. If the value is an output of
/// its graph, the dropout takes its name.
pub(super) fn write(editor: &mut Editor<'_>, what: &Written<'_>) -> Result<Ends> {
    let known = editor.values()[what.value].clone();
    let uses: Vec<Use> = editor.values().uses(what.value).collect();
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
        Some(shared) => shared_mask(editor, at, what, &ends, shared),
        None => operator(editor, at, what, &ends),
    }
    let fresh = match is_output {
        true => &ends.data,
        false => &ends.output,
    };
    editor.describe_like(fresh, what.value);
    if !is_output {
        let made = editor
            .values()
            .lookup(editor.model(), known.graph, &ends.output);
        let made = made.ok_or_else(|| Error::model("an inserted node is missing"))?;
        for at in uses {
            if let Use::Input { node, input } = at {
                editor.set_input(node, input as usize, made);
            }
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
    let dropout = Node {
        name: what.label.clone(),
        inputs: inputs.into(),
        outputs: smallvec![ends.output.clone()],
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

/// `x · (u ≥ p) / (1−p)`, with u drawn in the shape of x, except for 1 along the shared axes.
fn shared_mask(
    editor: &mut Editor<'_>,
    at: At,
    what: &Written<'_>,
    ends: &Ends,
    Shared {
        axes,
        rank,
        element,
    }: &Shared,
) {
    let (rank, element) = (*rank, *element);
    let opset = editor.model().opset(at.0, "").unwrap_or(1);
    let float = |number| encode_float(element, number).unwrap_or_default();
    let shared = |axis: usize| {
        let back = axis as i64 - rank as i64;
        axes.iter().any(|&a| a == axis as i64 || a == back)
    };
    let longs = |of: &dyn Fn(bool) -> i64| -> Vec<u8> {
        let each = (0..rank).flat_map(|axis| of(shared(axis)).to_le_bytes());
        each.collect()
    };
    let dims = [rank as i64];
    let label = what.label;
    let put = |editor: &mut Editor<'_>, op: &str, inputs: &[&Name], given: Option<Attribute>| {
        let node = Node {
            attributes: given.into_iter().collect(),
            ..Node::new(op).on(inputs.iter().map(|&name| name.clone()))
        };
        editor.put(at, &format!("{label}/{op}"), node)
    };
    let own = |editor: &mut Editor<'_>, hint: &str, elements: Elements<'_>| {
        editor.add_constant(at, &format!("{label}/{hint}"), elements)
    };
    let kept = longs(&|shared| i64::from(!shared));
    let kept = own(editor, "drawn_axes", (DataType::INT64, &dims, &kept));
    let ones = longs(&|shared| i64::from(shared));
    let ones = own(editor, "shared_axes", (DataType::INT64, &dims, &ones));
    let rate = (what.rate.value() as f32).to_le_bytes();
    let ratio = own(editor, "ratio", (DataType::FLOAT, &[], &rate));
    let scale = float(what.rate.scale());
    let scale = own(editor, "scale", (element, &[], &scale));
    let shape = put(editor, "Shape", &[&ends.data], None);
    let shape = put(editor, "Mul", &[&shape, &kept], None);
    let shape = put(editor, "Add", &[&shape, &ones], None);
    let zeros = put(editor, "ConstantOfShape", &[&shape], None);
    let seed = what.seed.map(|seed| AttributeValue::Float(seed as f32));
    let seed = seed.map(|seed| Attribute::new("seed", seed));
    let drawn = put(editor, "RandomUniformLike", &[&zeros], seed);
    let keep = match opset {
        12.. => put(editor, "GreaterOrEqual", &[&drawn, &ratio], None),
        _ => {
            let drop = put(editor, "Less", &[&drawn, &ratio], None);
            put(editor, "Not", &[&drop], None)
        }
    };
    let to = Attribute::new("to", AttributeValue::Int(element.0.into()));
    let mask = put(editor, "Cast", &[&keep], Some(to));
    let mut mask = put(editor, "Mul", &[&mask, &scale], None);
    if let Acting::Runtime(switch) = what.acting {
        let one = own(editor, "one", (element, &[], &float(1.0)));
        mask = put(editor, "Where", &[switch, &mask, &one], None);
    }
    let product = Node {
        name: label.clone(),
        inputs: smallvec![ends.data.clone(), mask],
        outputs: smallvec![ends.output.clone()],
        ..Node::new("Mul")
    };
    editor.insert_node(at.0, at.1, product);
}
