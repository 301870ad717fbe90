//! Small models in few words: `op("y, mask = Dropout(x, ratio, training)")`.

use dropout_onnx::onnx::{self, DataType};
use dropout_onnx::source::Source;
use prost::Message;

use super::proto::{
    Annotation, Attribute, Dim, Entry, Function, Graph, Model, Node, OpsetId, Shape, SparseTensor,
    Tensor, TensorType, Training, Type, ValueInfo,
};

/// The shape of everything, unless said otherwise.
pub const SHAPE: &[i64] = &[2, 3];

/// Names from a list: `a, b`; an empty piece is an absent name.
fn names(list: &str) -> Vec<String> {
    match list.trim() {
        "" => Vec::new(),
        list => list.split(',').map(|name| name.trim().into()).collect(),
    }
}

/// A node: `outputs = Operator(inputs)`, the operator with its domain as `domain::Operator`.
pub fn op(text: &str) -> Node {
    let (outputs, call) = text.split_once('=').expect("outputs = Operator(inputs)");
    let (operator, inputs) = call.trim().split_once('(').expect("Operator(inputs)");
    let inputs = inputs.strip_suffix(')').expect("a closing parenthesis");
    let (domain, operator) = match operator.rsplit_once("::") {
        Some((domain, operator)) => (Some(domain.to_string()), operator),
        None => (None, operator),
    };
    let outputs = match outputs.trim().starts_with(',') {
        true => outputs
            .split(',')
            .map(|name| name.trim().to_string())
            .collect(),
        false => names(outputs),
    };
    Node {
        input: names(inputs),
        output: outputs,
        op_type: Some(operator.into()),
        domain,
        ..Node::default()
    }
}

fn attribute(name: &str, kind: i32) -> Attribute {
    Attribute {
        name: Some(name.into()),
        r#type: Some(kind),
        ..Attribute::default()
    }
}

pub fn float(name: &str, f: f32) -> Attribute {
    Attribute {
        f: Some(f),
        ..attribute(name, 1)
    }
}

pub fn int(name: &str, i: i64) -> Attribute {
    Attribute {
        i: Some(i),
        ..attribute(name, 2)
    }
}

pub fn string(name: &str, s: &str) -> Attribute {
    Attribute {
        s: Some(s.as_bytes().to_vec()),
        ..attribute(name, 3)
    }
}

pub fn tensor(name: &str, t: Tensor) -> Attribute {
    Attribute {
        t: Some(t),
        ..attribute(name, 4)
    }
}

pub fn subgraph(name: &str, g: Graph) -> Attribute {
    Attribute {
        g: Some(g),
        ..attribute(name, 5)
    }
}

pub fn floats(name: &str, floats: &[f32]) -> Attribute {
    Attribute {
        floats: floats.to_vec(),
        ..attribute(name, 6)
    }
}

pub fn ints(name: &str, ints: &[i64]) -> Attribute {
    Attribute {
        ints: ints.to_vec(),
        ..attribute(name, 7)
    }
}

pub fn strings(name: &str, strings: &[&str]) -> Attribute {
    let bytes = strings.iter().map(|string| string.as_bytes().to_vec());
    Attribute {
        strings: bytes.collect(),
        ..attribute(name, 8)
    }
}

pub fn sparse(name: &str, sparse: SparseTensor) -> Attribute {
    Attribute {
        sparse_tensor: Some(sparse),
        ..attribute(name, 11)
    }
}

/// An attribute of a node in a function that takes the caller's attribute.
pub fn reference(name: &str, of: &str, kind: i32) -> Attribute {
    Attribute {
        ref_attr_name: Some(of.into()),
        ..attribute(name, kind)
    }
}

impl Node {
    pub fn with(mut self, attribute: Attribute) -> Node {
        self.attribute.push(attribute);
        self
    }

    pub fn named(mut self, name: &str) -> Node {
        self.name = Some(name.into());
        self
    }

    pub fn overloaded(mut self, overload: &str) -> Node {
        self.overload = Some(overload.into());
        self
    }

    pub fn is(&self, operator: &str) -> bool {
        self.op_type.as_deref() == Some(operator)
    }
}

