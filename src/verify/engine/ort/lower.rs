//! Nodes of the copy that ONNX Runtime cannot run as they should be run: those that draw, and those that
//! observe, become operators of this crate.

use super::operators::{DOMAIN, NORMAL, NUMBERS, STREAM};
use crate::onnx::{
    Attribute, AttributeValue, DataType, Editor, Model, Node, NodeId, RANDOM_OPERATORS, Values,
};
use crate::verify::engine::patch::Patch;
use crate::verify::engine::site::Site;
use crate::verify::engine::{Stop, Unrunnable, copy, watch};

/// Replaces all of them.
///
/// # Errors
/// The type of what is drawn is not known.
pub(super) fn lower(model: &mut Model) -> Result<(), Stop> {
    let drawn = |node: &Node| RANDOM_OPERATORS.iter().any(|name| node.is(name));
    let asks = |node: &Node| {
        (drawn(node) && !node.is("Multinomial")) || node.is("Dropout") || node.is(watch::OPERATOR)
    };
    let nodes = model.nodes().filter(|(_, node)| asks(node));
    let nodes: Vec<NodeId> = nodes.map(|(id, _)| id).collect();
    if nodes.is_empty() {
        return Ok(());
    }
    let values = Values::new(model);
    let mut editor = Editor::new(model, values);
    for id in nodes {
        let site = Site::of(editor.view(), id, 0);
        let patch = Patch::new(&mut editor, id, site);
        match () {
            () if patch.node.is("Dropout") => dropout(patch)?,
            () if patch.node.is(watch::OPERATOR) => observe(patch),
            () => draw(patch)?,
        }
    }
    Ok(editor.finish()?)
}

/// An operator of this crate.
fn own(op_type: &str) -> Node {
    Node {
        domain: DOMAIN.into(),
        ..Node::new(op_type)
    }
}

fn int(patch: &Patch<'_, '_>, name: &str) -> Option<i64> {
    patch.node.attribute(name)?;
    Some(patch.int(name, 0))
}

fn stream(patch: &Patch<'_, '_>) -> Attribute {
    let stream = int(patch, copy::STREAM).unwrap_or_default();
    Attribute::new(STREAM, AttributeValue::Int(stream))
}

fn observe(mut patch: Patch<'_, '_>) {
    let node = Node {
        domain: DOMAIN.into(),
        ..patch.node.clone()
    };
    patch.end(node.outputs.clone(), node);
}

/// Dropout in inference is the identity.
fn dropout(mut patch: Patch<'_, '_>) -> Result<(), Stop> {
    let version = int(&patch, copy::VERSION).unwrap_or_default();
    let trains = int(&patch, copy::TRAINING).unwrap_or_default();
    let data = patch.input(0);
    let output = |index: usize| patch.node.output(index).cloned();
    let (output, mask) = (output(0), output(1));
    let old = version < 7 && int(&patch, "is_test").unwrap_or_default() == 0;
    let training = match trains {
        copy::NEVER => Ok(false),
        copy::ALWAYS => Ok(true),
        _ if version < 12 => Ok(old),
        _ => patch.node.input(2).cloned().map_or(Ok(false), Err),
    };
    if training == Ok(false) && mask.is_none() {
        patch.end(output, Node::new("Identity").on([data]));
        return Ok(());
    }
    let ratio = match (int(&patch, copy::RATE), version < 12) {
        (Some(bits), _) => Ok(f64::from_bits(bits.cast_unsigned())),
        (None, true) => Ok(f64::from(patch.float("ratio", 0.5))),
        (None, false) => patch.node.input(1).cloned().map_or(Ok(0.5), Err),
    };
    let ratio = match ratio {
        Ok(ratio) => patch.constant(DataType::DOUBLE, &[], &ratio.to_le_bytes()),
        Err(input) => patch.put(Node::cast(DataType::DOUBLE).on([input])),
    };
    let training = match training {
        Ok(training) => patch.constant(DataType::BOOL, &[], &[u8::from(training)]),
        Err(input) => input,
    };
    let dropout = own("Dropout").on([data, ratio, training]);
    let dropout = dropout.with(stream(&patch));
    let output = output.unwrap_or_else(|| patch.fresh());
    match mask {
        Some(mask) if version < 10 => {
            let element = element(&patch, None)?;
            let kept = patch.fresh();
            patch.end([output, kept.clone()], dropout);
            patch.put_as([mask], Node::cast(element).on([kept]));
        }
        mask => patch.end([output].into_iter().chain(mask), dropout),
    }
    Ok(())
}

/// The element type of what is drawn.
fn element(patch: &Patch<'_, '_>, default: Option<DataType>) -> Result<DataType, Stop> {
    let declared = int(patch, "dtype").and_then(|number| i32::try_from(number).ok());
    let declared = declared.filter(|&number| number != 0).map(DataType);
    let (input, output) = (patch.element(0), patch.output_element(0));
    declared.or(default).or(input).or(output).ok_or_else(|| {
        let why = format!("the element type of {} is not known", patch.node.name);
        Unrunnable::new(why).into()
    })
}

fn draw(mut patch: Patch<'_, '_>) -> Result<(), Stop> {
    let op = patch.node.op_type.to_string();
    let is_normal = op.starts_with("RandomNormal");
    let is_like = op.ends_with("Like") || op == "Bernoulli";
    let element = element(&patch, (!is_like).then_some(DataType::FLOAT))?;
    let data = patch.input(0);
    let shape = match patch.node.attribute("shape").map(|a| &a.value) {
        Some(AttributeValue::Ints(dims)) if !is_like => {
            let bytes: Vec<u8> = dims.iter().flat_map(|dim| dim.to_le_bytes()).collect();
            let count = dims.len() as i64;
            patch.constant(DataType::INT64, &[count], &bytes)
        }
        _ => patch.put(Node::new("Shape").on([data.clone()])),
    };
    let numbers = match is_normal {
        true => [patch.float("mean", 0.0), patch.float("scale", 1.0)],
        false => [patch.float("low", 0.0), patch.float("high", 1.0)],
    };
    let drawn = own("Draw").on([shape]).with(stream(&patch));
    let numbers = AttributeValue::Floats(numbers.to_vec());
    let drawn = drawn.with(Attribute::new(NUMBERS, numbers));
    let normal = AttributeValue::Int(i64::from(is_normal));
    let mut drawn = patch.put(drawn.with(Attribute::new(NORMAL, normal)));
    if op == "Bernoulli" {
        let chance = patch.put(Node::cast(DataType::DOUBLE).on([data]));
        drawn = patch.put(Node::new("Less").on([drawn, chance]));
    }
    let outputs = patch.node.outputs.clone();
    patch.end(outputs, Node::cast(element).on([drawn]));
    Ok(())
}
