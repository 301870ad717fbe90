//! Whether tract supports a model, before anything is run.

use std::collections::{BTreeMap, HashSet};

use tract_onnx::model::OnnxOpRegister;
use tract_onnx::pb;
use tract_onnx::pb::tensor_proto::{DataLocation, DataType};

use super::Unrunnable;
use super::walk::{default_domain, each_node, element_of, subgraphs};

/// Operators of Microsoft's domain that tract implements by Microsoft's meaning.
const MICROSOFT: [&str; 11] = [
    "BiasGelu",
    "FastGelu",
    "GatherBlockQuantized",
    "Gelu",
    "GroupQueryAttention",
    "MatMulNBits",
    "MultiHeadAttention",
    "QuickGelu",
    "RotaryEmbedding",
    "SkipLayerNormalization",
    "SkipSimplifiedLayerNormalization",
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

/// Checks that tract supports what a graph uses. Functions are inlined by now.
pub(super) fn check(graph: &pb::GraphProto, register: &OnnxOpRegister) -> Result<(), Unrunnable> {
    operators(graph, register)?;
    each_graph(graph, &mut |graph| {
        if !graph.sparse_initializer.is_empty() {
            return Err(Unrunnable::new("tract has no sparse tensors"));
        }
        for tensor in &graph.initializer {
            self::tensor(tensor, &format!("initializer {}", tensor.name))?;
        }
        for value in graph.input.iter().chain(&graph.output) {
            if let Some(name) = element_of(value).and_then(unsupported_element) {
                return Err(Unrunnable::new(format!(
                    "tract has no {name} tensors ({})",
                    value.name
                )));
            }
        }
        for node in &graph.node {
            self::node(node)?;
        }
        outputs(graph)
    })?;
    for input in &graph.input {
        if element_of(input).is_none() && !graph.initializer.iter().any(|t| t.name == input.name) {
            return Err(Unrunnable::new(format!(
                "input {} is not declared as a tensor",
                input.name
            )));
        }
    }
    Ok(())
}

/// Unknown operators with how often they occur, the most frequent named first.
fn operators(graph: &pb::GraphProto, register: &OnnxOpRegister) -> Result<(), Unrunnable> {
    let mut unknown: BTreeMap<String, (usize, String)> = BTreeMap::new();
    each_node(&graph.node, &mut |node| {
        let name = node.op_type.as_str();
        let known = match node.domain.as_str() {
            domain if default_domain(domain) => register.0.contains_key(name),
            "com.microsoft" => MICROSOFT.contains(&name),
            "ai.onnx.ml" => CLASSICAL.contains(&name),
            _ => false,
        };
        if !known {
            let domain = if default_domain(&node.domain) {
                ""
            } else {
                &node.domain
            };
            let shown = if domain.is_empty() {
                name.to_string()
            } else {
                format!("{domain}::{name}")
            };
            let entry = unknown.entry(shown).or_insert_with(|| (0, label(node)));
            entry.0 += 1;
        }
    });
    let mut unknown: Vec<_> = unknown.into_iter().collect();
    unknown.sort_by_key(|(_, (count, _))| std::cmp::Reverse(*count));
    let Some((name, (count, node))) = unknown.first() else {
        return Ok(());
    };
    let mut reason = match count {
        1 => format!("tract has no operator {name} (node {node})"),
        _ => format!("tract has no operator {name} ({count} nodes, one is {node})"),
    };
    let others: Vec<_> = unknown[1..].iter().map(|(name, _)| name.as_str()).collect();
    if !others.is_empty() {
        reason.push_str(&format!(", nor {}", others.join(", ")));
    }
    Err(Unrunnable {
        reason,
        operator: Some(name.clone()),
        ended: false,
    })
}

/// A node by its name, or by its first output.
fn label(node: &pb::NodeProto) -> String {
    let output = node.output.iter().find(|name| !name.is_empty());
    match (node.name.as_str(), output) {
        ("", Some(output)) => format!("writing {output}"),
        ("", None) => "without a name".to_string(),
        (name, _) => name.to_string(),
    }
}

fn node(node: &pb::NodeProto) -> Result<(), Unrunnable> {
    let unrunnable = |reason| {
        Err(Unrunnable {
            reason,
            operator: Some(node.op_type.clone()),
            ended: false,
        })
    };
    for attribute in &node.attribute {
        let place = format!("{} of node {}", attribute.name, label(node));
        for tensor in attribute.t.iter().chain(&attribute.tensors) {
            self::tensor(tensor, &place)?;
        }
        if attribute.sparse_tensor.is_some() {
            return unrunnable(format!("tract has no sparse tensors ({place})"));
        }
        if matches!(attribute.name.as_str(), "to" | "dtype")
            && let Ok(element) = i32::try_from(attribute.i)
            && element != DataType::Undefined as i32
            && let Some(name) = unsupported_element(element)
        {
            return unrunnable(format!("tract has no {name} tensors ({place})"));
        }
    }
    if let Some(attribute) = unread(node) {
        let why = format!(
            "tract does not read {attribute} of {} (node {})",
            node.op_type,
            label(node)
        );
        return unrunnable(why);
    }
    if matches!(node.op_type.as_str(), "RandomUniform" | "RandomNormal") && !node.input.is_empty() {
        let why = format!("{} takes no input (node {})", node.op_type, label(node));
        return unrunnable(why);
    }
    Ok(())
}

/// An attribute of a recurrent layer that changes what it computes, and that tract ignores.
fn unread(node: &pb::NodeProto) -> Option<&str> {
    let usual: &[&[u8]] = match node.op_type.as_str() {
        "LSTM" => &[b"Sigmoid", b"Tanh", b"Tanh"],
        "GRU" => &[b"Sigmoid", b"Tanh"],
        "RNN" => &[b"Tanh"],
        _ => return None,
    };
    let changes = |attribute: &&pb::AttributeProto| match attribute.name.as_str() {
        "activations" => attribute
            .strings
            .chunks(usual.len())
            .any(|given| given != usual),
        "clip" => true,
        "input_forget" => attribute.i != 0,
        _ => false,
    };
    let attribute = node.attribute.iter().find(changes)?;
    Some(&attribute.name)
}

/// tract ends the process rather than the load when a tensor claims more elements than memory.
fn tensor(tensor: &pb::TensorProto, place: &str) -> Result<(), Unrunnable> {
    if let Some(name) = unsupported_element(tensor.data_type) {
        return Err(Unrunnable::new(format!(
            "tract has no {name} tensors ({place})"
        )));
    }
    let elements = tensor.dims.iter().try_fold(1usize, |product, &dim| {
        product.checked_mul(usize::try_from(dim).ok()?)
    });
    let Some(elements) = elements else {
        return Err(Unrunnable::new(format!(
            "the shape {:?} is no shape ({place})",
            tensor.dims
        )));
    };
    if is_external(tensor) {
        return Ok(());
    }
    let present = if tensor.raw_data.is_empty() {
        tensor.float_data.len()
            + tensor.int32_data.len()
            + tensor.int64_data.len()
            + tensor.double_data.len()
            + tensor.uint64_data.len()
    } else {
        tensor.raw_data.len() / width(tensor.data_type).max(1)
    };
    let ragged = !tensor
        .raw_data
        .len()
        .is_multiple_of(width(tensor.data_type).max(1));
    if present != elements || ragged {
        return Err(Unrunnable::new(format!(
            "the shape {:?} asks for {elements} elements, but {present} are there ({place})",
            tensor.dims,
        )));
    }
    Ok(())
}

fn is_external(tensor: &pb::TensorProto) -> bool {
    tensor.data_location == Some(DataLocation::External as i32)
}

/// The name of a tensor whose data lies in another file.
pub(super) fn external(graph: &pb::GraphProto) -> Option<String> {
    let attributes = graph.node.iter().flat_map(|node| &node.attribute);
    let mut tensors = graph
        .initializer
        .iter()
        .chain(attributes.flat_map(|a| &a.t));
    let here = tensors.find(|tensor| is_external(tensor));
    let here = here.map(|tensor| format!("tensor {}", tensor.name));
    here.or_else(|| graph.node.iter().flat_map(subgraphs).find_map(external))
}

/// Bytes per element of the types that tract supports.
fn width(element: i32) -> usize {
    match DataType::try_from(element) {
        Ok(DataType::Double | DataType::Int64 | DataType::Uint64) => 8,
        Ok(DataType::Float | DataType::Int32 | DataType::Uint32) => 4,
        Ok(DataType::Float16 | DataType::Int16 | DataType::Uint16) => 2,
        _ => 1,
    }
}

/// The name of an element type that tract does not support; `None` for the others.
pub(super) fn unsupported_element(element: i32) -> Option<String> {
    match DataType::try_from(element) {
        Ok(
            DataType::Float
            | DataType::Uint8
            | DataType::Int8
            | DataType::Uint16
            | DataType::Int16
            | DataType::Int32
            | DataType::Int64
            | DataType::Bool
            | DataType::Float16
            | DataType::Double
            | DataType::Uint32
            | DataType::Uint64,
        ) => None,
        Ok(other) => Some(other.as_str_name().to_lowercase()),
        Err(_) => Some(format!("element type {element}")),
    }
}

/// tract panics where an output is produced by nothing.
fn outputs(graph: &pb::GraphProto) -> Result<(), Unrunnable> {
    let produced: HashSet<&str> = graph
        .node
        .iter()
        .flat_map(|node| &node.output)
        .chain(graph.initializer.iter().map(|tensor| &tensor.name))
        .chain(graph.input.iter().map(|input| &input.name))
        .map(String::as_str)
        .collect();
    let missing = graph
        .output
        .iter()
        .find(|o| !produced.contains(o.name.as_str()));
    match missing {
        None => Ok(()),
        Some(output) => {
            let why = format!(
                "the output {} of graph {} is produced by nothing in it",
                output.name, graph.name
            );
            Err(Unrunnable::new(why))
        }
    }
}

fn each_graph(
    graph: &pb::GraphProto,
    visit: &mut dyn FnMut(&pb::GraphProto) -> Result<(), Unrunnable>,
) -> Result<(), Unrunnable> {
    visit(graph)?;
    for inner in graph.node.iter().flat_map(subgraphs) {
        each_graph(inner, visit)?;
    }
    Ok(())
}
