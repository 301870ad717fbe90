//! What is changed in the decoded model before tract parses it: repairs of what tract misreads. The same is
//! done to both sides.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use tract_onnx::pb;
use tract_onnx::pb::attribute_proto::AttributeType;
use tract_onnx::pb::tensor_proto::DataType;
use tract_onnx::pb::tensor_shape_proto::dimension::Value as DimValue;
use tract_onnx::pb::type_proto::Value as TypeValue;

use super::support::unsupported_element;
use super::walk::{default_domain, each_node, each_node_mut, element_of, subgraphs, subgraphs_mut};

/// Gives nodes names of their own, which ONNX does not ask for and tract does: also inputs and
/// constants are nodes to it.
pub(super) fn names(graph: &mut pb::GraphProto) {
    let inputs = graph.input.iter().map(|input| input.name.clone());
    let constants = graph.initializer.iter().map(|tensor| tensor.name.clone());
    let mut seen: HashSet<String> = inputs.chain(constants).collect();
    let mut taken = seen.clone();
    taken.extend(graph.node.iter().map(|node| node.name.clone()));
    for node in graph.node.iter_mut().filter(|node| !node.name.is_empty()) {
        if !seen.insert(node.name.clone()) {
            let mut fresh = (2u64..).map(|number| format!("{}#{number}", node.name));
            let fresh = fresh.find(|name| taken.insert(name.clone()));
            node.name = fresh.unwrap_or_default();
        }
    }
    for node in &mut graph.node {
        subgraphs_mut(node).for_each(names);
    }
}

/// Gives each output that a Scan collects a value of its own: tract changes what else reads that value.
pub(super) fn scans(graph: &mut pb::GraphProto) {
    let mut taken: HashSet<String> = HashSet::new();
    let mut take = |node: &pb::NodeProto| taken.extend(node.output.iter().cloned());
    each_node(&graph.node, &mut take);
    each_node_mut(&mut graph.node, &mut |node| {
        if node.op_type != "Scan" || !default_domain(&node.domain) {
            return;
        }
        let scanned = node.attribute.iter().find(|a| a.name == "num_scan_inputs");
        let scanned = scanned.and_then(|scanned| usize::try_from(scanned.i).ok());
        let scanned = scanned.unwrap_or_default();
        for body in subgraphs_mut(node) {
            let states = body.input.len().saturating_sub(scanned);
            for output in body.output.iter_mut().skip(states) {
                let mut fresh = (1u64..).map(|number| format!("{}/scan-{number}", output.name));
                let Some(fresh) = fresh.find(|name| taken.insert(name.clone())) else {
                    continue;
                };
                body.node.push(pb::NodeProto {
                    op_type: "Identity".to_string(),
                    input: vec![std::mem::replace(&mut output.name, fresh.clone())],
                    output: vec![fresh],
                    ..Default::default()
                });
            }
        }
    });
}

fn set_int(node: &mut pb::NodeProto, name: &str, value: i64) {
    node.attribute.retain(|attribute| attribute.name != name);
    node.attribute.push(pb::AttributeProto {
        name: name.to_string(),
        r#type: AttributeType::Int as i32,
        i: value,
        ..Default::default()
    });
}

/// Names of symbolic dimensions as written in the model, by the name tract gets for them.
pub(super) type DimNames = BTreeMap<String, String>;

/// Makes shapes harmless: only the graph's inputs keep symbolic dimensions, since tract takes a symbol
/// and the size chosen for it as a contradiction; and a declared type that
/// tract lacks is removed where it is only a comment. Symbols that tract cannot read get a plain name.
pub(super) fn shapes(graph: &mut pb::GraphProto) -> DimNames {
    let mut names = DimNames::new();
    for input in &mut graph.input {
        each_dim(input, &mut |dim| {
            if let Some(DimValue::DimParam(name)) = dim {
                *dim = plain_name(name, &mut names).map(DimValue::DimParam);
            }
        });
    }
    let declared: BTreeSet<&str> = graph
        .input
        .iter()
        .map(|input| input.name.as_str())
        .collect();
    graph.value_info.retain(|value| {
        !declared.contains(value.name.as_str())
            && element_of(value).is_none_or(|e| unsupported_element(e).is_none())
    });
    for value in graph.value_info.iter_mut().chain(&mut graph.output) {
        forget_symbols(value);
    }
    each_node_mut(&mut graph.node, &mut |node| {
        for inner in subgraphs_mut(node) {
            let values = inner.input.iter_mut().chain(&mut inner.output);
            values.chain(&mut inner.value_info).for_each(forget_symbols);
        }
    });
    names
}

