//! Edits of what a graph declares: its inputs and outputs, the types of its values.

use prost::Message;

use crate::onnx::data_type::DataType;
use crate::onnx::graph::{GraphKind, ValueInfo};
use crate::onnx::ids::GraphId;
use crate::onnx::name::Name;
use crate::onnx::proto;
use crate::onnx::values::{Producer, ValueId};
use crate::wire::bytes_field;

use super::{Editor, INPUT, OUTPUT};

/// `GraphProto.value_info`.
const VALUE_INFO: u32 = 13;

impl Editor<'_> {
    /// Declares the type of a value, as the file has it of another: in graphs that declare types of
    /// inner values, and nowhere else.
    pub fn describe_like(&mut self, name: &Name, other: ValueId) {
        let (graph, other) = (self.values[other].graph, self.values[other].name.clone());
        let body = self.model.graph(graph);
        if body.value_infos.is_empty() || matches!(body.kind, GraphKind::Function(_)) {
            return;
        }
        let all = body.inputs.iter().chain(&body.outputs);
        let mut all = all.chain(&body.value_infos);
        let described = all.find(|info| info.name == other && info.type_bytes.is_some());
        let Some(type_bytes) = described.and_then(|info| info.type_bytes.clone()) else {
            return;
        };
        let index = body.value_infos.len() as u32;
        if let Some(described) = self.described.get_mut(&graph) {
            let entry = described.value_infos.entry(name.clone());
            entry.or_default().push(index);
        }
        let field = typed_field(VALUE_INFO, name, &type_bytes);
        let body = self.touch(graph);
        body.value_infos.push(ValueInfo {
            name: name.clone(),
            type_bytes: Some(type_bytes),
        });
        body.edits.added_fields.push(field);
    }

    /// Appends an input to the main graph.
    pub fn add_input(&mut self, name: &Name, data_type: DataType, dims: &[i64]) -> Option<ValueId> {
        let main = self.model.main();
        let type_bytes = tensor_type(data_type, dims);
        let body = self.touch(main);
        let index = body.inputs.len() as u32;
        body.edits
            .added_fields
            .push(typed_field(INPUT, name, &type_bytes));
        body.inputs.push(ValueInfo {
            name: name.clone(),
            type_bytes: Some(type_bytes),
        });
        self.values.add_input(main, name, index);
        self.values.lookup(self.model, main, name)
    }

    /// Removes inputs of the main graph that nothing uses, each with its default.
    pub fn remove_inputs(&mut self, inputs: &[ValueId]) {
        let main = self.model.main();
        let place = |&value: &ValueId| match self.values[value].producer {
            Producer::Input(input) if self.values[value].graph == main => Some(input as usize),
            _ => None,
        };
        let mut places: Vec<usize> = inputs.iter().filter_map(place).collect();
        let defaults: Vec<u32> = inputs
            .iter()
            .filter_map(|&value| self.values[value].initializer)
            .collect();
        self.values.remove_formals(self.model, main, &places, &[]);
        self.gone.extend(inputs);
        places.sort_unstable();
        let body = self.touch(main);
        body.edits.removed_initializers.extend(defaults);
        for place in places.into_iter().rev() {
            body.inputs.remove(place);
            body.remove_slot(INPUT, place);
        }
    }

    /// Appends a value of the main graph to its outputs, without a type.
    pub fn add_output(&mut self, value: ValueId) {
        let main = self.model.main();
        let name = self.values[value].name.clone();
        let body = self.touch(main);
        let index = body.outputs.len() as u32;
        let field = bytes_field(OUTPUT, &bytes_field(1, name.as_bytes()));
        body.edits.added_fields.push(field);
        body.outputs.push(ValueInfo {
            name,
            type_bytes: None,
        });
        self.values.add_output(main, value, index);
    }

    /// Lets an output of a graph be another value of it. The outputs of the graph keep their declared types; other fields of their declarations are lost.
    pub fn set_output(&mut self, graph: GraphId, output: usize, value: ValueId) {
        let name = self.values[value].name.clone();
        self.values.set_output(self.model, graph, output, value);
        let body = self.touch(graph);
        body.outputs[output].name = name;
        for _ in 0..body.outputs.len() {
            body.remove_slot(OUTPUT, 0);
        }
        let fields = body.outputs.iter().map(|info| match &info.type_bytes {
            Some(type_bytes) => typed_field(OUTPUT, &info.name, type_bytes),
            None => bytes_field(OUTPUT, &bytes_field(1, info.name.as_bytes())),
        });
        let fields: Vec<Vec<u8>> = fields.collect();
        let tag = bytes_field(OUTPUT, &[])[0];
        let added = &mut body.edits.added_fields;
        added.retain(|field| field[0] != tag);
        added.extend(fields);
    }
}

/// A `ValueInfoProto` as a field.
fn typed_field(number: u32, name: &Name, type_bytes: &Name) -> Vec<u8> {
    let mut payload = bytes_field(1, name.as_bytes());
    payload.extend(bytes_field(2, type_bytes.as_bytes()));
    bytes_field(number, &payload)
}

fn tensor_type(data_type: DataType, dims: &[i64]) -> Name {
    let dim = |&size: &i64| proto::Dimension {
        dim_value: Some(size),
        dim_param: None,
    };
    let tensor = proto::TensorType {
        elem_type: Some(data_type.0),
        shape: Some(proto::TensorShape {
            dim: dims.iter().map(dim).collect(),
        }),
    };
    let typed = proto::Type {
        tensor_type: Some(tensor),
        ..proto::Type::default()
    };
    typed.encode_to_vec()[..].into()
}
