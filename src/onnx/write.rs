//! Writing a model: every part that no edit named as the bytes it was.

use std::collections::BTreeMap;

use bytes::Bytes;
use prost::Message;

use crate::error::Result;
use crate::onnx::Name;
use crate::source::{Rope, Source};
use crate::wire::{Field, Fields, Window, bytes_field, bytes_head, reframe};

use super::attribute::{Attribute, AttributeValue};
use super::edit::push_elements;
use super::graph::{Graph, GraphKind, Part, Slot};
use super::ids::GraphId;
use super::model::Model;
use super::node::{Node, NodeState};
use super::proto;
use super::tensor::is_storage;

/// The field numbers of nodes in `GraphProto` and `FunctionProto`.
fn node_field(kind: &GraphKind) -> u32 {
    match kind {
        GraphKind::Function(_) => 7,
        _ => 1,
    }
}

impl Model {
    /// The model as it is now, put together from its source and what edits added. Without an edit
    /// it is the source, byte for byte.
    ///
    /// # Errors
    /// The source cannot be read.
    pub fn to_rope(&self) -> Result<Rope> {
        let mut writer = Writer {
            model: self,
            window: Window::new(&self.source),
        };
        let mut out = Rope::new();
        let mut functions = self.functions.iter().enumerate();
        let mut training = self.training.iter();
        let mut main_frames = 0;
        for field in &self.fields {
            if field.is_bytes(7) {
                writer.framed(&mut out, self.main(), main_frames, field)?;
                main_frames += 1;
            } else if field.is_bytes(25) {
                match functions.next() {
                    Some((index, _)) if self.removed_functions.contains(&index) => {}
                    Some((_, function)) => writer.framed(&mut out, function.body, 0, field)?,
                    None => out.push_range(&self.source, field.range()),
                }
            } else if field.is_bytes(20) {
                let graphs = training.next().map(|t| (t.initialization, t.algorithm));
                writer.training(&mut out, field, graphs.unwrap_or_default())?;
            } else {
                out.push_range(&self.source, field.range());
            }
        }
        Ok(out)
    }
}

/// The maximum size of a field that is copied into memory next to edited ones, in bytes.
const FEW: u64 = 64;

struct Writer<'a> {
    model: &'a Model,
    window: Window<'a>,
}