/// The name of a symbolic dimension as tract can read it; `None` if it means nothing.
pub(super) fn plain_name(name: &str, names: &mut DimNames) -> Option<String> {
    if name.is_empty() || name == "?" {
        return None;
    }
    if readable(name) {
        if is_name(name) {
            names.insert(name.to_string(), name.to_string());
        }
        return Some(name.to_string());
    }
    let known = names.iter().find(|(_, written)| *written == name);
    let plain = match known {
        Some((plain, _)) => plain.clone(),
        None => format!("dim__{}", names.len()),
    };
    names.insert(plain.clone(), name.to_string());
    Some(plain)
}

fn forget_symbols(value: &mut pb::ValueInfoProto) {
    each_dim(value, &mut |dim| {
        if let Some(DimValue::DimParam(_)) = dim {
            *dim = None;
        }
    });
}

/// Whether tract's parser takes it: a name, or an expression of names and numbers.
fn readable(name: &str) -> bool {
    is_name(name) || {
        let operators =
            name.contains(['+', '-', '*', '/', '(']) || name.bytes().all(|b| b.is_ascii_digit());
        operators
            && name
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"_.+-*/(), ".contains(&b))
    }
}

fn is_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'.')
}

fn each_dim(value: &mut pb::ValueInfoProto, visit: &mut dyn FnMut(&mut Option<DimValue>)) {
    let Some(TypeValue::TensorType(tensor)) = value.r#type.as_mut().and_then(|t| t.value.as_mut())
    else {
        return;
    };
    for dim in tensor.shape.iter_mut().flat_map(|shape| &mut shape.dim) {
        visit(&mut dim.value);
    }
}

/// tract looks for unsigned 32 and 64 bit elements in the fields of the signed ones. As raw bytes
/// it reads them right.
pub(super) fn tensors(graph: &mut pb::GraphProto) {
    graph.initializer.iter_mut().for_each(unsigned_to_raw);
    each_node_mut(&mut graph.node, &mut |node| {
        for attribute in &mut node.attribute {
            attribute.t.iter_mut().for_each(unsigned_to_raw);
        }
        for inner in subgraphs_mut(node) {
            inner.initializer.iter_mut().for_each(unsigned_to_raw);
        }
    });
}

pub(in crate::verify) fn unsigned_to_raw(tensor: &mut pb::TensorProto) {
    let words = std::mem::take(&mut tensor.uint64_data);
    if words.is_empty() || !tensor.raw_data.is_empty() {
        return;
    }
    if tensor.data_type == DataType::Uint32 as i32 {
        let narrow = words.iter().flat_map(|&word| (word as u32).to_le_bytes());
        tensor.raw_data = narrow.collect();
    } else {
        tensor.raw_data = words.iter().flat_map(|word| word.to_le_bytes()).collect();
    }
}

/// Before opset 6, `Cast` names its type by a word: tract wants its number.
pub(super) fn casts(graph: &mut pb::GraphProto) {
    each_node_mut(&mut graph.node, &mut |node| {
        if node.op_type != "Cast" || !default_domain(&node.domain) {
            return;
        }
        let to = node.attribute.iter().find(|a| a.name == "to");
        let to = to.filter(|to| !to.s.is_empty());
        let word = to.map(|to| String::from_utf8_lossy(&to.s).to_uppercase());
        let mut known = (1..=16).filter_map(|number| DataType::try_from(number).ok());
        let element = word.and_then(|word| known.find(|known| known.as_str_name() == word));
        if let Some(element) = element {
            set_int(node, "to", i64::from(element as i32));
        }
    });
}

/// tract computes every BatchNormalization by its running statistics. One that trains has further
/// outputs, updates of those statistics: they are removed if nothing reads them, with a caveat.
pub(super) fn batch_norms(graph: &mut pb::GraphProto) -> Option<String> {
    let mut read: HashSet<String> = HashSet::new();
    read.extend(graph.output.iter().map(|output| output.name.clone()));
    each_node(&graph.node, &mut |node| {
        read.extend(node.input.iter().cloned());
        let inner = subgraphs(node).flat_map(|graph| &graph.output);
        read.extend(inner.map(|output| output.name.clone()));
    });
    let mut training = 0;
    each_node_mut(&mut graph.node, &mut |node| {
        if node.op_type != "BatchNormalization" || !default_domain(&node.domain) {
            return;
        }
        let flag = node.attribute.iter().find(|a| a.name == "training_mode");
        training += usize::from(node.output.len() > 1 || flag.is_some_and(|flag| flag.i != 0));
        while node.output.len() > 1 && node.output.last().is_some_and(|o| !read.contains(o)) {
            node.output.pop();
        }
    });
    let caveat = "BatchNormalization in training form: tract computes its inference form";
    (training > 0).then(|| format!("{caveat} (×{training})"))
}
