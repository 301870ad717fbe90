//! What operators make of shapes.

use crate::onnx::{AttributeValue, Node, NodeId, ValueId};

use super::{AXES, Dim, NoiseShapes, Shape, at, int, ints};

impl NoiseShapes<'_> {
    pub(super) fn transposed(&self, node: &Node, of: Shape) -> Option<Shape> {
        let Shape::Dims(dims) = of else {
            return None;
        };
        let Some(perm) = ints(node, "perm") else {
            return Some(Shape::Dims(dims.into_iter().rev().collect()));
        };
        let axes = perm.iter().map(|&axis| at(&dims, axis));
        axes.collect::<Option<_>>().map(Shape::Dims)
    }

    /// As many axes as the weights have, as many channels as they make, and windows without padding of
    /// their own.
    pub(super) fn convolved(
        &self,
        node: &Node,
        data: Option<Shape>,
        weight: ValueId,
    ) -> Option<Shape> {
        let weights = &self.constant(weight)?.dims;
        let from = match data {
            Some(Shape::Dims(dims)) => dims,
            Some(Shape::Of(value)) => vec![Dim::Of(value, 0)],
            None => Vec::new(),
        };
        let spatial = |axis: usize| -> Option<Dim> {
            let padded = node.attribute("auto_pad").map(|a| &a.value);
            let plain = match padded {
                Some(AttributeValue::String(how)) => how == b"NOTSET" || how == b"VALID",
                _ => true,
            };
            let number = |name: &str, at: usize, default: i64| match ints(node, name) {
                Some(list) => list.get(at).copied(),
                None => Some(default),
            };
            let axes = weights.len() - 2;
            let pads = number("pads", axis, 0)?.checked_add(number("pads", axis + axes, 0)?)?;
            let kernel = weights.get(axis + 2)?.checked_sub(1)?;
            let window = number("dilations", axis, 1)?.checked_mul(kernel)?;
            let Dim::Size(size) = from.get(axis + 2)? else {
                return None;
            };
            let room = size
                .checked_add(pads)?
                .checked_sub(window)?
                .checked_sub(1)?;
            let steps = room.checked_div(number("strides", axis, 1)?)?;
            (plain && room >= 0).then_some(Dim::Size(steps.checked_add(1)?))
        };
        let mut dims = vec![Dim::Unknown; weights.len().min(AXES)];
        *dims.first_mut()? = from.first().cloned().unwrap_or(Dim::Unknown);
        *dims.get_mut(1)? = Dim::Size(*weights.first()?);
        for (axis, dim) in dims.iter_mut().skip(2).enumerate() {
            *dim = spatial(axis).unwrap_or(Dim::Unknown);
        }
        Some(Shape::Dims(dims))
    }

    pub(super) fn reduced(
        &self,
        id: NodeId,
        node: &Node,
        of: Shape,
        depth: usize,
    ) -> Option<Shape> {
        let Shape::Dims(dims) = of else {
            return None;
        };
        let axes = self.axes(id, node, dims.len(), depth)?;
        let keeps = int(node, "keepdims").unwrap_or(1) != 0;
        let left = dims.into_iter().enumerate();
        let left = left.filter_map(|(axis, dim)| match (axes.contains(&axis), keeps) {
            (true, true) => Some(Dim::Size(1)),
            (true, false) => None,
            (false, _) => Some(dim),
        });
        Some(Shape::Dims(left.collect()))
    }

    /// The last dimension of a product is told by the weights, the first by the data.
    pub(super) fn product(&self, node: &Node, weight: ValueId, data: Shape) -> Option<Shape> {
        let dims = &self.constant(weight)?.dims;
        let transposed = int(node, "transB").unwrap_or(0) != 0;
        let last = *dims.get(usize::from(!transposed))?;
        let rows = usize::from(int(node, "transA").unwrap_or(0) != 0);
        let rows = match data {
            Shape::Dims(dims) => dims.get(rows).cloned().unwrap_or(Dim::Unknown),
            Shape::Of(value) => Dim::Of(value, rows as i64),
        };
        Some(Shape::Dims(vec![rows, Dim::Size(last)]))
    }

    /// A product by a matrix of weights.
    pub(super) fn multiplied(&self, weight: ValueId, data: Shape) -> Option<Shape> {
        let &[_, columns] = &self.constant(weight)?.dims[..] else {
            return None;
        };
        let Shape::Dims(mut dims) = data else {
            return None;
        };
        *dims.last_mut().filter(|_| columns >= 0)? = Dim::Size(columns);
        (dims.len() > 1).then_some(Shape::Dims(dims))
    }

    pub(super) fn expanded(&self, id: NodeId, depth: usize) -> Option<Shape> {
        let to = self.shape(self.values.input(id, 1)?, depth)?;
        let from = self.tensor_shape(self.values.input(id, 0)?, depth);
        broadcast(from, to)
    }

    pub(super) fn tiled(&self, data: Shape, repeats: Shape) -> Option<Shape> {
        let (Shape::Dims(dims), Shape::Dims(repeats)) = (data, repeats) else {
            return None;
        };
        let dims = dims.into_iter().zip(repeats).map(|pair| match pair {
            (dim, Dim::Size(1)) => dim,
            (Dim::Size(size), Dim::Size(times)) => {
                size.checked_mul(times).map_or(Dim::Unknown, Dim::Size)
            }
            (Dim::Size(1), times) => times,
            _ => Dim::Unknown,
        });
        Some(Shape::Dims(dims.collect()))
    }

    /// The axes of a Squeeze, an Unsqueeze or a reduction.
    pub(super) fn axes(
        &self,
        id: NodeId,
        node: &Node,
        rank: usize,
        depth: usize,
    ) -> Option<Vec<usize>> {
        let axes = match (ints(node, "axes"), self.values.input(id, 1)) {
            (Some(axes), _) => axes,
            (None, Some(axes)) => match self.shape(axes, depth)? {
                Shape::Dims(dims) => numbers(&dims)?,
                Shape::Of(_) => return None,
            },
            (None, None) => return None,
        };
        let place = |axis: i64| match axis < 0 {
            true => usize::try_from(axis + rank as i64).ok(),
            false => usize::try_from(axis).ok().filter(|&axis| axis < rank),
        };
        axes.into_iter().map(place).collect()
    }

    pub(super) fn unsqueezed(
        &self,
        id: NodeId,
        node: &Node,
        of: Shape,
        depth: usize,
    ) -> Option<Shape> {
        let Shape::Dims(dims) = of else {
            return None;
        };
        // as many axes come in as there are
        let count = match (ints(node, "axes"), self.values.input(id, 1)) {
            (Some(axes), _) => axes.len(),
            (None, axes) => match self.shape(axes?, depth)? {
                Shape::Dims(axes) => axes.len(),
                Shape::Of(_) => return None,
            },
        };
        let rank = dims.len() + count;
        let axes = self.axes(id, node, rank, depth)?;
        let mut dims = dims.into_iter();
        let all = (0..rank.min(AXES)).map(|axis| match axes.contains(&axis) {
            true => Some(Dim::Size(1)),
            false => dims.next(),
        });
        all.collect::<Option<_>>().map(Shape::Dims)
    }

    pub(super) fn squeezed(
        &self,
        id: NodeId,
        node: &Node,
        of: Shape,
        depth: usize,
    ) -> Option<Shape> {
        let Shape::Dims(dims) = of else {
            return None;
        };
        let axes = self.axes(id, node, dims.len(), depth)?;
        let left = dims.into_iter().enumerate();
        let left = left.filter(|(axis, _)| !axes.contains(axis));
        Some(Shape::Dims(left.map(|(_, dim)| dim).collect()))
    }

    /// One of several equal parts.
    pub(super) fn split(&self, node: &Node, of: Shape) -> Option<Shape> {
        let Shape::Dims(mut dims) = of else {
            return None;
        };
        let axis = int(node, "axis").unwrap_or(0);
        let axis = if axis < 0 {
            axis + dims.len() as i64
        } else {
            axis
        };
        let axis = usize::try_from(axis).ok()?;
        let parts = node.outputs.len() as i64;
        let equal = node.inputs.len() < 2 && ints(node, "split").is_none();
        let part = match dims.get(axis)? {
            Dim::Size(size) if equal && size % parts == 0 => Dim::Size(size / parts),
            _ => Dim::Unknown,
        };
        *dims.get_mut(axis)? = part;
        Some(Shape::Dims(dims))
    }

    /// What is cut out along some axes.
    pub(super) fn sliced_tensor(
        &self,
        id: NodeId,
        node: &Node,
        of: Shape,
        depth: usize,
    ) -> Option<Shape> {
        let Shape::Dims(mut dims) = of else {
            return None;
        };
        let list = |name: &str, input: usize| -> Option<Vec<i64>> {
            if let Some(list) = ints(node, name) {
                return Some(list);
            }
            match self.shape(self.values.input(id, input)?, depth)? {
                Shape::Dims(dims) => numbers(&dims),
                Shape::Of(_) => None,
            }
        };
        let (starts, ends) = (list("starts", 1)?, list("ends", 2)?);
        let given = ints(node, "axes").is_some() || self.values.input(id, 3).is_some();
        let axes = match given {
            true => list("axes", 3)?,
            false => (0..starts.len() as i64).collect(),
        };
        let whole = self.values.input(id, 4).is_none() || list("steps", 4)?.iter().all(|&s| s == 1);
        for ((&start, &end), axis) in starts.iter().zip(&ends).zip(axes) {
            let axis = if axis < 0 {
                axis + dims.len() as i64
            } else {
                axis
            };
            let dim = dims.get_mut(usize::try_from(axis).ok()?)?;
            if whole && start == 0 && end >= i64::from(i32::MAX) {
                continue; // all of it
            }
            *dim = match *dim {
                Dim::Size(size) if whole => {
                    let place =
                        |i: i64| (if i < 0 { i.saturating_add(size) } else { i }).clamp(0, size);
                    Dim::Size((place(end) - place(start)).max(0))
                }
                _ => Dim::Unknown,
            };
        }
        Some(Shape::Dims(dims))
    }

    pub(super) fn gathered(&self, node: &Node, of: Shape, indices: Shape) -> Option<Shape> {
        let (Shape::Dims(mut dims), Shape::Dims(indices)) = (of, indices) else {
            return None;
        };
        let axis = int(node, "axis").unwrap_or(0);
        let axis = if axis < 0 {
            axis + dims.len() as i64
        } else {
            axis
        };
        let axis = usize::try_from(axis)
            .ok()
            .filter(|&axis| axis < dims.len())?;
        dims.splice(axis..=axis, indices);
        Some(Shape::Dims(dims))
    }
}

