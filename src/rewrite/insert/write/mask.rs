//! A random mask that is shared along axes.

use smallvec::smallvec;

use crate::onnx::{
    At, Attribute, AttributeValue, DataType, Editor, Elements, Name, Node, encode_float,
};
use crate::rewrite::Acting;

use super::{Ends, Written};

/// A mask that is shared along axes.
#[derive(Clone, Debug)]
pub(in crate::rewrite::insert) struct Shared {
    pub axes: Vec<i64>,
    /// How many axes there are.
    pub rank: usize,
    pub element: DataType,
}

impl Shared {
    /// True of an axis along which the mask is shared.
    fn has(&self, axis: usize) -> bool {
        let back = axis as i64 - self.rank as i64;
        let mut axes = self.axes.iter();
        axes.any(|&a| a == axis as i64 || a == back)
    }

    /// A number for each axis, as INT64 elements.
    fn each(&self, of: impl Fn(bool) -> bool) -> Vec<u8> {
        let each = (0..self.rank).flat_map(|axis| i64::from(of(self.has(axis))).to_le_bytes());
        each.collect()
    }
}

/// Nodes and constants of a mask, with names made from a label.
struct Writer<'e, 'm> {
    editor: &'e mut Editor<'m>,
    at: At,
    label: &'e Name,
}

impl Writer<'_, '_> {
    fn constant(&mut self, hint: &str, elements: Elements<'_>) -> Name {
        let hint = format!("{}/{hint}", self.label);
        self.editor.add_constant(self.at, &hint, elements)
    }

    fn put(&mut self, op: &str, inputs: &[&Name]) -> Name {
        let inputs = inputs.iter().map(|&name| name.clone());
        self.node(Node::new(op).on(inputs))
    }

    fn node(&mut self, node: Node) -> Name {
        let hint = format!("{}/{}", self.label, node.op_type);
        self.editor.put(self.at, &hint, node)
    }
}

/// `x · (u ≥ p) / (1−p)`, with u drawn in the shape of x, except for 1 along the shared axes.
pub(super) fn write(
    editor: &mut Editor<'_>,
    at: At,
    what: &Written<'_>,
    ends: &Ends,
    shared: &Shared,
) {
    let (element, dims) = (shared.element, [shared.rank as i64]);
    let opset = editor.model().opset(at.0, "").unwrap_or(1);
    let float = |number| encode_float(element, number).unwrap_or_default();
    let label = what.label;
    let mut writer = Writer { editor, at, label };
    let kept = shared.each(|shared| !shared);
    let kept = writer.constant("drawn_axes", (DataType::INT64, &dims, &kept));
    let ones = shared.each(|shared| shared);
    let ones = writer.constant("shared_axes", (DataType::INT64, &dims, &ones));
    let rate = (what.rate.value() as f32).to_le_bytes();
    let ratio = writer.constant("ratio", (DataType::FLOAT, &[], &rate));
    let scale = writer.constant("scale", (element, &[], &float(what.rate.scale())));
    let shape = writer.put("Shape", &[&ends.data]);
    let shape = writer.put("Mul", &[&shape, &kept]);
    let shape = writer.put("Add", &[&shape, &ones]);
    let zeros = writer.put("ConstantOfShape", &[&shape]);
    let seed = what.seed.map(|seed| AttributeValue::Float(seed as f32));
    let seed = seed.map(|seed| Attribute::new("seed", seed));
    let drawn = writer.node(Node {
        attributes: seed.into_iter().collect(),
        ..Node::new("RandomUniformLike").on([zeros])
    });
    let keep = match opset {
        12.. => writer.put("GreaterOrEqual", &[&drawn, &ratio]),
        _ => {
            let drop = writer.put("Less", &[&drawn, &ratio]);
            writer.put("Not", &[&drop])
        }
    };
    let mask = writer.node(Node::cast(element).on([keep]));
    let mut mask = writer.put("Mul", &[&mask, &scale]);
    if let Acting::Runtime(switch) = what.acting {
        let one = writer.constant("one", (element, &[], &float(1.0)));
        mask = writer.put("Where", &[switch, &mask, &one]);
    }
    let product = Node {
        name: label.clone(),
        outputs: smallvec![ends.output.clone()],
        ..Node::new("Mul").on([ends.data.clone(), mask])
    };
    editor.insert_node(at.0, at.1, product);
}
