//! Walking over graphs in tract's protobuf types.

use tract_onnx::pb;
use tract_onnx::pb::type_proto::Value as TypeValue;

/// The default domain by either of its names.
pub(super) fn default_domain(domain: &str) -> bool {
    domain.is_empty() || domain == "ai.onnx"
}

/// The graphs in a node's attributes.
pub(super) fn subgraphs(node: &pb::NodeProto) -> impl Iterator<Item = &pb::GraphProto> {
    node.attribute
        .iter()
        .flat_map(|a| a.g.iter().chain(&a.graphs))
}

pub(super) fn subgraphs_mut(node: &mut pb::NodeProto) -> impl Iterator<Item = &mut pb::GraphProto> {
    node.attribute
        .iter_mut()
        .flat_map(|a| a.g.iter_mut().chain(&mut a.graphs))
}

/// Visits nodes and those of their subgraphs. The decoder bounds how deep they are nested.
pub(super) fn each_node<'p>(nodes: &'p [pb::NodeProto], visit: &mut dyn FnMut(&'p pb::NodeProto)) {
    for node in nodes {
        visit(node);
        for inner in subgraphs(node) {
            each_node(&inner.node, visit);
        }
    }
}

pub(super) fn each_node_mut(
    nodes: &mut [pb::NodeProto],
    visit: &mut dyn FnMut(&mut pb::NodeProto),
) {
    for node in nodes {
        visit(node);
        for inner in subgraphs_mut(node) {
            each_node_mut(&mut inner.node, visit);
        }
    }
}

/// The element type a value is declared with; `None` where nothing, or no tensor, is declared.
pub(super) fn element_of(value: &pb::ValueInfoProto) -> Option<i32> {
    match value.r#type.as_ref()?.value.as_ref()? {
        TypeValue::TensorType(tensor) => Some(tensor.elem_type),
    }
}