/// A tensor of any type from its little-endian elements.
pub fn raw(data_type: DataType, dims: &[i64], bytes: &[u8]) -> Tensor {
    Tensor {
        dims: dims.to_vec(),
        data_type: Some(data_type.0),
        raw_data: Some(bytes.to_vec()),
        ..Tensor::default()
    }
}

/// A float tensor.
pub fn f32s(dims: &[i64], elements: &[f32]) -> Tensor {
    let bytes: Vec<u8> = elements.iter().flat_map(|f| f.to_le_bytes()).collect();
    raw(DataType::FLOAT, dims, &bytes)
}

/// A float scalar.
pub fn f32_scalar(f: f32) -> Tensor {
    f32s(&[], &[f])
}

/// An integer tensor of one dimension.
pub fn i64s(elements: &[i64]) -> Tensor {
    let bytes: Vec<u8> = elements.iter().flat_map(|i| i.to_le_bytes()).collect();
    raw(DataType::INT64, &[elements.len() as i64], &bytes)
}

/// A boolean scalar.
pub fn flag(on: bool) -> Tensor {
    raw(DataType::BOOL, &[], &[u8::from(on)])
}

/// A scalar of a float type, by value.
pub fn scalar(data_type: DataType, value: f64) -> Tensor {
    let bytes = match data_type {
        DataType::FLOAT => (value as f32).to_le_bytes().to_vec(),
        DataType::DOUBLE => value.to_le_bytes().to_vec(),
        DataType::FLOAT16 => half::f16::from_f64(value).to_le_bytes().to_vec(),
        DataType::BFLOAT16 => half::bf16::from_f64(value).to_le_bytes().to_vec(),
        other => panic!("{other} is not a float type of more than 8 bits"),
    };
    raw(data_type, &[], &bytes)
}

/// A name with a type.
pub fn typed(name: &str, data_type: DataType, dims: &[i64]) -> ValueInfo {
    let dim = |&size: &i64| Dim {
        dim_value: Some(size),
        dim_param: None,
    };
    ValueInfo {
        name: Some(name.into()),
        r#type: Some(Type {
            tensor_type: Some(TensorType {
                elem_type: Some(data_type.0),
                shape: Some(Shape {
                    dim: dims.iter().map(dim).collect(),
                }),
            }),
        }),
    }
}

/// A name without a type.
pub fn untyped(name: &str) -> ValueInfo {
    ValueInfo {
        name: Some(name.into()),
        r#type: None,
    }
}

/// A key and its value.
pub fn entry(key: &str, value: &str) -> Entry {
    Entry {
        key: Some(key.into()),
        value: Some(value.into()),
    }
}

/// An annotation of a value with the value that is its scale.
pub fn scale_of(value: &str, scale: &str) -> Annotation {
    Annotation {
        tensor_name: Some(value.into()),
        quant_parameter_tensor_names: vec![entry("SCALE_TENSOR", scale)],
    }
}

/// A graph of nodes, with nothing around it.
pub fn graph(nodes: impl IntoIterator<Item = Node>) -> Graph {
    Graph {
        node: nodes.into_iter().collect(),
        name: Some("g".into()),
        ..Graph::default()
    }
}

impl Graph {
    /// Adds a float input of the usual shape.
    pub fn input(self, name: &str) -> Graph {
        self.input_of(name, DataType::FLOAT, SHAPE)
    }

    pub fn input_of(mut self, name: &str, data_type: DataType, dims: &[i64]) -> Graph {
        self.input.push(typed(name, data_type, dims));
        self
    }

    /// Adds a float output of the usual shape.
    pub fn output(self, name: &str) -> Graph {
        self.output_of(name, DataType::FLOAT, SHAPE)
    }

    pub fn output_of(mut self, name: &str, data_type: DataType, dims: &[i64]) -> Graph {
        self.output.push(typed(name, data_type, dims));
        self
    }

    /// Adds an initializer.
    pub fn init(mut self, name: &str, tensor: Tensor) -> Graph {
        self.initializer.push(Tensor {
            name: Some(name.into()),
            ..tensor
        });
        self
    }

    pub fn info(mut self, name: &str) -> Graph {
        self.value_info.push(typed(name, DataType::FLOAT, SHAPE));
        self
    }

