//! Small models, written down. A part that is not said has its default.
//!
//! ```ignore
//! let model = model(13)
//!     .input("x", FLOAT, &[Fix(2), Sym("n")])
//!     .init(floats("w", &[3], &[1.0, 2.0, 3.0]))
//!     .node(node("Mul", &["x", "w"], &["h"]))
//!     .node(node("Dropout", &["h"], &["y"]).named("drop"))
//!     .output("y", FLOAT, &[Fix(2), Sym("n")]);
//! ```

use dropout_onnx::source::Source;
use prost::Message;
use tract_onnx::pb;
use tract_onnx::pb::attribute_proto::AttributeType;
use tract_onnx::pb::tensor_shape_proto::{Dimension, dimension::Value};

pub const FLOAT: i32 = 1;
pub const INT32: i32 = 6;
pub const INT64: i32 = 7;
pub const STRING: i32 = 8;
pub const BOOL: i32 = 9;
pub const FLOAT16: i32 = 10;
pub const DOUBLE: i32 = 11;
pub const UINT32: i32 = 12;
pub const UINT64: i32 = 13;
pub const BFLOAT16: i32 = 16;

/// The size of an axis.
#[derive(Clone, Copy, Debug)]
pub enum Size {
    Fix(i64),
    Sym(&'static str),
    Any,
}
pub use Size::{Any, Fix, Sym};

/// A model being built.
#[derive(Clone, Debug)]
pub struct Model(pub pb::ModelProto);

/// An empty model of this opset, IR version 8.
pub fn model(opset: i64) -> Model {
    Model(pb::ModelProto {
        ir_version: 8,
        opset_import: vec![import("", opset)],
        graph: Some(graph("test")),
        ..Default::default()
    })
}

pub fn import(domain: &str, version: i64) -> pb::OperatorSetIdProto {
    pb::OperatorSetIdProto {
        domain: domain.into(),
        version,
    }
}

/// An empty graph, for a subgraph; see [`GraphParts`].
pub fn graph(name: &str) -> pb::GraphProto {
    pb::GraphProto {
        name: name.into(),
        ..Default::default()
    }
}

impl Model {
    pub fn graph(&mut self) -> &mut pb::GraphProto {
        self.0.graph.get_or_insert_default()
    }

    pub fn input(mut self, name: &str, element: i32, shape: &[Size]) -> Self {
        self.graph().input.push(value(name, element, shape));
        self
    }

    pub fn output(mut self, name: &str, element: i32, shape: &[Size]) -> Self {
        self.graph().output.push(value(name, element, shape));
        self
    }

    pub fn value_info(mut self, name: &str, element: i32, shape: &[Size]) -> Self {
        self.graph().value_info.push(value(name, element, shape));
        self
    }

    pub fn init(mut self, tensor: pb::TensorProto) -> Self {
        self.graph().initializer.push(tensor);
        self
    }

    pub fn node(mut self, node: Node) -> Self {
        self.graph().node.push(node.0);
        self
    }

    pub fn function(mut self, function: pb::FunctionProto) -> Self {
        let domain = function.domain.clone().unwrap_or_default();
        if !self
            .0
            .opset_import
            .iter()
            .any(|import| import.domain == domain)
        {
            self.0.opset_import.push(import(&domain, 1));
        }
        self.0.functions.push(function);
        self
    }

    pub fn bytes(&self) -> Vec<u8> {
        self.0.encode_to_vec()
    }

    pub fn source(&self) -> Source {
        Source::from_bytes(self.bytes())
    }
}

/// The same for a subgraph.
pub trait GraphParts: Sized {
    fn with_input(self, name: &str, element: i32, shape: &[Size]) -> Self;
    fn with_output(self, name: &str, element: i32, shape: &[Size]) -> Self;
    fn with_node(self, node: Node) -> Self;
}

impl GraphParts for pb::GraphProto {
    fn with_input(mut self, name: &str, element: i32, shape: &[Size]) -> Self {
        self.input.push(value(name, element, shape));
        self
    }

    fn with_output(mut self, name: &str, element: i32, shape: &[Size]) -> Self {
        self.output.push(value(name, element, shape));
        self
    }

    fn with_node(mut self, node: Node) -> Self {
        self.node.push(node.0);
        self
    }
}

/// A node being built.
#[derive(Clone, Debug)]
pub struct Node(pub pb::NodeProto);

pub fn node(op_type: &str, inputs: &[&str], outputs: &[&str]) -> Node {
    Node(pb::NodeProto {
        op_type: op_type.into(),
        input: strings(inputs),
        output: strings(outputs),
        ..Default::default()
    })
}

impl Node {
    pub fn named(mut self, name: &str) -> Self {
        self.0.name = name.into();
        self
    }

