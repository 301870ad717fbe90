//! Arithmetic that tract reads wrongly.

use super::Repair;
use crate::onnx::{Attribute, DataType, Name, Node, encode_float};
use crate::verify::engine::patch::Patch;

/// A bias or a factor in half precision makes tract compute in single precision: nodes of its own apply it.
pub(super) const GEMM: Repair = Repair {
    operator: "Gemm",
    domain: "",
    applies: |node| {
        let element = node.output(0).and_then(|output| output.element_type());
        let is_plain = node.input(2).is_none() && node.float("alpha", 1.0) == 1.0;
        !is_plain && element == Some(DataType::FLOAT16)
    },
    mend: |mut patch| {
        let product = Node {
            attributes: patch.attributes(&["transA", "transB"]),
            ..Node::new("Gemm").on([patch.input(0), patch.input(1)])
        };
        let product = patch.put(product);
        let alpha = patch.float("alpha", 1.0);
        let product = scaled(&mut patch, product, alpha);
        let outputs = patch.node.outputs.clone();
        if patch.input(2).is_empty() {
            patch.end(outputs, Node::new("Identity").on([product]));
            return;
        }
        let (bias, beta) = (patch.input(2), patch.float("beta", 1.0));
        let bias = scaled(&mut patch, bias, beta);
        patch.end(outputs, Node::new("Add").on([product, bias]));
    },
};

/// A value of half precision times a factor.
fn scaled(patch: &mut Patch<'_, '_>, value: Name, factor: f32) -> Name {
    if factor == 1.0 {
        return value;
    }
    let factor = encode_float(DataType::FLOAT16, factor.into()).unwrap_or_default();
    let factor = patch.constant(DataType::FLOAT16, &[], &factor);
    patch.put(Node::new("Mul").on([value, factor]))
}

/// Without a value, the elements are float zeros: tract makes them doubles.
pub(super) const ZEROS: Repair = Repair {
    operator: "ConstantOfShape",
    domain: "",
    applies: |node| node.get().attribute("value").is_none(),
    mend: |mut patch| {
        let zero = Attribute::tensor((DataType::FLOAT, &[1], &[0; 4]));
        let zeros = Node::new("ConstantOfShape").on([patch.input(0)]);
        let outputs = patch.node.outputs.clone();
        patch.end(outputs, zeros.with(zero));
    },
};

/// tract has no logistic function of doubles.
pub(super) const SIGMOID: Repair = Repair {
    operator: "Sigmoid",
    domain: "",
    applies: |node| {
        let element = node.output(0).and_then(|output| output.element_type());
        element == Some(DataType::DOUBLE)
    },
    mend: |mut patch| {
        let one = patch.constant(DataType::DOUBLE, &[], &1f64.to_le_bytes());
        let negated = patch.put(Node::new("Neg").on([patch.input(0)]));
        let power = patch.put(Node::new("Exp").on([negated]));
        let sum = patch.put(Node::new("Add").on([power, one.clone()]));
        let outputs = patch.node.outputs.clone();
        patch.end(outputs, Node::new("Div").on([one, sum]));
    },
};
