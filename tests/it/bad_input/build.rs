//! Models, sound and unsound.

use prost::Message;
use tract_onnx::pb::attribute_proto::AttributeType;
use tract_onnx::pb::{self, type_proto};

pub const FLOAT: i32 = 1;
pub const INT64: i32 = 7;
pub const STRING: i32 = 8;
pub const BOOL: i32 = 9;

pub fn node(op_type: &str, inputs: &[&str], outputs: &[&str]) -> pb::NodeProto {
    let names = |names: &[&str]| names.iter().map(|name| (*name).to_string()).collect();
    pb::NodeProto {
        op_type: op_type.into(),
        input: names(inputs),
        output: names(outputs),
        ..Default::default()
    }
}

pub fn attribute(name: &str, kind: AttributeType) -> pb::AttributeProto {
    pb::AttributeProto {
        name: name.into(),
        r#type: kind as i32,
        ..Default::default()
    }
}

pub fn with(mut node: pb::NodeProto, attribute: pb::AttributeProto) -> pb::NodeProto {
    node.attribute.push(attribute);
    node
}

pub fn with_graph(node: pb::NodeProto, name: &str, graph: pb::GraphProto) -> pb::NodeProto {
    let attribute = pb::AttributeProto {
        g: Some(graph),
        ..attribute(name, AttributeType::Graph)
    };
    with(node, attribute)
}

pub fn value(name: &str) -> pb::ValueInfoProto {
    let tensor = type_proto::Tensor {
        elem_type: FLOAT,
        shape: None,
    };
    pb::ValueInfoProto {
        name: name.into(),
        r#type: Some(pb::TypeProto {
            value: Some(type_proto::Value::TensorType(tensor)),
            ..Default::default()
        }),
        ..Default::default()
    }
}

pub fn tensor(name: &str, data_type: i32, dims: &[i64], bytes: &[u8]) -> pb::TensorProto {
    pb::TensorProto {
        name: name.into(),
        data_type,
        dims: dims.to_vec(),
        raw_data: bytes.to_vec(),
        ..Default::default()
    }
}

pub fn scalar(name: &str, value: f32) -> pb::TensorProto {
    tensor(name, FLOAT, &[], &value.to_le_bytes())
}

pub fn graph(nodes: Vec<pb::NodeProto>, inputs: &[&str], outputs: &[&str]) -> pb::GraphProto {
    pb::GraphProto {
        name: "g".into(),
        node: nodes,
        input: inputs.iter().map(|name| value(name)).collect(),
        output: outputs.iter().map(|name| value(name)).collect(),
        ..Default::default()
    }
}

pub fn model(opset: i64, graph: pb::GraphProto) -> pb::ModelProto {
    pb::ModelProto {
        ir_version: 8,
        opset_import: vec![pb::OperatorSetIdProto {
            domain: String::new(),
            version: opset,
        }],
        graph: Some(graph),
        ..Default::default()
    }
}

/// `x -> Dropout -> Relu -> y`.
pub fn sound() -> pb::ModelProto {
    let nodes = vec![
        node("Dropout", &["x"], &["d"]),
        node("Relu", &["d"], &["y"]),
    ];
    model(13, graph(nodes, &["x"], &["y"]))
}

pub fn bytes(model: &pb::ModelProto) -> Vec<u8> {
    model.encode_to_vec()
}

/// A model of `depth` graphs in each other, each the branch of an `If`.
pub fn nested_graphs(depth: usize) -> Vec<u8> {
    // written from the end, so that every length is known
    let mut reversed: Vec<u8> = Vec::new();
    let wrap = |reversed: &mut Vec<u8>, field: u32, before: &[u8]| {
        reversed.extend(before.iter().rev());
        let mut head = Vec::new();
        prost::encoding::encode_varint(u64::from(field << 3 | 2), &mut head);
        prost::encoding::encode_varint(reversed.len() as u64, &mut head);
        reversed.extend(head.iter().rev());
    };
    let named = pb::AttributeProto {
        g: None,
        ..attribute("then_branch", AttributeType::Graph)
    };
    let of_if = node("If", &["c"], &["y"]).encode_to_vec();
    for _ in 1..depth {
        wrap(&mut reversed, 6, &[]); // AttributeProto.g
        reversed.extend(named.encode_to_vec().iter().rev());
        wrap(&mut reversed, 5, &[]); // NodeProto.attribute
        reversed.extend(of_if.iter().rev());
        wrap(&mut reversed, 1, &[]); // GraphProto.node
    }
    wrap(&mut reversed, 7, &[]); // ModelProto.graph
    reversed.reverse();
    let without = pb::ModelProto {
        graph: None,
        ..sound()
    };
    [without.encode_to_vec(), reversed].concat()
}
