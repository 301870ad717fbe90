//! The element type of a value, as far as the file tells it.

use super::data_type::DataType;
use super::model::Model;
use super::name::Name;
use super::value_type::ValueType;
use super::values::{Producer, ValueId, Values};

/// Operators whose first output has the type of their first input (ONNX' schemas, `T`).
const SAME_TYPE: &[&str] = &[
    "Abs",
    "Add",
    "AveragePool",
    "BatchNormalization",
    "Clip",
    "Concat",
    "Conv",
    "ConvTranspose",
    "Div",
    "Dropout",
    "Elu",
    "Expand",
    "Flatten",
    "Gather",
    "Gemm",
    "GlobalAveragePool",
    "GlobalMaxPool",
    "HardSigmoid",
    "Identity",
    "LRN",
    "LayerNormalization",
    "LeakyRelu",
    "LogSoftmax",
    "MatMul",
    "MaxPool",
    "Mul",
    "Neg",
    "PRelu",
    "Pad",
    "Pow",
    "ReduceMean",
    "ReduceSum",
    "Relu",
    "Reshape",
    "Selu",
    "Sigmoid",
    "Slice",
    "Softmax",
    "Sqrt",
    "Squeeze",
    "Sub",
    "Tanh",
    "Transpose",
    "Unsqueeze",
];

/// How many nodes are followed back.
const DEPTH: usize = 64;

impl Model {
    /// The element type of a value: from its type entry, its initializer, or (through operators
    /// that keep the type) from what it is computed from.
    pub fn element_type(&self, values: &Values, value: ValueId) -> Option<DataType> {
        let mut value = value;
        for _ in 0..DEPTH {
            let known = &values[value];
            let graph = self.graph(known.graph);
            if let Some(element) = self.declared(known.graph, &known.name) {
                return Some(element);
            }
            if let Some(index) = known.initializer {
                return Some(graph.initializer(index).data_type);
            }
            let Producer::Node {
                node: id,
                output: 0,
            } = known.producer
            else {
                return None;
            };
            let node = self.node(id);
            if !node.in_default_domain() || !SAME_TYPE.iter().any(|op| node.op_type == *op) {
                return None;
            }
            value = values.input(id, 0)?;
        }
        None
    }

    fn declared(&self, graph: super::GraphId, name: &Name) -> Option<DataType> {
        let graph = self.graph(graph);
        let typed = graph
            .inputs
            .iter()
            .chain(&graph.outputs)
            .chain(&graph.value_infos);
        let mut typed = typed.filter(|info| info.name == *name);
        typed.find_map(|info| match info.value_type() {
            ValueType::Tensor { element, .. } if element.0 != 0 => Some(element),
            _ => None,
        })
    }
}
