//! The fields of a model outside of its graph, read on demand.

use std::collections::BTreeMap;

use crate::error::Result;
use crate::wire::{Field, Fields, Window, decode_message};

use super::graph::{GraphKind, Part};
use super::ids::{GraphId, NodeId};
use super::model::{Model, Property};
use super::proto;

/// Fields of one name in `onnx.proto` (else their number): the bytes they take, and their hash.
pub(crate) type NamedField = (String, u64, blake3::Hash);

/// Fields that a typed view of their message shows.
const SHOWN_OF_MODEL: &[u32] = &[1, 2, 3, 7, 8, 14, 20, 25];
const SHOWN_OF_GRAPH: &[u32] = &[1, 2, 5, 11, 12, 13, 14, 15];
const SHOWN_OF_FUNCTION: &[u32] = &[1, 4, 5, 6, 7, 9, 10, 11, 12, 13];
const SHOWN_OF_NODE: &[u32] = &[1, 2, 3, 4, 5, 7, 8];

impl Model {
    /// The `metadata_props` of a node as its file has them; none for a node that no file had.
    ///
    /// # Errors
    /// The file cannot be read at the position of the node.
    pub fn node_metadata(&self, id: NodeId) -> Result<Vec<Property>> {
        let mut properties = Vec::new();
        let Some(field) = self.node_field(id) else {
            return Ok(properties);
        };
        let node = field.payload();
        let mut window = Window::until(&self.source, node.end);
        let mut fields = Fields::new(node);
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

    fn node_field(&self, id: NodeId) -> Option<Field> {
        // a part stands at its index or later: other parts may come before it
        let slots = self.graph(id.graph).slots.get(id.index as usize..);
        let mut slots = slots.into_iter().flatten();
        let slot = slots.find(|slot| slot.part == Part::Node(id.index))?;
        Some(slot.field)
    }

    /// The positions of the nodes of a graph, by index; `None` for nodes that edits created.
    pub(crate) fn node_places(&self, id: GraphId) -> Vec<Option<Field>> {
        let graph = self.graph(id);
        let mut places = vec![None; graph.node_slots()];
        for slot in graph.slots.iter() {
            if let Part::Node(index) = slot.part {
                places[index as usize] = Some(slot.field);
            }
        }
        places
    }

    /// The fields of a node that its typed view does not show.
    pub(crate) fn node_fields(&self, node: Option<Field>) -> Result<Vec<NamedField>> {
        let Some(node) = node.map(|node| node.payload()) else {
            return Ok(Vec::new());
        };
        let mut window = Window::until(&self.source, node.end);
        let mut fields = Fields::new(node);
        let mut rest = Vec::new();
        while let Some(field) = window.next(&mut fields)? {
            if !SHOWN_OF_NODE.contains(&field.number) {
                rest.push(field);
            }
        }
        let names = [(6, "doc_string"), (9, "metadata_props"), (10, "devices")];
        self.named(&rest, &names)
    }

    /// The fields of a graph that its typed view does not show.
    pub(crate) fn graph_fields(&self, id: GraphId) -> Result<Vec<NamedField>> {
        let graph = self.graph(id);
        let function = matches!(graph.kind, GraphKind::Function(_));
        let (shown, names): (_, &[_]) = match function {
            true => (
                SHOWN_OF_FUNCTION,
                &[(8, "doc_string"), (14, "metadata_props")],
            ),
            false => (
                SHOWN_OF_GRAPH,
                &[(10, "doc_string"), (16, "metadata_props")],
            ),
        };
        let rest = graph
            .slots
            .iter()
            .filter(|slot| slot.part == Part::Verbatim);
        let rest = rest.map(|slot| slot.field);
        let rest: Vec<_> = rest.filter(|f| !shown.contains(&f.number)).collect();
        self.named(&rest, names)
    }

    /// The fields of the model that its typed view does not show.
    pub(crate) fn other_fields(&self) -> Result<Vec<NamedField>> {
        let rest = self.fields.iter().copied();
        let rest: Vec<_> = rest
            .filter(|f| !SHOWN_OF_MODEL.contains(&f.number))
            .collect();
        let names = [
            (4, "domain"),
            (5, "model_version"),
            (6, "doc_string"),
            (26, "configuration"),
        ];
        self.named(&rest, &names)
    }

    /// Payloads are hashed through a buffer, because an unknown field may have any size.
    fn named(&self, fields: &[Field], names: &[(u32, &str)]) -> Result<Vec<NamedField>> {
        let mut found: BTreeMap<String, (u64, blake3::Hasher)> = BTreeMap::new();
        for field in fields {
            let known = names.iter().find(|(number, _)| *number == field.number);
            let name = known.map_or(format!("field {}", field.number), |(_, n)| (*n).to_string());
            let (length, hasher) = found.entry(name).or_default();
            let payload = field.payload();
            *length += payload.end - payload.start;
            self.source.reader(payload).hash_into(hasher)?;
        }
        let found = found.into_iter();
        Ok(found
            .map(|(name, (length, hasher))| (name, length, hasher.finalize()))
            .collect())
    }
}
