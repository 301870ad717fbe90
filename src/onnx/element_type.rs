//! The element type of a value, as far as the file tells it.

use super::attribute::AttributeValue;
use super::data_type::DataType;
use super::graph::GraphKind;
use super::model::Model;
use super::name::Name;
use super::node::NodeId;
use super::value_type::ValueType;
use super::values::{Producer, ValueId, Values};

/// Operators whose first output has the type of their first input (ONNX' schemas, `T`), and of which
/// other inputs may have another.
pub(super) const SAME_TYPE: &[&str] = &[
    "Abs",
    "AveragePool",
    "BatchNormalization",
    "Ceil",
    "Celu",
    "Cos",
    "CumSum",
    "DepthToSpace",
    "Dropout",
    "Elu",
    "Erf",
    "Exp",
    "Expand",
    "Flatten",
    "Floor",
    "Gather",
    "GatherElements",
    "GatherND",
    "Gelu",
    "GlobalAveragePool",
    "GlobalLpPool",
    "GlobalMaxPool",
    "GroupNormalization",
    "HardSigmoid",
    "HardSwish",
    "Hardmax",
    "Identity",
    "InstanceNormalization",
    "LRN",
    "LayerNormalization",
    "LeakyRelu",
    "Log",
    "LogSoftmax",
    "LpNormalization",
    "LpPool",
    "MaxPool",
    "MeanVarianceNormalization",
    "Mish",
    "Neg",
    "Pad",
    "Pow",
    "RMSNormalization",
    "Reciprocal",
    "ReduceL1",
    "ReduceL2",
    "ReduceLogSum",
    "ReduceLogSumExp",
    "ReduceMax",
    "ReduceMean",
    "ReduceMin",
    "ReduceProd",
    "ReduceSum",
    "ReduceSumSquare",
    "Relu",
    "Reshape",
    "Resize",
    "Round",
    "ScatterElements",
    "ScatterND",
    "Selu",
    "Shrink",
    "Sigmoid",
    "Sign",
    "Sin",
    "Slice",
    "Softmax",
    "Softplus",
    "Softsign",
    "SpaceToDepth",
    "Sqrt",
    "Squeeze",
    "Swish",
    "Tanh",
    "ThresholdedRelu",
    "Tile",
    "Transpose",
    "Trilu",
    "Unsqueeze",
    "Upsample",
];

/// Operators whose first output and all of whose inputs have one type.
pub(super) const ANY_INPUT: &[&str] = &[
    "Add",
    "Clip",
    "Concat",
    "Conv",
    "ConvTranspose",
    "Div",
    "Einsum",
    "Gemm",
    "MatMul",
    "Max",
    "Mean",
    "Min",
    "Mul",
    "PRelu",
    "Sub",
    "Sum",
];

/// Operators that make booleans.
pub(super) const BOOLEAN: &[&str] = &[
    "And",
    "Equal",
    "Greater",
    "GreaterOrEqual",
    "IsInf",
    "IsNaN",
    "Less",
    "LessOrEqual",
    "Not",
    "Or",
    "Xor",
];

/// Operators that make 64 bit integers.
pub(super) const SIZES: &[&str] = &["ArgMax", "ArgMin", "NonZero", "Shape", "Size"];

/// How many values are looked at, on the way back and in callers.
const BUDGET: usize = 256;

/// To find the callers of a function costs as much as so many values.
const CALLERS: usize = 16;

impl Model {
    /// The element type of a value: from its type entry, its initializer, or (through operators
    /// that keep the type) from what it is computed from. What a function takes has the type that all
    /// of its callers give it.
    pub fn element_type(&self, values: &Values, value: ValueId) -> Option<DataType> {
        self.typed(values, value, &mut { BUDGET })
    }

    fn typed(&self, values: &Values, value: ValueId, budget: &mut usize) -> Option<DataType> {
        let mut value = value;
        // calls that were entered, from their results
        let mut calls = Vec::new();
        loop {
            *budget = budget.checked_sub(1)?;
            let known = &values[value];
            let graph = self.graph(known.graph);
            if let Some(element) = self.declared(known.graph, &known.name) {
                return Some(element);
            }
            if let Some(index) = known.initializer {
                return Some(graph.initializer(index).data_type);
            }
            let (id, output) = match known.producer {
                Producer::Node { node, output } => (node, output),
                Producer::Input(index) => {
                    let GraphKind::Function(function) = graph.kind else {
                        return None;
                    };
                    let Some(call) = calls.pop() else {
                        return self.given(values, function, index, budget);
                    };
                    value = values.input(call, index as usize)?;
                    continue;
                }
                _ => return None,
            };
            let node = self.node(id);
            if let Some(function) = self.callee(node) {
                let body = self.functions()[function].body;
                let result = &self.graph(body).outputs.get(output as usize)?.name;
                value = values.lookup(self, body, result)?;
                calls.push(id);
                continue;
            }
            if output != 0 {
                return None;
            }
            if let Some(element) = self.own_type(values, id) {
                return Some(element);
            }
            if !node.in_default_domain() || !keeps(node) {
                return None;
            }
            value = values.input(id, 0)?;
        }
    }

    /// The type that all callers of a function give it.
    fn given(
        &self,
        values: &Values,
        function: usize,
        index: u32,
        budget: &mut usize,
    ) -> Option<DataType> {
        *budget = budget.checked_sub(CALLERS)?;
        let mut given = None;
        for (id, node) in self.nodes() {
            if self.callee(node) == Some(function) {
                let element = self.typed(values, values.input(id, index as usize)?, budget)?;
                if *given.get_or_insert(element) != element {
                    return None;
                }
            }
        }
        given
    }

    /// The type that a node's own attributes or weights tell.
    fn own_type(&self, values: &Values, id: NodeId) -> Option<DataType> {
        let node = self.node(id);
        let op = |names: &[&str]| names.iter().any(|name| node.is(name));
        if op(&["Cast"]) {
            return match node.attribute("to").map(|a| &a.value) {
                Some(AttributeValue::Int(to)) => Some(DataType(*to as i32)),
                _ => None,
            };
        }
        if op(&["Constant"]) {
            let mut tensors = node.attributes.iter().flat_map(|a| a.tensors());
            return tensors.next().map(|tensor| tensor.data_type);
        }
        if op(&["Add", "Conv", "Div", "Gemm", "MatMul", "Mul", "Sub"]) {
            let weight = &values[values.input(id, 1)?];
            let graph = self.graph(weight.graph);
            return weight.initializer.map(|i| graph.initializer(i).data_type);
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

/// True of an operator whose first output has the type of its first input.
fn keeps(node: &super::node::Node) -> bool {
    let mut known = SAME_TYPE.iter().chain(ANY_INPUT);
    known.any(|op| node.op_type == *op)
}