impl Writer<'_> {
    fn verbatim(&self, out: &mut Rope, field: &Field) {
        out.push_range(&self.model.source, field.range());
    }

    /// A field next to edited ones: a few bytes take less room in memory than their position.
    fn beside(&mut self, out: &mut Rope, field: &Field) -> Result<()> {
        let range = field.range();
        if range.end - range.start > FEW {
            self.verbatim(out, field);
        } else {
            out.push(self.window.peek(range)?);
        }
        Ok(())
    }

    fn is_dirty(&self, graph: GraphId) -> bool {
        self.model.graph(graph).edits.dirty
    }

    /// A field that holds (an occurrence of) a graph.
    fn framed(
        &mut self,
        out: &mut Rope,
        id: GraphId,
        occurrence: usize,
        field: &Field,
    ) -> Result<()> {
        if !self.is_dirty(id) {
            self.verbatim(out, field);
            return Ok(());
        }
        let payload = self.graph(id, occurrence)?;
        reframe(out, &mut self.window, field, payload)
    }

    fn training(
        &mut self,
        out: &mut Rope,
        field: &Field,
        (initialization, algorithm): (Option<GraphId>, Option<GraphId>),
    ) -> Result<()> {
        let dirty = |graph: Option<GraphId>| graph.is_some_and(|graph| self.is_dirty(graph));
        if !dirty(initialization) && !dirty(algorithm) {
            self.verbatim(out, field);
            return Ok(());
        }
        let mut payload = Rope::new();
        let mut frames = [0; 2];
        let mut fields = Fields::new(field.payload());
        while let Some(inner) = self.window.next(&mut fields)? {
            let graph = match inner.number {
                1 if inner.is_bytes(1) => initialization.map(|graph| (0, graph)),
                2 if inner.is_bytes(2) => algorithm.map(|graph| (1, graph)),
                _ => None,
            };
            match graph {
                Some((which, graph)) => {
                    self.framed(&mut payload, graph, frames[which], &inner)?;
                    frames[which] += 1;
                }
                None => self.verbatim(&mut payload, &inner),
            }
        }
        reframe(out, &mut self.window, field, payload)
    }

    /// The payload of one occurrence of an edited graph.
    fn graph(&mut self, id: GraphId, occurrence: usize) -> Result<Rope> {
        let graph = self.model.graph(id);
        let mut before: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
        let mut last: Vec<u32> = Vec::new();
        for &(place, node) in &graph.edits.inserted {
            match place {
                Some(place) => before.entry(place).or_default().push(node),
                None => last.push(node),
            }
        }
        let mut out = Rope::new();
        let first = graph.frames[occurrence];
        let next = graph.frames.get(occurrence + 1);
        let end = next.copied().unwrap_or(graph.slots.len());
        for slot in &graph.slots[first..end] {
            if let Part::Node(index) = slot.part {
                for &new in before.get(&index).into_iter().flatten() {
                    self.new_node(&mut out, graph, new);
                }
            }
            self.slot(&mut out, graph, slot)?;
        }
        if next.is_none() {
            for new in last {
                self.new_node(&mut out, graph, new);
            }
            for tensor in &graph.edits.added_initializers {
                out.push(bytes_head(5, tensor.len()));
                out.append(tensor.clone());
            }
            for field in &graph.edits.added_fields {
                out.push(field.clone());
            }
        }
        Ok(out)
    }

    /// One field of an edited graph.
    fn slot(&mut self, out: &mut Rope, graph: &Graph, slot: &Slot) -> Result<()> {
        let (edits, field) = (&graph.edits, &slot.field);
        let (renamed, removed) = match slot.part {
            Part::Node(index) => return self.node(out, &graph.nodes[index as usize], field),
            Part::Initializer(index) => {
                if let Some(bytes) = edits.replaced_initializers.get(&index) {
                    out.push(bytes_field(5, bytes));
                } else if let Some(elements) = edits.new_elements.get(&index) {
                    let payload = self.with_elements(field, elements)?;
                    reframe(out, &mut self.window, field, payload)?;
                } else if !edits.removed_initializers.contains(&index) {
                    self.verbatim(out, field);
                }
                return Ok(());
            }
            Part::ValueInfo(index) => (
                edits.renamed_value_infos.get(&index),
                edits.removed_value_infos.contains(&index),
            ),
            Part::Annotation(index) => (
                edits.renamed_annotations.get(&index),
                edits.removed_annotations.contains(&index),
            ),
            Part::Verbatim => (None, false),
            Part::Removed => (None, true),
        };
        match renamed {
            Some(name) => self.renamed(out, field, name)?,
            None if removed => {}
            None => self.verbatim(out, field),
        }
        Ok(())
    }

    /// A message with its singular field `number` replaced by the field in `bytes`.
    fn replaced(&mut self, message: &Field, number: u32, bytes: Vec<u8>) -> Result<Rope> {
        let mut out = Rope::new();
        out.push(bytes);
        let mut fields = Fields::new(message.payload());
        while let Some(inner) = self.window.next(&mut fields)? {
            if !inner.is_bytes(number) {
                self.verbatim(&mut out, &inner);
            }
        }
        Ok(out)
    }

    /// A message about a value, which is its first field, for a value of another name.
    fn renamed(&mut self, out: &mut Rope, message: &Field, name: &Name) -> Result<()> {
        let name = bytes_field(1, name.as_bytes());
        let payload = self.replaced(message, 1, name)?;
        reframe(out, &mut self.window, message, payload)
    }

    /// A tensor with other elements in the place of its own.
    fn with_elements(&mut self, tensor: &Field, elements: &Source) -> Result<Rope> {
        let mut out = Rope::new();
        let mut fields = Fields::new(tensor.payload());
        while let Some(inner) = self.window.next(&mut fields)? {
            if !is_storage(inner.number) {
                self.verbatim(&mut out, &inner);
            }
        }
        push_elements(&mut out, elements);
        Ok(out)
    }

    fn new_node(&self, out: &mut Rope, graph: &Graph, index: u32) {
        let node = &graph.nodes[index as usize];
        if node.is_removed() {
            return;
        }
        let bytes = |name: &super::Name| Bytes::copy_from_slice(name.as_bytes());
        let some = |name: &super::Name| (!name.is_empty()).then(|| bytes(name));
        let proto = proto::Node {
            input: node.inputs.iter().map(bytes).collect(),
            output: node.outputs.iter().map(bytes).collect(),
            name: some(&node.name),
            op_type: some(&node.op_type),
            attribute: node.attributes.iter().map(encode_attribute).collect(),
            domain: some(&node.domain),
        };
        out.push(bytes_field(node_field(&graph.kind), &proto.encode_to_vec()));
    }

    fn node(&mut self, out: &mut Rope, node: &Node, field: &Field) -> Result<()> {
        let mut inner_graphs = node.attributes.iter().flat_map(Attribute::graphs);
        match node.state {
            NodeState::Removed => return Ok(()),
            NodeState::Kept if !inner_graphs.any(|&graph| self.is_dirty(graph)) => {
                self.verbatim(out, field);
                return Ok(());
            }
            _ => {}
        }
        let mut payload = Rope::new();
        let (mut inputs, mut outputs) = (0, 0);
        // those that are left are in file order
        let mut kept = (node.attributes.iter().filter(|a| a.field.is_some())).peekable();
        let mut fields = Fields::new(field.payload());
        while let Some(inner) = self.window.next(&mut fields)? {
            match inner.number {
                1 if inner.is_bytes(1) => {
                    self.name(&mut payload, &inner, node.inputs.get(inputs))?;
                    inputs += 1;
                }
                2 if inner.is_bytes(2) => {
                    self.name(&mut payload, &inner, node.outputs.get(outputs))?;
                    outputs += 1;
                }
                5 if inner.is_bytes(5) => {
                    if let Some(attribute) = kept.next_if(|a| a.field == Some(inner)) {
                        self.attribute(&mut payload, attribute, &inner)?;
                    }
                }
                _ => self.beside(&mut payload, &inner)?,
            }
        }
        for name in node.inputs.get(inputs..).unwrap_or_default() {
            payload.push(bytes_field(1, name.as_bytes()));
        }
        for name in node.outputs.get(outputs..).unwrap_or_default() {
            payload.push(bytes_field(2, name.as_bytes()));
        }
        for attribute in node.attributes.iter().filter(|a| a.field.is_none()) {
            payload.push(bytes_field(5, &encode_attribute(attribute).encode_to_vec()));
        }
        reframe(out, &mut self.window, field, payload)
    }

    /// A name as read, if it is unchanged; no field if it was removed.
    fn name(&mut self, out: &mut Rope, field: &Field, name: Option<&super::Name>) -> Result<()> {
        let Some(name) = name else { return Ok(()) };
        if self.window.peek(field.payload())? == name.as_bytes() {
            return self.beside(out, field);
        }
        let mut payload = Rope::new();
        payload.push(name.as_bytes());
        reframe(out, &mut self.window, field, payload)
    }

    fn attribute(&mut self, out: &mut Rope, attribute: &Attribute, field: &Field) -> Result<()> {
        let graphs = attribute.graphs();
        if !graphs.iter().any(|&graph| self.is_dirty(graph)) {
            self.verbatim(out, field);
            return Ok(());
        }
        // The graph of `g` comes first, occurrence by occurrence; then those of `graphs`.
        let mut fields = Fields::new(field.payload());
        let mut inner_fields = Vec::new();
        while let Some(inner) = self.window.next(&mut fields)? {
            inner_fields.push(inner);
        }
        let singular = inner_fields.iter().any(|f| f.is_bytes(6));
        let mut rest = graphs.iter().skip(usize::from(singular)).peekable();
        let mut payload = Rope::new();
        let mut frames = 0;
        for inner in &inner_fields {
            if inner.is_bytes(6) {
                self.framed(&mut payload, graphs[0], frames, inner)?;
                frames += 1;
            } else if let (true, Some(&graph)) = (inner.is_bytes(11), rest.peek().copied()) {
                rest.next();
                self.framed(&mut payload, graph, 0, inner)?;
            } else {
                self.verbatim(&mut payload, inner);
            }
        }
        reframe(out, &mut self.window, field, payload)
    }
}

