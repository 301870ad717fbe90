//! Initializers: inserted, changed, removed.

use bytes::Bytes;
use prost::Message;

use crate::onnx::data_type::DataType;
use crate::onnx::ids::GraphId;
use crate::onnx::name::Name;
use crate::onnx::proto;
use crate::onnx::tensor::Tensor;
use crate::onnx::values::{Producer, ValueId};
use crate::source::{Rope, Source};
use crate::wire::bytes_head;

use super::Editor;

/// Field number of `TensorProto`.
const RAW_DATA: u32 = 9;

impl Editor<'_> {
    /// Adds an initializer. `elements` are little-endian, as in `raw_data`.
    pub fn add_initializer(
        &mut self,
        graph: GraphId,
        name: &Name,
        data_type: DataType,
        dims: &[i64],
        elements: &[u8],
    ) -> Option<ValueId> {
        let elements = Source::from_bytes(Bytes::copy_from_slice(elements));
        self.add_elements(graph, name, data_type, dims, &elements)
    }

    /// Adds an initializer whose elements are read when the model is.
    pub fn add_elements(
        &mut self,
        graph: GraphId,
        name: &Name,
        data_type: DataType,
        dims: &[i64],
        elements: &Source,
    ) -> Option<ValueId> {
        let mut encoded = Rope::new();
        encoded.push(encode_head(name, data_type, dims));
        push_elements(&mut encoded, elements);
        let body = self.touch(graph);
        let index = body.initializers.len() as u32;
        body.initializers.push(Tensor {
            name: name.clone(),
            data_type,
            dims: dims.to_vec(),
            external: None,
            payload: Vec::new(),
        });
        body.edits.added_initializers.push(encoded);
        self.values.add_initializer(graph, name, index);
        self.values.lookup(self.model, graph, name)
    }

    /// Gives an initializer other elements, and forgets where its old ones were.
    pub fn replace_initializer(
        &mut self,
        graph: GraphId,
        index: u32,
        data_type: DataType,
        dims: &[i64],
        elements: &[u8],
    ) {
        let name = self.model.graph(graph).initializers[index as usize]
            .name
            .clone();
        let encoded = encode_tensor(&name, data_type, dims, elements);
        let body = self.touch(graph);
        body.edits.replaced_initializers.insert(index, encoded);
    }

    /// Gives an initializer other elements of its type and shape, little-endian as in `raw_data`. Its
    /// name and whatever else is written with it stay.
    pub fn set_elements(&mut self, graph: GraphId, index: u32, elements: Source) {
        self.touch(graph).edits.new_elements.insert(index, elements);
    }

    /// Removes an initializer that is not a graph input.
    pub fn remove_initializer(&mut self, value: ValueId) {
        let gone = self.values[value].clone();
        if let Producer::Initializer(index) = gone.producer {
            let body = self.touch(gone.graph);
            body.edits.removed_initializers.insert(index);
            self.values.forget(value);
            self.gone.push(value);
        }
    }
}

/// A `TensorProto` up to its elements.
fn encode_head(name: &Name, data_type: DataType, dims: &[i64]) -> Vec<u8> {
    let tensor = proto::Tensor {
        dims: dims.to_vec(),
        data_type: Some(data_type.0),
        name: (!name.is_empty()).then(|| Bytes::copy_from_slice(name.as_bytes())),
        ..proto::Tensor::default()
    };
    tensor.encode_to_vec()
}

/// Appends elements as `raw_data`.
pub(in crate::onnx) fn push_elements(out: &mut Rope, elements: &Source) {
    out.push(bytes_head(RAW_DATA, elements.len()));
    out.push_range(elements, 0..elements.len());
}

pub(crate) fn encode_tensor(name: &Name, data_type: DataType, dims: &[i64], raw: &[u8]) -> Vec<u8> {
    let tensor = proto::Tensor {
        dims: dims.to_vec(),
        data_type: Some(data_type.0),
        name: (!name.is_empty()).then(|| Bytes::copy_from_slice(name.as_bytes())),
        raw_data: Some(Bytes::copy_from_slice(raw)),
        ..proto::Tensor::default()
    };
    tensor.encode_to_vec()
}