    pub fn annotation(mut self, annotation: Annotation) -> Graph {
        self.quantization_annotation.push(annotation);
        self
    }
}

/// A graph from float `x` to float `y`.
pub fn x_to_y(nodes: impl IntoIterator<Item = Node>) -> Graph {
    graph(nodes).input("x").output("y")
}

fn opset_id(domain: &str, version: i64) -> OpsetId {
    OpsetId {
        domain: Some(domain.into()),
        version: Some(version),
    }
}

/// A model of IR version 8 (3 below opset 9, as of its time).
pub fn model(opset: i64, graph: Graph) -> Model {
    Model {
        ir_version: Some(if opset < 9 { 3 } else { 8 }),
        graph: Some(graph),
        opset_import: vec![opset_id("", opset)],
        ..Model::default()
    }
}

impl Model {
    pub fn ir(mut self, version: i64) -> Model {
        self.ir_version = Some(version);
        self
    }

    pub fn by(mut self, producer: &str) -> Model {
        self.producer_name = Some(producer.to_string());
        self
    }

    pub fn imports(mut self, domain: &str, version: i64) -> Model {
        self.opset_import.push(opset_id(domain, version));
        self
    }

    pub fn function(mut self, function: Function) -> Model {
        self.functions.push(function);
        self
    }

    pub fn training(mut self, training: Training) -> Model {
        self.training_info.push(training);
        self
    }

    /// The main graph.
    pub fn main(&self) -> &Graph {
        self.graph.as_ref().expect("a graph")
    }

    pub fn main_mut(&mut self) -> &mut Graph {
        self.graph.as_mut().expect("a graph")
    }

    /// The model as the crate reads it from its bytes.
    pub fn read(&self) -> onnx::Model {
        onnx::Model::read(Source::from_bytes(self.encode_to_vec())).expect("a readable model")
    }

    /// Every node in every scope, one a line, as `outputs = Operator(inputs)`; those of inner
    /// graphs indented below the name of their attribute.
    pub fn lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        node_lines(&self.main().node, "", &mut lines);
        for function in &self.functions {
            lines.push(format!(
                "{}({}) -> ({}):",
                function.name(),
                function.input.join(", "),
                function.output.join(", ")
            ));
            node_lines(&function.node, "  ", &mut lines);
        }
        for training in &self.training_info {
            for (what, graph) in [
                ("initialization", &training.initialization),
                ("algorithm", &training.algorithm),
            ] {
                if let Some(graph) = graph {
                    lines.push(format!("{what}:"));
                    node_lines(&graph.node, "  ", &mut lines);
                }
            }
        }
        lines
    }

    /// How many nodes in any scope are ONNX' own `Dropout`.
    pub fn dropouts(&self) -> usize {
        self.lines()
            .iter()
            .filter(|line| line.contains("= Dropout(") || line.contains("= ai.onnx::Dropout("))
            .count()
    }
}

fn node_lines(nodes: &[Node], indent: &str, lines: &mut Vec<String>) {
    for node in nodes {
        let domain = match node.domain() {
            "" => String::new(),
            domain => format!("{domain}::"),
        };
        let overload = match node.overload() {
            "" => String::new(),
            overload => format!(":{overload}"),
        };
        lines.push(format!(
            "{indent}{} = {domain}{}{overload}({})",
            node.output.join(", "),
            node.op_type(),
            node.input.join(", ")
        ));
        for attribute in &node.attribute {
            if let Some(graph) = &attribute.g {
                lines.push(format!("{indent}  {}:", attribute.name()));
                node_lines(&graph.node, &format!("{indent}    "), lines);
            }
        }
    }
}

/// A function in the domain `local`, of ONNX' operator set `opset`.
pub fn function(
    name: &str,
    inputs: &str,
    outputs: &str,
    opset: i64,
    nodes: impl IntoIterator<Item = Node>,
) -> Function {
    Function {
        name: Some(name.into()),
        input: names(inputs),
        output: names(outputs),
        node: nodes.into_iter().collect(),
        opset_import: vec![opset_id("", opset), opset_id("local", 1)],
        domain: Some("local".into()),
        ..Function::default()
    }
}
