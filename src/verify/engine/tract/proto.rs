//! A model in tract's own protobuf types, without what tract reads wrongly: declared shapes, types of inner values,
//! names of nodes that are given twice. Large tensors are handed over one at a time.

use std::ops::Range;
use std::path::Path;

use prost::Message;
use tract_onnx::data_resolver::ModelDataResolver;
use tract_onnx::pb;
use tract_onnx::pb::attribute_proto::AttributeType;
use tract_onnx::pb::tensor_proto::DataLocation;
use tract_onnx::pb::type_proto::{Tensor as TensorType, Value as TypeValue};
use tract_onnx::prelude::{TractError, TractResult};

use super::support::supported;
use crate::error::{Error, ErrorKind};
use crate::hash::HashSet;
use crate::onnx::{Attribute, AttributeValue, DataType, GraphId, Model, Name, NodeId, Tensor};
use crate::onnx::{ValueInfo, ValueType};
use crate::source::Source;
use crate::verify::engine::{Stop, Unrunnable};

/// Smaller tensors are written into the protobuf.
const LARGE: u64 = 1 << 16;

/// tract recurs into inner graphs.
const DEPTH: usize = 32;

/// The folder of large tensors, as tract sees it: it has to exist.
pub(super) const FOLDER: &str = "/";

/// The elements of large tensors, by number.
#[derive(Debug, Default)]
pub(super) struct Weights(Vec<(Source, Range<u64>)>);

impl ModelDataResolver for Weights {
    fn read_bytes_from_path(
        &self,
        buffer: &mut Vec<u8>,
        _: &Path,
        number: usize,
        _: Option<usize>,
    ) -> TractResult<()> {
        let (source, range) = &self.0[number];
        buffer.resize((range.end - range.start) as usize, 0);
        let read = source.read_exact_at(buffer, range.start);
        read.map_err(|error| TractError::msg(error.to_string()))
    }
}

/// Translates a model that no edit has changed since it was read.
///
/// # Errors
/// tract has no such tensors, or their elements are not where they should be.
pub(super) fn translated(model: &Model, opset: i64) -> Result<(pb::ModelProto, Weights), Stop> {
    let mut translator = Translator {
        model,
        weights: Weights::default(),
    };
    let graph = translator.graph(model.main())?;
    let opset = pb::OperatorSetIdProto {
        domain: String::new(),
        version: opset,
    };
    let proto = pb::ModelProto {
        opset_import: vec![opset],
        graph: Some(graph),
        ..Default::default()
    };
    Ok((proto, translator.weights))
}

struct Translator<'m> {
    model: &'m Model,
    weights: Weights,
}

