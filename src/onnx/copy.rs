//! Copies of parts of a model under other names, as the bytes of a new model.

use crate::error::Result;
use crate::hash::HashMap;
use crate::source::{Rope, Source};
use crate::wire::{Field, Fields, Window, bytes_field, bytes_head};

use super::attribute::Attribute;
use super::graph::Part;
use super::ids::{GraphId, NodeId};
use super::model::Model;
use super::name::Name;
use super::node::Node;

/// The new name for each name in a copy; `None` keeps all names.
pub(crate) type Rename<'a> = Option<&'a dyn Fn(&Name) -> Name>;

/// A part of a graph.
pub(crate) enum Piece {
    Node(NodeId),
    /// The copy of any other part.
    Copied(Rope),
}

/// An attribute to copy, with copies of the graphs in it.
pub(crate) struct CopiedAttribute<'m> {
    pub name: Name,
    pub attribute: &'m Attribute,
    pub graphs: Vec<Rope>,
}

/// Copies parts of a model that has no edits.
pub(crate) struct Copier<'m> {
    model: &'m Model,
    window: Window<'m>,
    /// The fields of initializers, of the graphs of which one was asked for.
    initializers: HashMap<GraphId, HashMap<u32, Field>>,
}

impl<'m> Copier<'m> {
    pub fn new(model: &'m Model) -> Self {
        Copier {
            model,
            window: Window::new(model.source()),
            initializers: HashMap::default(),
        }
    }

    /// The parts of a graph in file order. Quantisation annotations are left out where names change.
    pub fn pieces(&mut self, graph: GraphId, rename: Rename<'_>) -> Result<Vec<Piece>> {
        let body = self.model.graph(graph);
        let (mut inputs, mut outputs) = (body.inputs.iter(), body.outputs.iter());
        let mut sparse = body.sparse_initializers.iter();
        let mut pieces = Vec::with_capacity(body.slots.len());
        for slot in body.slots.iter() {
            // the path of field numbers to the name
            let (path, name): (&[u32], _) = match slot.part {
                Part::Node(index) => {
                    pieces.push(Piece::Node(NodeId { graph, index }));
                    continue;
                }
                Part::Initializer(index) => (&[8], Some(&body.initializers[index as usize].name)),
                Part::ValueInfo(index) => (&[1], Some(&body.value_infos[index as usize].name)),
                Part::Annotation(_) if rename.is_some() => continue,
                Part::Verbatim if slot.field.is_bytes(11) => (&[1], inputs.next().map(|i| &i.name)),
                Part::Verbatim if slot.field.is_bytes(12) => {
                    (&[1], outputs.next().map(|o| &o.name))
                }
                Part::Verbatim if slot.field.is_bytes(15) => {
                    (&[1, 8], sparse.next().map(|sparse| &sparse.values.name))
                }
                _ => (&[], None),
            };
            let mut copy = Rope::new();
            match (rename, name) {
                (Some(rename), Some(name)) => {
                    let payload = self.renamed(&slot.field, path, &rename(name))?;
                    framed(&mut copy, slot.field.number, payload);
                }
                _ => copy.push_range(self.model.source(), slot.field.range()),
            }
            pieces.push(Piece::Copied(copy));
        }
        Ok(pieces)
    }

    /// The payload of a message in which the name at the end of a path of fields is changed.
    fn renamed(&mut self, message: &Field, path: &[u32], name: &Name) -> Result<Rope> {
        let (&number, rest) = path.split_first().unwrap_or((&0, &[]));
        let mut out = Rope::new();
        if rest.is_empty() {
            out.push(bytes_field(number, name.as_bytes()));
        }
        let mut fields = Fields::new(message.payload());
        while let Some(field) = self.window.next(&mut fields)? {
            if !field.is_bytes(number) {
                out.push_range(self.model.source(), field.range());
            } else if !rest.is_empty() {
                let payload = self.renamed(&field, rest, name)?;
                framed(&mut out, number, payload);
            }
        }
        Ok(out)
    }

    /// An initializer under this name.
    pub fn initializer(
        &mut self,
        out: &mut Rope,
        graph: GraphId,
        index: u32,
        name: &Name,
    ) -> Result<()> {
        let slots = self.model.graph(graph).slots.iter();
        let fields = self.initializers.entry(graph).or_insert_with(|| {
            let fields = slots.filter_map(|slot| match slot.part {
                Part::Initializer(index) => Some((index, slot.field)),
                _ => None,
            });
            fields.collect()
        });
        if let Some(field) = fields.get(&index).copied() {
            let payload = self.renamed(&field, &[8], name)?;
            framed(out, field.number, payload);
        }
        Ok(())
    }

    /// A node with these attributes.
    pub fn node(
        &mut self,
        out: &mut Rope,
        node: &Node,
        attributes: Vec<CopiedAttribute<'_>>,
    ) -> Result<()> {
        let mut payload = Rope::new();
        let name = |payload: &mut Rope, number, name: &Name| {
            payload.push(bytes_field(number, name.as_bytes()));
        };
        node.inputs
            .iter()
            .for_each(|input| name(&mut payload, 1, input));
        node.outputs
            .iter()
            .for_each(|output| name(&mut payload, 2, output));
        let words = [
            (3, &node.name),
            (4, &node.op_type),
            (7, &node.domain),
            (8, &node.overload),
        ];
        for (number, word) in words.into_iter().filter(|(_, word)| !word.is_empty()) {
            name(&mut payload, number, word);
        }
        for attribute in attributes {
            let copy = self.attribute(attribute)?;
            framed(&mut payload, 5, copy);
        }
        framed(out, 1, payload);
        Ok(())
    }

    fn attribute(&mut self, copied: CopiedAttribute<'_>) -> Result<Rope> {
        let mut out = Rope::new();
        out.push(bytes_field(1, copied.name.as_bytes()));
        let mut graphs = copied.graphs.into_iter();
        let mut fields = Fields::new(copied.attribute.field.map_or(0..0, |field| field.payload()));
        let mut singular = false;
        while let Some(field) = self.window.next(&mut fields)? {
            match field.number {
                1 => {}
                // further occurrences belong to the first
                6 if std::mem::replace(&mut singular, true) => {}
                6 | 11 if field.is_bytes(field.number) => {
                    if let Some(graph) = graphs.next() {
                        framed(&mut out, field.number, graph);
                    }
                }
                _ => out.push_range(self.model.source(), field.range()),
            }
        }
        Ok(out)
    }

    /// The model with this main graph, without functions and training.
    pub fn model(&self, main: Rope) -> Result<Model> {
        let mut out = Rope::new();
        let mut main = Some(main);
        for field in &self.model.fields {
            match field.number {
                7 if field.is_bytes(7) => {
                    if let Some(main) = main.take() {
                        framed(&mut out, 7, main);
                    }
                }
                20 | 25 => {}
                _ => out.push_range(self.model.source(), field.range()),
            }
        }
        let mut copy = Model::read_in(Source::from_rope(out), None)?;
        copy.outside = self.model.outside.clone();
        Ok(copy)
    }
}

fn framed(out: &mut Rope, number: u32, payload: Rope) {
    out.push(bytes_head(number, payload.len()));
    out.append(payload);
}
