//! Each repair for tract is needed with the tract that is linked: without it, tract cannot run the model that
//! the repair is for. A test that fails here means that a repair can go.

use std::collections::BTreeMap;

use prost::Message;
use tract_onnx::pb;
use tract_onnx::pb::attribute_proto::AttributeType;

use super::Tract;
use crate::source::Source;
use crate::verify::engine::backend::Engine;
use crate::verify::engine::mend::{Repair, TRACT};
use crate::verify::engine::{Fill, Meaning, Mode, Stop, Subject, Value};

fn node(op: &str, inputs: &[&str], output: &str) -> pb::NodeProto {
    pb::NodeProto {
        op_type: op.into(),
        input: inputs.iter().map(ToString::to_string).collect(),
        output: vec![output.into()],
        ..Default::default()
    }
}

fn cast(from: &str, to: &str, element: i64) -> pb::NodeProto {
    pb::NodeProto {
        attribute: vec![pb::AttributeProto {
            name: "to".into(),
            r#type: AttributeType::Int as i32,
            i: element,
            ..Default::default()
        }],
        ..node("Cast", &[from], to)
    }
}

/// A model of `x: float[2, 2]` and `y`.
fn model(nodes: Vec<pb::NodeProto>) -> Source {
    use pb::tensor_shape_proto::{Dimension, dimension::Value};
    let dim = Dimension {
        value: Some(Value::DimValue(2)),
        ..Default::default()
    };
    let tensor = pb::type_proto::Tensor {
        elem_type: 1,
        shape: Some(pb::TensorShapeProto {
            dim: vec![dim.clone(), dim],
        }),
    };
    let value = |name: &str| pb::ValueInfoProto {
        name: name.into(),
        r#type: Some(pb::TypeProto {
            value: Some(pb::type_proto::Value::TensorType(tensor.clone())),
            ..Default::default()
        }),
        ..Default::default()
    };
    let graph = pb::GraphProto {
        name: "g".into(),
        node: nodes,
        input: vec![value("x")],
        output: vec![value("y")],
        ..Default::default()
    };
    let import = pb::OperatorSetIdProto {
        domain: String::new(),
        version: 13,
    };
    let model = pb::ModelProto {
        ir_version: 8,
        graph: Some(graph),
        opset_import: vec![import],
        ..Default::default()
    };
    Source::from_bytes(model.encode_to_vec())
}

fn runs(source: &Source, repairs: &'static [&'static Repair]) -> bool {
    let subject = Subject {
        label: "model",
        source,
        folder: None,
        external: 0,
    };
    let mut modes = Mode::of(crate::verify::engine::Engines::Tract);
    modes.any(|mode| {
        let ready = || -> Result<_, Stop> {
            let (_, read) = Tract(repairs).read(&subject, Meaning::Inference, mode)?;
            let none = BTreeMap::new();
            let shapes = read.choose(&none, &BTreeMap::new(), Fill::ALL[0])?;
            let ready = read.ready(&shapes)?;
            let x = Value::from_f32(&[2, 2], &[0.5, 1.0, -1.0, 2.0]);
            let x = x.into_iter().map(|x| ("x".to_string(), x));
            ready.run(&x.collect(), 0)
        };
        ready().is_ok()
    })
}

#[test]
fn each_repair_is_needed() {
    let gemm = vec![
        cast("x", "h", 10),
        node("Gemm", &["h", "h", "h"], "p"),
        cast("p", "y", 1),
    ];
    let zeros = vec![
        node("Shape", &["x"], "s"),
        node("ConstantOfShape", &["s"], "z"),
        node("MatMul", &["x", "z"], "y"),
    ];
    let doubles = vec![
        cast("x", "d", 11),
        node("Sigmoid", &["d"], "s"),
        cast("s", "y", 1),
    ];
    let examples = [
        ("Gemm", gemm),
        ("ConstantOfShape", zeros),
        ("Sigmoid", doubles),
    ];
    let named: Vec<&str> = TRACT.iter().map(|repair| repair.operator).collect();
    assert_eq!(named, examples.each_ref().map(|(name, _)| *name));
    for (name, nodes) in examples {
        let model = model(nodes);
        assert!(runs(&model, TRACT), "{name}: not repaired");
        assert!(!runs(&model, &[]), "{name}: tract needs no repair any more");
    }
}

#[test]
fn tract_has_no_loop() {
    let own = tract_onnx::onnx();
    assert!(!own.op_register.0.contains_key("Loop"));
    assert!(own.op_register.0.contains_key("If"));
}
