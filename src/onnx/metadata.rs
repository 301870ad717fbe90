//! `NodeProto.metadata_props`: read where they are asked for, kept by no node.

use crate::error::Result;
use crate::wire::{Fields, Window, decode_message};

use super::graph::Part;
use super::model::{Model, Property};
use super::node::NodeId;
use super::proto;

impl Model {
    /// The `metadata_props` of a node as its file has them; none for a node that no file had.
    ///
    /// # Errors
    /// The file cannot be read where the node stands.
    pub fn node_metadata(&self, id: NodeId) -> Result<Vec<Property>> {
        // a part stands at its index or later: other parts may come before it
        let slots = self.graph(id.graph).slots.get(id.index as usize..);
        let mut slots = slots.into_iter().flatten();
        let Some(slot) = slots.find(|slot| slot.part == Part::Node(id.index)) else {
            return Ok(Vec::new());
        };
        let node = slot.field.payload();
        let mut window = Window::until(&self.source, node.end);
        let mut fields = Fields::new(node);
        let mut properties = Vec::new();
        while let Some(field) = window.next(&mut fields)? {
            if !field.is_bytes(9) {
                continue;
            }
            let bytes = window.bytes(field.payload())?;
            if let Ok(entry) = decode_message::<proto::StringStringEntry>(bytes) {
                properties.push(Property {
                    key: proto::name(entry.key),
                    value: proto::name(entry.value),
                });
            }
        }
        Ok(properties)
    }
}
