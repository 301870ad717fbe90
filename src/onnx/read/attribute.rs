//! Reading attributes, and the graphs and tensors in them.

use std::ops::Range;

use crate::error::Result;
use crate::onnx::attribute::{Attribute, AttributeValue};
use crate::onnx::graph::GraphKind;
use crate::onnx::ids::{GraphId, NodeId};
use crate::onnx::name::Name;
use crate::onnx::proto;
use crate::onnx::tensor::Tensor;
use crate::wire::{Field, Kind, decode_leaf};

use super::{Reader, SMALL};

/// What an attribute holds in fields of its own, not yet read.
#[derive(Default)]
struct Held {
    tensor: Vec<Range<u64>>,
    tensors: Vec<Range<u64>>,
    graph: Vec<Field>,
    graphs: Vec<Field>,
    sparse: Option<Field>,
    /// Something of another kind.
    other: bool,
}

impl Held {
    /// Takes a field; true of any other, which the caller decodes.
    fn leaves(&mut self, field: &Field) -> bool {
        match (field.number, field.kind) {
            (5, Kind::Bytes) => self.tensor.push(field.payload()),
            (6, Kind::Bytes) => self.graph.push(*field),
            (10, Kind::Bytes) => self.tensors.push(field.payload()),
            (11, Kind::Bytes) => self.graphs.push(*field),
            (22, Kind::Bytes) => self.sparse = Some(*field),
            (14 | 15 | 23, Kind::Bytes) => self.other = true,
            (5 | 6 | 10 | 11 | 13, _) => {}
            _ => return true,
        }
        false
    }

    /// The type of an attribute that declares none.
    fn kind(&self, proto: &proto::Attribute, has_graph: bool) -> Option<i32> {
        let held = [
            (1, proto.f.is_some()),
            (2, proto.i.is_some()),
            (3, proto.s.is_some()),
            (4, !self.tensor.is_empty()),
            (5, !self.graph.is_empty()),
            (6, !proto.floats.is_empty()),
            (7, !proto.ints.is_empty()),
            (8, !proto.strings.is_empty()),
            (9, !self.tensors.is_empty()),
            (10, has_graph),
        ];
        let first = held.into_iter().find(|(_, is_held)| *is_held);
        first.map(|(kind, _)| kind)
    }
}

impl Reader<'_> {
    /// Reads an attribute of a node at some depth; without a node, the default of a function's
    /// attribute, whose graphs (if any) are left undecoded.
    pub(super) fn attribute(
        &mut self,
        host: Option<(NodeId, usize)>,
        field: Field,
    ) -> Result<Attribute> {
        let mut held = Held::default();
        let leaves = |field: &Field| held.leaves(field);
        let leaf =
            decode_leaf::<proto::Attribute>(&mut self.window, field.payload(), SMALL, leaves)?;
        let mut proto = leaf.value;
        let name = self.names.name(&proto.name.take().unwrap_or_default());
        held.other |= !leaf.large.is_empty();
        // Graphs are read whatever else is there: nothing that may hold nodes is passed over.
        let inner = match host {
            Some(host) => self.graphs(host, &name, &held)?,
            None => {
                held.other |= !held.graph.is_empty() || !held.graphs.is_empty();
                Vec::new()
            }
        };
        let declared = proto.r#type.filter(|&kind| kind != 0);
        let kind = declared.or_else(|| held.kind(&proto, !inner.is_empty()));
        let reference = proto.ref_attr_name.take().filter(|name| !name.is_empty());
        let value = match (reference, held.sparse) {
            _ if !inner.is_empty() => match inner[..] {
                [one] if !held.graph.is_empty() => AttributeValue::Graph(one),
                _ => AttributeValue::Graphs(inner),
            },
            (Some(reference), _) => {
                AttributeValue::Reference(Name::from(&reference[..]), kind.unwrap_or(0))
            }
            (None, Some(field)) => AttributeValue::Sparse(Box::new(self.sparse(&field)?)),
            (None, None) => match self.value(kind.filter(|_| !held.other), proto, &held)? {
                Some(value) => value,
                None => AttributeValue::Other(field.payload()),
            },
        };
        Ok(Attribute {
            name,
            value,
            field: Some(field),
        })
    }

    /// Reads the graphs of an attribute.
    fn graphs(
        &mut self,
        (node, depth): (NodeId, usize),
        attribute: &Name,
        held: &Held,
    ) -> Result<Vec<GraphId>> {
        let kind = GraphKind::Attribute {
            node,
            attribute: attribute.clone(),
        };
        let one = (!held.graph.is_empty()).then_some(&held.graph[..]);
        let all = one.into_iter().chain(held.graphs.chunks(1));
        all.map(|fields| self.graph(kind.clone(), Some(node.graph), fields, depth + 1))
            .collect()
    }

    /// The value of an attribute of some type, without graphs; `None` if it is left undecoded.
    fn value(
        &mut self,
        kind: Option<i32>,
        proto: proto::Attribute,
        held: &Held,
    ) -> Result<Option<AttributeValue>> {
        let mut tensor = |ranges: &[Range<u64>]| Tensor::read(&mut self.window, ranges);
        Ok(Some(match kind {
            Some(1) => AttributeValue::Float(proto.f.unwrap_or(0.0)),
            Some(2) => AttributeValue::Int(proto.i.unwrap_or(0)),
            Some(3) => AttributeValue::String(proto.s.unwrap_or_default().into()),
            Some(4) => AttributeValue::Tensor(Box::new(tensor(&held.tensor)?)),
            Some(6) => AttributeValue::Floats(proto.floats),
            Some(7) => AttributeValue::Ints(proto.ints),
            Some(8) => AttributeValue::Strings(proto.strings.into_iter().map(Vec::from).collect()),
            Some(9) => {
                let tensors = held.tensors.chunks(1).map(&mut tensor);
                AttributeValue::Tensors(tensors.collect::<Result<_>>()?)
            }
            Some(10) => AttributeValue::Graphs(Vec::new()),
            _ => return Ok(None),
        }))
    }
}