/// An attribute that no file had.
fn encode_attribute(attribute: &Attribute) -> proto::Attribute {
    let mut out = proto::Attribute {
        name: Some(Bytes::copy_from_slice(attribute.name.as_bytes())),
        ..proto::Attribute::default()
    };
    let kind = match &attribute.value {
        AttributeValue::Float(f) => {
            out.f = Some(*f);
            1
        }
        AttributeValue::Int(i) => {
            out.i = Some(*i);
            2
        }
        AttributeValue::String(s) => {
            out.s = Some(s.clone().into());
            3
        }
        AttributeValue::Ints(ints) => {
            out.ints.clone_from(ints);
            7
        }
        AttributeValue::Floats(floats) => {
            out.floats.clone_from(floats);
            6
        }
        AttributeValue::Strings(strings) => {
            out.strings = strings.iter().cloned().map(Bytes::from).collect();
            8
        }
        AttributeValue::NewTensor(bytes) => {
            out.t = Some(bytes.clone().into());
            4
        }
        AttributeValue::Reference(name, kind) => {
            out.ref_attr_name = Some(Bytes::copy_from_slice(name.as_bytes()));
            *kind
        }
        // These are only ever read, and written where they stand.
        AttributeValue::Tensor(_)
        | AttributeValue::Tensors(_)
        | AttributeValue::Sparse(_)
        | AttributeValue::Graph(_)
        | AttributeValue::Graphs(_)
        | AttributeValue::Other(_) => 0,
    };
    out.r#type = Some(kind);
    out
}
