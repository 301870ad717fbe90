//! Whether tract supports a model, before anything is run.

use std::collections::BTreeMap;

use tract_onnx::model::OnnxOpRegister;

use crate::onnx::{
    AttributeValue, DataType, GraphId, GraphKind, Model, Node, NodeId, ValueType, Values,
};
use crate::verify::engine::mend::{MICROSOFT as DOMAIN, unread};
use crate::verify::engine::{Unrunnable, draws};

/// Operators of Microsoft's domain that tract implements by Microsoft's meaning.
const MICROSOFT: [&str; 9] = [
    "BiasGelu",
    "FastGelu",
    "GatherBlockQuantized",
    "Gelu",
    "GroupQueryAttention",
    "MatMulNBits",
    "MultiHeadAttention",
    "QuickGelu",
    "RotaryEmbedding",
];

/// Operators of the domain of classical machine learning that tract implements.
const CLASSICAL: [&str; 6] = [
    "ArrayFeatureExtractor",
    "CategoryMapper",
    "LinearClassifier",
    "LinearRegressor",
    "Normalizer",
    "TreeEnsembleClassifier",
];

/// Checks that tract supports what a model uses, apart from its tensors. Functions are inlined by now.
pub(super) fn check(model: &Model, register: &OnnxOpRegister) -> Result<(), Unrunnable> {
    operators(model, register)?;
    for input in &model.graph(model.main()).inputs {
        if let ValueType::Tensor { element, .. } = input.value_type() {
            supported(element, &input.name.to_text())?;
        }
    }
    nodes(model).try_for_each(|(id, node)| self::node(model, id, node))?;
    outputs(model)
}

/// Nodes that run: those of training graphs and functions do not.
fn nodes(model: &Model) -> impl Iterator<Item = (NodeId, &Node)> {
    let runs = |graph: GraphId| matches!(model.graph(model.root(graph)).kind, GraphKind::Main);
    model.nodes().filter(move |(id, _)| runs(id.graph))
}

/// Unknown operators with how often they occur, the most frequent named first.
fn operators(model: &Model, register: &OnnxOpRegister) -> Result<(), Unrunnable> {
    let mut unknown: BTreeMap<String, (usize, NodeId)> = BTreeMap::new();
    for (id, node) in nodes(model) {
        let name = node.op_type.to_text();
        let domain = match node.in_default_domain() {
            true => String::new(),
            false => node.domain.to_string(),
        };
        let known = match &*domain {
            "" => register.0.contains_key(&*name),
            DOMAIN => MICROSOFT.contains(&&*name),
            draws::DOMAIN => true,
            "ai.onnx.ml" => CLASSICAL.contains(&&*name),
            _ => false,
        };
        if !known {
            let shown = match domain.is_empty() {
                true => name.into_owned(),
                false => format!("{domain}::{name}"),
            };
            unknown.entry(shown).or_insert((0, id)).0 += 1;
        }
    }
    let mut unknown: Vec<_> = unknown.into_iter().collect();
    unknown.sort_by_key(|(_, (count, _))| std::cmp::Reverse(*count));
    let Some((name, (count, node))) = unknown.first() else {
        return Ok(());
    };
    let node = model.label(*node);
    let mut reason = match count {
        1 => format!("tract has no operator {name} (node {node})"),
        _ => format!("tract has no operator {name} ({count} nodes, one is {node})"),
    };
    let others: Vec<_> = unknown[1..].iter().map(|(name, _)| name.as_str()).collect();
    if !others.is_empty() {
        reason.push_str(&format!(", nor {}", others.join(", ")));
    }
    Err(lacks(name, reason))
}

fn lacks(operator: &str, reason: String) -> Unrunnable {
    Unrunnable {
        operator: Some(operator.to_string()),
        ..Unrunnable::new(reason)
    }
}

fn node(model: &Model, id: NodeId, node: &Node) -> Result<(), Unrunnable> {
    let (op, label) = (node.op_type.to_text(), model.label(id));
    for attribute in &node.attributes {
        if let AttributeValue::Int(element) = attribute.value
            && (attribute.name == "to" || attribute.name == "dtype")
            && element != 0
        {
            let element = DataType(i32::try_from(element).unwrap_or(-1));
            let place = format!("{} of node {label}", attribute.name);
            supported(element, &place).map_err(|why| lacks(&op, why.reason))?;
        }
    }
    if let Some(attribute) = unread(node) {
        let why = format!("tract does not read {attribute} of {op} (node {label})");
        return Err(lacks(&op, why));
    }
    if matches!(&*op, "RandomUniform" | "RandomNormal") && !node.inputs.is_empty() {
        let why = format!("{op} takes no input (node {label})");
        return Err(lacks(&op, why));
    }
    Ok(())
}

/// Whether tract has an element type; `place` is where it is.
pub(super) fn supported(element: DataType, place: &str) -> Result<(), Unrunnable> {
    let has = matches!(element.0, 1..=7 | 9..=13);
    let named = match element.name() {
        Some(name) => name.to_string(),
        None => format!("element type {}", element.0),
    };
    let why = || Unrunnable::new(format!("tract has no {named} tensors ({place})"));
    has.then_some(()).ok_or_else(why)
}

/// tract panics where an output is produced by nothing in its graph, and has no sequences.
fn outputs(model: &Model) -> Result<(), Unrunnable> {
    for output in &model.graph(model.main()).outputs {
        if !matches!(
            output.value_type(),
            ValueType::Tensor { .. } | ValueType::Unknown
        ) {
            let why = format!("output {} is not declared as a tensor", output.name);
            return Err(Unrunnable::new(why));
        }
    }
    let values = Values::new(model);
    for (id, graph) in model.graphs() {
        let missing = graph.outputs.iter().find(|o| !values.defines(id, &o.name));
        if let Some(output) = missing {
            let (output, graph) = (&output.name, &graph.name);
            let why = format!("the output {output} of graph {graph} is produced by nothing in it");
            return Err(Unrunnable::new(why));
        }
    }
    Ok(())
}