    pub fn domain(mut self, domain: &str) -> Self {
        self.0.domain = domain.into();
        self
    }

    pub fn float(self, name: &str, value: f32) -> Self {
        self.attribute(pb::AttributeProto {
            f: value,
            ..attribute(name, AttributeType::Float)
        })
    }

    pub fn int(self, name: &str, value: i64) -> Self {
        self.attribute(pb::AttributeProto {
            i: value,
            ..attribute(name, AttributeType::Int)
        })
    }

    pub fn ints(self, name: &str, values: &[i64]) -> Self {
        let ints = values.to_vec();
        self.attribute(pb::AttributeProto {
            ints,
            ..attribute(name, AttributeType::Ints)
        })
    }

    pub fn tensor(self, name: &str, value: pb::TensorProto) -> Self {
        self.attribute(pb::AttributeProto {
            t: Some(value),
            ..attribute(name, AttributeType::Tensor)
        })
    }

    pub fn subgraph(self, name: &str, graph: pb::GraphProto) -> Self {
        self.attribute(pb::AttributeProto {
            g: Some(graph),
            ..attribute(name, AttributeType::Graph)
        })
    }

    /// An attribute that takes the value of the function's attribute `from`.
    pub fn reference(self, name: &str, kind: AttributeType, from: &str) -> Self {
        let ref_attr_name = from.into();
        self.attribute(pb::AttributeProto {
            ref_attr_name,
            ..attribute(name, kind)
        })
    }

    fn attribute(mut self, attribute: pb::AttributeProto) -> Self {
        self.0.attribute.push(attribute);
        self
    }
}

pub fn attribute(name: &str, kind: AttributeType) -> pb::AttributeProto {
    pb::AttributeProto {
        name: name.into(),
        r#type: kind as i32,
        ..Default::default()
    }
}

/// A function of the default opset given.
pub fn function(
    (domain, name): (&str, &str),
    opset: i64,
    inputs: &[&str],
    outputs: &[&str],
    nodes: Vec<Node>,
) -> pb::FunctionProto {
    pb::FunctionProto {
        name: Some(name.into()),
        domain: Some(domain.into()),
        input: strings(inputs),
        output: strings(outputs),
        node: nodes.into_iter().map(|node| node.0).collect(),
        opset_import: vec![import("", opset)],
        ..Default::default()
    }
}

pub fn value(name: &str, element: i32, shape: &[Size]) -> pb::ValueInfoProto {
    let dim = |size: &Size| Dimension {
        value: match size {
            Fix(size) => Some(Value::DimValue(*size)),
            Sym(name) => Some(Value::DimParam((*name).into())),
            Any => None,
        },
        ..Default::default()
    };
    let tensor = pb::type_proto::Tensor {
        elem_type: element,
        shape: Some(pb::TensorShapeProto {
            dim: shape.iter().map(dim).collect(),
        }),
    };
    pb::ValueInfoProto {
        name: name.into(),
        r#type: Some(pb::TypeProto {
            value: Some(pb::type_proto::Value::TensorType(tensor)),
            ..Default::default()
        }),
        ..Default::default()
    }
}

pub fn raw(name: &str, element: i32, shape: &[i64], bytes: Vec<u8>) -> pb::TensorProto {
    pb::TensorProto {
        name: name.into(),
        data_type: element,
        dims: shape.to_vec(),
        raw_data: bytes,
        ..Default::default()
    }
}

pub fn floats(name: &str, shape: &[i64], values: &[f32]) -> pb::TensorProto {
    raw(
        name,
        FLOAT,
        shape,
        values.iter().flat_map(|v| v.to_le_bytes()).collect(),
    )
}

pub fn int64s(name: &str, shape: &[i64], values: &[i64]) -> pb::TensorProto {
    raw(
        name,
        INT64,
        shape,
        values.iter().flat_map(|v| v.to_le_bytes()).collect(),
    )
}

/// A scalar.
pub fn float(name: &str, value: f32) -> pb::TensorProto {
    floats(name, &[], &[value])
}

/// A scalar.
pub fn boolean(name: &str, value: bool) -> pb::TensorProto {
    raw(name, BOOL, &[], vec![u8::from(value)])
}

fn strings(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_string()).collect()
}
