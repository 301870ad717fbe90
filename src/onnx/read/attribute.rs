//! Reading attributes, and the graphs and tensors in them.

use crate::error::Result;
use crate::onnx::attribute::{Attribute, AttributeValue};
use crate::onnx::graph::GraphKind;
use crate::onnx::ids::NodeId;
use crate::onnx::name::Name;
use crate::onnx::proto;
use crate::onnx::tensor::Tensor;
use crate::wire::{Field, Kind, decode_leaf};

use super::{Reader, SMALL};

impl Reader<'_> {
    /// Reads an attribute of a node at some depth; without a node, the default of a function's
    /// attribute, whose graphs (if any) are left undecoded.
    pub(super) fn attribute(
        &mut self,
        host: Option<(NodeId, usize)>,
        field: Field,
    ) -> Result<Attribute> {
        let mut tensor = Vec::new();
        let mut tensors = Vec::new();
        let mut graph = Vec::new();
        let mut graphs = Vec::new();
        let mut sparse = None;
        let mut other = false;
        let leaf = decode_leaf::<proto::Attribute>(
            &mut self.window,
            field.payload(),
            SMALL,
            |field| match (field.number, field.kind) {
                (5, Kind::Bytes) => {
                    tensor.push(field.payload());
                    false
                }
                (6, Kind::Bytes) => {
                    graph.push(*field);
                    false
                }
                (10, Kind::Bytes) => {
                    tensors.push(field.payload());
                    false
                }
                (11, Kind::Bytes) => {
                    graphs.push(*field);
                    false
                }
                (22, Kind::Bytes) => {
                    sparse = Some(*field);
                    false
                }
                (14 | 15 | 23, Kind::Bytes) => {
                    other = true;
                    false
                }
                (5 | 6 | 10 | 11 | 13, _) => false,
                _ => true,
            },
        )?;
        let proto = leaf.value;
        let name = self.names.name(&proto.name.unwrap_or_default());
        // Graphs are read whatever else is there: nothing that may hold nodes is passed over.
        let mut inner = Vec::new();
        if let Some((node, depth)) = host {
            let kind = GraphKind::Attribute {
                node,
                attribute: name.clone(),
            };
            if !graph.is_empty() {
                inner.push(self.graph(kind.clone(), Some(node.graph), &graph, depth + 1)?);
            }
            for field in &graphs {
                inner.push(self.graph(kind.clone(), Some(node.graph), &[*field], depth + 1)?);
            }
        } else {
            other |= !graph.is_empty() || !graphs.is_empty();
        }
        let by_presence = || {
            Some(match () {
                () if proto.f.is_some() => 1,
                () if proto.i.is_some() => 2,
                () if proto.s.is_some() => 3,
                () if !tensor.is_empty() => 4,
                () if !graph.is_empty() => 5,
                () if !proto.floats.is_empty() => 6,
                () if !proto.ints.is_empty() => 7,
                () if !proto.strings.is_empty() => 8,
                () if !tensors.is_empty() => 9,
                () if !inner.is_empty() => 10,
                () => return None,
            })
        };
        let kind = proto.r#type.filter(|&t| t != 0).or_else(by_presence);
        let value = if !inner.is_empty() {
            match inner[..] {
                [one] if !graph.is_empty() => AttributeValue::Graph(one),
                _ => AttributeValue::Graphs(inner),
            }
        } else if let Some(reference) = proto.ref_attr_name.filter(|name| !name.is_empty()) {
            AttributeValue::Reference(Name::from(&reference[..]), kind.unwrap_or(0))
        } else if let Some(field) = sparse {
            AttributeValue::Sparse(Box::new(self.sparse(&field)?))
        } else if other || !leaf.large.is_empty() {
            AttributeValue::Other(field.payload())
        } else {
            match kind {
                Some(1) => AttributeValue::Float(proto.f.unwrap_or(0.0)),
                Some(2) => AttributeValue::Int(proto.i.unwrap_or(0)),
                Some(3) => AttributeValue::String(proto.s.unwrap_or_default().into()),
                Some(4) => {
                    let tensor = Tensor::read(&mut self.window, &tensor)?;
                    AttributeValue::Tensor(Box::new(tensor))
                }
                Some(6) => AttributeValue::Floats(proto.floats),
                Some(7) => AttributeValue::Ints(proto.ints),
                Some(8) => {
                    AttributeValue::Strings(proto.strings.into_iter().map(Vec::from).collect())
                }
                Some(9) => {
                    let tensors = tensors
                        .into_iter()
                        .map(|range| Tensor::read(&mut self.window, &[range]))
                        .collect::<Result<_>>()?;
                    AttributeValue::Tensors(tensors)
                }
                Some(10) => AttributeValue::Graphs(Vec::new()),
                _ => AttributeValue::Other(field.payload()),
            }
        };
        Ok(Attribute {
            name,
            value,
            field: Some(field),
        })
    }
}