impl Translator<'_> {
    fn graph(&mut self, id: GraphId) -> Result<pb::GraphProto, Stop> {
        let model = self.model;
        let graph = model.graph(id);
        let refused = match () {
            () if !graph.sparse_initializers().is_empty() => "tract has no sparse tensors",
            () if model.depth(id) > DEPTH => "its graphs are nested too deep for tract",
            () => "",
        };
        if !refused.is_empty() {
            return Err(Unrunnable::new(refused).into());
        }
        let mut proto = pb::GraphProto {
            input: graph.inputs.iter().map(declared).collect(),
            output: graph.outputs.iter().map(declared).collect(),
            ..Default::default()
        };
        for (_, tensor) in graph.initializers() {
            let place = format!("initializer {}", tensor.name);
            let tensor = self.tensor(tensor, &place)?;
            proto.initializer.push(tensor);
        }
        // to tract, inputs and constants are nodes as well
        let values = graph.inputs.iter().map(|input| &input.name);
        let values = values.chain(graph.initializers().map(|(_, tensor)| &tensor.name));
        let mut taken: HashSet<String> = values.map(Name::to_string).collect();
        for (index, _) in graph.nodes() {
            let mut node = self.node(NodeId { graph: id, index })?;
            if node.name.is_empty() {
                node.name
                    .clone_from(node.output.first().unwrap_or(&node.op_type));
            }
            while !taken.insert(node.name.clone()) {
                node.name.push_str(&format!("#{index}"));
            }
            proto.node.push(node);
        }
        Ok(proto)
    }

    fn node(&mut self, id: NodeId) -> Result<pb::NodeProto, Stop> {
        let node = self.model.node(id);
        let mut proto = pb::NodeProto {
            name: node.name.to_string(),
            op_type: node.op_type.to_string(),
            domain: node.domain.to_string(),
            input: node.inputs.iter().map(Name::to_string).collect(),
            output: node.outputs.iter().map(Name::to_string).collect(),
            ..Default::default()
        };
        // an input left out at the end is one that is not there
        while proto.input.last().is_some_and(String::is_empty) {
            proto.input.pop();
        }
        for attribute in &node.attributes {
            let place = format!("{} of node {}", attribute.name, self.model.label(id));
            proto.attribute.push(self.attribute(attribute, &place)?);
        }
        Ok(proto)
    }

    fn attribute(
        &mut self,
        attribute: &Attribute,
        place: &str,
    ) -> Result<pb::AttributeProto, Stop> {
        use AttributeType as Kind;
        let mut proto = pb::AttributeProto::default();
        let kind = match &attribute.value {
            AttributeValue::Float(number) => {
                proto.f = *number;
                Kind::Float
            }
            AttributeValue::Int(number) => {
                proto.i = *number;
                Kind::Int
            }
            AttributeValue::String(text) => {
                proto.s.clone_from(text);
                Kind::String
            }
            AttributeValue::Floats(numbers) => {
                proto.floats.clone_from(numbers);
                Kind::Floats
            }
            AttributeValue::Ints(numbers) => {
                proto.ints.clone_from(numbers);
                Kind::Ints
            }
            AttributeValue::Strings(texts) => {
                proto.strings.clone_from(texts);
                Kind::Strings
            }
            AttributeValue::Tensor(tensor) => {
                proto.t = Some(self.tensor(tensor, place)?);
                Kind::Tensor
            }
            AttributeValue::Graph(graph) => {
                proto.g = Some(self.graph(*graph)?);
                Kind::Graph
            }
            AttributeValue::Sparse(_) => {
                let why = format!("tract has no sparse tensors ({place})");
                return Err(Unrunnable::new(why).into());
            }
            AttributeValue::Other(range) => {
                let bytes = self.model.source().bytes(range.clone())?;
                proto = pb::AttributeProto::decode(bytes).unwrap_or_default();
                Kind::try_from(proto.r#type).unwrap_or(Kind::Undefined)
            }
            // tract has no operator with others
            _ => Kind::Undefined,
        };
        proto.name = attribute.name.to_string();
        proto.r#type = kind.into();
        Ok(proto)
    }

    fn tensor(&mut self, tensor: &Tensor, place: &str) -> Result<pb::TensorProto, Stop> {
        supported(tensor.data_type, place)?;
        let elements = tensor.elements().ok_or_else(|| {
            let why = format!("the shape {:?} is no shape ({place})", tensor.dims);
            Unrunnable::new(why)
        })?;
        let mut proto = pb::TensorProto {
            name: tensor.name.to_string(),
            dims: tensor.dims.clone(),
            data_type: tensor.data_type.0,
            ..Default::default()
        };
        if tensor.external.is_some() && self.model.folder().is_none() {
            let tensor = format!("tensor {}", tensor.name);
            return Err(Unrunnable::no_folder(&tensor).into());
        }
        let (source, range) = self.model.elements_source(tensor).map_err(unreadable)?;
        let (present, wanted) = (range.end - range.start, tensor.expected_bytes());
        if wanted != Some(present) {
            let width = tensor.data_type.bits().unwrap_or(8) / 8;
            let why = format!(
                "the shape {:?} asks for {elements} elements, but {} are there ({place})",
                tensor.dims,
                present / width,
            );
            return Err(Unrunnable::new(why).into());
        }
        if present < LARGE {
            proto.raw_data = source.bytes(range).map_err(unreadable)?.to_vec();
            return Ok(proto);
        }
        let entry = |key: &str, value: String| pb::StringStringEntryProto {
            key: key.into(),
            value,
        };
        proto.data_location = Some(DataLocation::External.into());
        proto.external_data = vec![
            entry("location", ".".into()),
            entry("offset", self.weights.0.len().to_string()),
        ];
        self.weights.0.push((source, range));
        Ok(proto)
    }
}

/// Elements that cannot be read: the other engine cannot read them either.
fn unreadable(error: Error) -> Stop {
    match error.kind() {
        ErrorKind::Interrupted => error.into(),
        _ => Unrunnable::new(error.to_string()).into(),
    }
}

/// A value by its name and the type of its elements: tract finds its shape, or is given it.
fn declared(value: &ValueInfo) -> pb::ValueInfoProto {
    let element = match value.value_type() {
        ValueType::Tensor { element, .. } => element,
        // as `operators::sequences` has it
        ValueType::Sequence(_) => DataType::BOOL,
        _ => DataType(0),
    };
    let tensor = TensorType {
        elem_type: element.0,
        shape: None,
    };
    pb::ValueInfoProto {
        name: value.name.to_string(),
        r#type: Some(pb::TypeProto {
            value: Some(TypeValue::TensorType(tensor)),
            ..Default::default()
        }),
        ..Default::default()
    }
}