/// Dimensions as the numbers that they are in an input of a node.
fn numbers(dims: &[Dim]) -> Option<Vec<i64>> {
    let numbers = dims.iter().map(|dim| match dim {
        Dim::Size(number) => Some(*number),
        _ => None,
    });
    numbers.collect()
}

/// The same batch and channels, in another size.
pub(super) fn pooled(data: Shape) -> Option<Shape> {
    let Shape::Dims(mut dims) = data else {
        return None;
    };
    dims.iter_mut().skip(2).for_each(|dim| *dim = Dim::Unknown);
    Some(Shape::Dims(dims))
}

/// What Reshape does not take for a size: 0 copies one, -1 is what is left.
pub(super) fn is_placeholder(dim: &Dim) -> bool {
    matches!(dim, Dim::Size(..=0) | Dim::Unknown)
}

/// The shape of two that are broadcast; `None` if that is not known.
pub(super) fn broadcast(one: Shape, two: Shape) -> Option<Shape> {
    let (one, two) = match (one, two) {
        (Shape::Of(one), Shape::Of(two)) if one == two => return Some(Shape::Of(one)),
        (Shape::Of(value), Shape::Dims(dims)) | (Shape::Dims(dims), Shape::Of(value)) => {
            let number = dims.iter().all(|dim| *dim == Dim::Size(1)) && dims.len() <= 1;
            return number.then_some(Shape::Of(value));
        }
        (Shape::Dims(one), Shape::Dims(two)) => (one, two),
        _ => return None,
    };
    let axes = one.len().max(two.len());
    let of = |dims: &[Dim], back: usize| at(dims, -(back as i64)).unwrap_or(Dim::Size(1));
    let dims = (1..=axes)
        .rev()
        .map(|back| match (of(&one, back), of(&two, back)) {
            (one, two) if one == two => one,
            (Dim::Size(1), dim) | (dim, Dim::Size(1)) => dim,
            (Dim::Size(size), _) | (_, Dim::Size(size)) => Dim::Size(size),
            _ => Dim::Unknown,
        });
    Some(Shape::Dims(dims.collect()))
}
