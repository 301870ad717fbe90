//! Shape arithmetic: what exporters compute a shape with.

use crate::onnx::{AttributeValue, Node, NodeId, Producer, Tensor, ValueId, numbers};

use super::{AXES, Dim, NoiseShapes, Shape, at, int, ints, sizes};

impl NoiseShapes<'_> {
    /// A value of shape arithmetic; `None` for other values.
    pub(super) fn shape(&self, value: ValueId, depth: usize) -> Option<Shape> {
        let depth = depth.checked_sub(1)?;
        if self.spent() {
            return None;
        }
        if let Some(tensor) = self.constant(value) {
            return self.elements(tensor).map(sizes);
        }
        if let Some(passed) = self.passed(value) {
            return self.shape(passed, depth);
        }
        let Producer::Node { node: id, .. } = self.values[value].producer else {
            return None;
        };
        let node = self.model.node(id);
        if !node.in_default_domain() {
            return None;
        }
        let of = |i: usize| self.shape(self.values.input(id, i)?, depth);
        match node.op_type.as_str()? {
            "Constant" => match &node.attributes.first()?.value {
                AttributeValue::Int(size) => Some(sizes(vec![*size])),
                AttributeValue::Ints(list) => Some(sizes(list.clone())),
                _ => None,
            },
            "Shape" => match self.tensor_shape(self.values.input(id, 0)?, depth) {
                Shape::Of(value) => Some(Shape::Of(value)),
                Shape::Dims(dims) => {
                    let start = int(node, "start").unwrap_or(0);
                    let end = int(node, "end").unwrap_or(i64::MAX);
                    Some(Shape::Dims(slice(&dims, start, end)))
                }
            },
            "Cast" | "Identity" | "Unsqueeze" | "Squeeze" | "Reshape" => of(0),
            "ConstantOfShape" => match (of(0)?, node.attributes.is_empty()) {
                (Shape::Dims(count), true) => match count[..] {
                    [Dim::Size(count)] if count >= 0 && count <= AXES as i64 => {
                        Some(sizes(vec![0; count as usize]))
                    }
                    _ => None,
                },
                _ => None,
            },
            "Gather" => {
                let Shape::Dims(indices) = of(1)? else {
                    return None;
                };
                self.picked(of(0)?, &indices)
            }
            "Slice" => self.sliced(id, node, of(0)?, depth),
            "Concat" => self.joined(id, node, depth),
            "Mul" => elementwise(of(0)?, of(1)?, |a, b| match (a, b) {
                (Dim::Size(0), _) | (_, Dim::Size(0)) => Some(Dim::Size(0)),
                (Dim::Size(1), other) | (other, Dim::Size(1)) => Some(other.clone()),
                (Dim::Size(a), Dim::Size(b)) => a.checked_mul(*b).map(Dim::Size),
                _ => Some(Dim::Unknown),
            }),
            "Add" => elementwise(of(0)?, of(1)?, |a, b| match (a, b) {
                (Dim::Size(0), other) | (other, Dim::Size(0)) => Some(other.clone()),
                (Dim::Size(a), Dim::Size(b)) => a.checked_add(*b).map(Dim::Size),
                _ => Some(Dim::Unknown),
            }),
            _ => None,
        }
    }

    fn joined(&self, id: NodeId, node: &Node, depth: usize) -> Option<Shape> {
        let mut all = Vec::new();
        for input in 0..node.inputs.len() {
            match self.shape(self.values.input(id, input)?, depth)? {
                Shape::Dims(dims) => all.extend(dims),
                Shape::Of(_) => return None,
            }
            if all.len() > AXES {
                return None;
            }
        }
        Some(Shape::Dims(all))
    }

    fn picked(&self, from: Shape, indices: &[Dim]) -> Option<Shape> {
        let picked = indices.iter().map(|index| match (&from, index) {
            (Shape::Dims(dims), Dim::Size(index)) => at(dims, *index),
            (Shape::Of(value), Dim::Size(index)) => Some(Dim::Of(*value, *index)),
            _ => None,
        });
        picked.collect::<Option<_>>().map(Shape::Dims)
    }

    fn sliced(&self, id: NodeId, node: &Node, from: Shape, depth: usize) -> Option<Shape> {
        let number = |name: &str, input: usize| match ints(node, name) {
            Some(list) => list.first().copied(),
            None => match self.shape(self.values.input(id, input)?, depth)? {
                Shape::Dims(dims) => match dims[..] {
                    [Dim::Size(number)] => Some(number),
                    _ => None,
                },
                Shape::Of(_) => None,
            },
        };
        let (start, end) = (number("starts", 1)?, number("ends", 2)?);
        if self.values.input(id, 4).is_some() && number("steps", 4)? != 1 {
            return None;
        }
        match from {
            Shape::Dims(dims) => Some(Shape::Dims(slice(&dims, start, end))),
            // of a shape of unknown rank, as many as lie between two ends of one sign
            Shape::Of(value) if (start < 0) == (end < 0) => {
                let count = end
                    .checked_sub(start)
                    .filter(|&n| (0..=AXES as i64).contains(&n))?;
                let dims = (start..start + count).map(|axis| Dim::Of(value, axis));
                Some(Shape::Dims(dims.collect()))
            }
            Shape::Of(value) if start == -1 && end > 0 => {
                Some(Shape::Dims(vec![Dim::Of(value, -1)]))
            }
            Shape::Of(_) => None,
        }
    }

    fn elements(&self, tensor: &Tensor) -> Option<Vec<i64>> {
        if tensor.elements()? > AXES as u64 || tensor.external.is_some() {
            return None;
        }
        let bytes = self.model.small_elements(tensor, 8 * AXES as u64).ok()??;
        let numbers = numbers(tensor.data_type, &bytes)?;
        Some(numbers.into_iter().map(|n| n as i64).collect())
    }
}

fn elementwise(one: Shape, other: Shape, of: impl Fn(&Dim, &Dim) -> Option<Dim>) -> Option<Shape> {
    let pairs: Vec<(Dim, Dim)> = match (one, other) {
        (Shape::Dims(one), Shape::Dims(other)) if one.len() == other.len() => {
            one.into_iter().zip(other).collect()
        }
        // what is of unknown rank has as many dimensions as it meets
        (Shape::Of(value), Shape::Dims(dims)) | (Shape::Dims(dims), Shape::Of(value)) => {
            let dims = dims.into_iter().enumerate();
            dims.map(|(axis, dim)| (Dim::Of(value, axis as i64), dim))
                .collect()
        }
        _ => return None,
    };
    let dims = pairs.iter().map(|(a, b)| of(a, b));
    dims.collect::<Option<_>>().map(Shape::Dims)
}

fn slice(dims: &[Dim], start: i64, end: i64) -> Vec<Dim> {
    let len = dims.len() as i64;
    let place = |i: i64| match i < 0 {
        true => i.saturating_add(len).clamp(0, len) as usize,
        false => i.min(len) as usize,
    };
    let (start, end) = (place(start), place(end));
    dims.get(start..end).map_or(Vec::new(), <[Dim]>::to_vec)
}
