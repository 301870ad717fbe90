//! The shape that an operator gives its output, from those of its inputs.

use crate::onnx::{AttributeValue, Node, NodeId};
use crate::semantics::operator::{Operator, Shape as Rule};

use super::{Shape, Shapes, axis_of, int, permutation, window};

/// The shape of an output; `None` if the operator is not known here, or the rank is not.
pub(super) fn shape(shapes: &Shapes<'_>, id: NodeId, output: usize) -> Option<Shape> {
    let node = shapes.model.node(id);
    let of = |input: usize| shapes.input(id, input);
    let rule = Operator::of(shapes.model, id)?.shape;
    if output != 0 && rule != Rule::Split {
        return None;
    }
    match rule {
        Rule::Split => split(shapes, id, output, of(0)?),
        Rule::Same => of(0),
        Rule::OfSecond => of(1),
        Rule::Broadcast => {
            let mut all = (0..node.inputs.len()).map(of);
            let first = all.next()??;
            all.try_fold(first, |one, two| broadcast(one, two?))
        }
        Rule::Reduce => reduced(shapes, id, of(0)?),
        Rule::Constant => constant(shapes, id),
        Rule::MatMul => matmul(of(0)?, of(1)?),
        Rule::Gemm => {
            let (a, b) = (of(0), of(1)?);
            let rows = usize::from(int(node, "transA", 0) != 0);
            let columns = usize::from(int(node, "transB", 0) == 0);
            let rows = a.and_then(|a| a.get(rows).copied()).flatten();
            Some(vec![rows, *b.get(columns)?])
        }
        Rule::Conv => window::convolved(node, of(0), &of(1)?),
        Rule::ConvTranspose => window::transposed(node, of(0), &of(1)?),
        Rule::Pool => window::pooled(node, of(0)?),
        Rule::GlobalPool => {
            let mut shape = of(0)?;
            shape.iter_mut().skip(2).for_each(|dim| *dim = Some(1));
            Some(shape)
        }
        Rule::Permute => {
            let shape = of(0)?;
            let axes = permutation(node, shape.len())?;
            axes.into_iter()
                .map(|axis| shape.get(axis).copied())
                .collect()
        }
        Rule::Concat => {
            let all: Option<Vec<Shape>> = (0..node.inputs.len()).map(of).collect();
            concat(&all?, int(node, "axis", 1))
        }
        Rule::Flatten => flatten(&of(0)?, int(node, "axis", 1)),
        Rule::Reshape => reshape(of(0), &shapes.integers(id, 1, "shape")?),
        Rule::Squeeze => squeeze(of(0)?, &shapes.integers(id, 1, "axes")?),
        Rule::Unsqueeze => unsqueeze(of(0)?, &shapes.integers(id, 1, "axes")?),
        Rule::Expand => {
            let to = shapes.integers(id, 1, "shape")?;
            broadcast(of(0)?, to.into_iter().map(Some).collect())
        }
        Rule::Gather => {
            let (mut shape, indices) = (of(0)?, of(1)?);
            let axis = axis_of(int(node, "axis", 0), shape.len())?;
            shape.splice(axis..=axis, indices);
            Some(shape)
        }
        Rule::Slice => {
            // how many are left along an axis that is sliced is not worked out
            let mut shape = of(0)?;
            for axis in sliced(shapes, id, shape.len())? {
                shape[axis] = None;
            }
            Some(shape)
        }
        Rule::Pad | Rule::SameRank | Rule::Tile => of(0).map(|shape| vec![None; shape.len()]),
        Rule::Filled => {
            let sizes = shapes.integers(id, 0, "")?;
            Some(sizes.into_iter().map(Some).collect())
        }
        Rule::Recurrent => recurrent(node, of(0)?, of(2)?),
        Rule::ReduceAxis => {
            let mut shape = of(0)?;
            let axis = axis_of(int(node, "axis", 0), shape.len())?;
            match int(node, "keepdims", 1) {
                0 => drop(shape.remove(axis)),
                _ => shape[axis] = Some(1),
            }
            Some(shape)
        }
        Rule::Other => None,
    }
}

/// The axes along which a Slice cuts.
pub(crate) fn sliced(shapes: &Shapes<'_>, id: NodeId, rank: usize) -> Option<Vec<usize>> {
    let node = shapes.model.node(id);
    let given = node.attribute("axes").is_some() || shapes.values.input(id, 3).is_some();
    let axes = match given {
        true => shapes.integers(id, 3, "axes")?,
        false => (0..shapes.integers(id, 1, "starts")?.len() as i64).collect(),
    };
    axes.into_iter().map(|axis| axis_of(axis, rank)).collect()
}

fn constant(shapes: &Shapes<'_>, id: NodeId) -> Option<Shape> {
    let value = &shapes.model.node(id).attributes.first()?.value;
    let long = |len: usize| Some(vec![Some(len as i64)]);
    match value {
        AttributeValue::Float(_) | AttributeValue::Int(_) => Some(Vec::new()),
        AttributeValue::Floats(all) => long(all.len()),
        AttributeValue::Ints(all) => long(all.len()),
        AttributeValue::Tensor(tensor) => Some(tensor.dims.iter().map(|&dim| Some(dim)).collect()),
        _ => None,
    }
}

fn split(shapes: &Shapes<'_>, id: NodeId, output: usize, mut shape: Shape) -> Option<Shape> {
    let node = shapes.model.node(id);
    let axis = axis_of(int(node, "axis", 0), shape.len())?;
    let sizes = shapes.integers(id, 1, "split");
    shape[axis] = sizes.and_then(|sizes| sizes.get(output).copied());
    Some(shape)
}

fn reduced(shapes: &Shapes<'_>, id: NodeId, mut shape: Shape) -> Option<Shape> {
    let node = shapes.model.node(id);
    let keep = int(node, "keepdims", 1) != 0;
    let given = node.attribute("axes").is_some() || shapes.values.input(id, 1).is_some();
    let rank = shape.len();
    let axes: Vec<usize> = match given {
        true => {
            let axes = shapes.integers(id, 1, "axes")?;
            axes.into_iter()
                .map(|axis| axis_of(axis, rank))
                .collect::<Option<_>>()?
        }
        false if int(node, "noop_with_empty_axes", 0) != 0 => return Some(shape),
        false => (0..rank).collect(),
    };
    // an empty input means all or none
    if axes.is_empty() {
        return keep.then(|| vec![None; rank]);
    }
    axes.iter().for_each(|&axis| shape[axis] = Some(1));
    if !keep {
        let mut axis = 0;
        shape.retain(|_| {
            axis += 1;
            !axes.contains(&(axis - 1))
        });
    }
    Some(shape)
}

/// `[steps, directions, batch, hidden]`, with the recurrence weights `[directions, gates · hidden, hidden]`.
fn recurrent(node: &Node, data: Shape, weights: Shape) -> Option<Shape> {
    let (&[steps, batch, _], &[directions, _, hidden]) = (&data[..], &weights[..]) else {
        return None;
    };
    Some(match int(node, "layout", 0) {
        0 => vec![steps, directions, batch, hidden],
        // then data is [batch, steps, ..]
        _ => vec![steps, batch, directions, hidden],
    })
}

fn matmul(mut left: Shape, mut right: Shape) -> Option<Shape> {
    let (of_vector, vector) = (left.len() == 1, right.len() == 1);
    if of_vector {
        left.insert(0, Some(1));
    }
    if vector {
        right.push(Some(1));
    }
    let (columns, _) = (right.pop()?, right.pop()?);
    let (_, rows) = (left.pop()?, left.pop()?);
    let mut shape = broadcast(left, right)?;
    shape.extend((!of_vector).then_some(rows));
    shape.extend((!vector).then_some(columns));
    Some(shape)
}

fn broadcast(mut one: Shape, mut two: Shape) -> Option<Shape> {
    if one.len() < two.len() {
        std::mem::swap(&mut one, &mut two);
    }
    let skip = one.len() - two.len();
    for (one, two) in one.iter_mut().skip(skip).zip(two) {
        *one = match (*one, two) {
            (Some(1), other) | (other, Some(1)) => other,
            (Some(size), _) | (_, Some(size)) => Some(size),
            _ => None,
        };
    }
    Some(one)
}

fn product(shape: &[Option<i64>]) -> Option<i64> {
    shape
        .iter()
        .try_fold(1i64, |product, dim| product.checked_mul((*dim)?))
}

fn concat(all: &[Shape], axis: i64) -> Option<Shape> {
    let mut shape = all.first()?.clone();
    let axis = axis_of(axis, shape.len())?;
    let mut sizes = all.iter().map(|shape| shape.get(axis).copied().flatten());
    shape[axis] = sizes.try_fold(0i64, |sum, size| sum.checked_add(size?));
    Some(shape)
}

fn flatten(shape: &[Option<i64>], axis: i64) -> Option<Shape> {
    let axis = match usize::try_from(axis) {
        Ok(axis) => axis,
        Err(_) => axis_of(axis, shape.len())?,
    };
    let (before, behind) = shape.split_at_checked(axis)?;
    Some(vec![product(before), product(behind)])
}

/// The shape that Reshape asks for; -1 stays open unless the whole is known, and 0 is as before.
fn reshape(from: Option<Shape>, to: &[i64]) -> Option<Shape> {
    let mut shape: Shape = (to.iter().enumerate())
        .map(|(axis, &dim)| match dim {
            0 => from
                .as_ref()
                .and_then(|from| from.get(axis).copied())
                .flatten(),
            -1 => None,
            size => Some(size),
        })
        .collect();
    if let Some(open) = to.iter().position(|&dim| dim == -1)
        && let Some(all) = from.as_deref().and_then(product)
    {
        let others = [&shape[..open], &shape[open + 1..]].concat();
        shape[open] = product(&others)
            .filter(|&p| p > 0)
            .map(|others| all / others);
    }
    Some(shape)
}

fn squeeze(mut shape: Shape, axes: &[i64]) -> Option<Shape> {
    let rank = shape.len();
    let axes: Option<Vec<usize>> = axes.iter().map(|&axis| axis_of(axis, rank)).collect();
    let axes = axes.filter(|axes| !axes.is_empty())?;
    let mut axis = 0;
    shape.retain(|_| {
        axis += 1;
        !axes.contains(&(axis - 1))
    });
    Some(shape)
}

fn unsqueeze(shape: Shape, axes: &[i64]) -> Option<Shape> {
    let rank = shape.len() + axes.len();
    let axes: Option<Vec<usize>> = axes.iter().map(|&axis| axis_of(axis, rank)).collect();
    let axes = axes?;
    let mut rest = shape.into_iter();
    let dims = (0..rank).map(|axis| match axes.contains(&axis) {
        true => Some(Some(1)),
        false => rest.next(),
    });
    dims.collect()
}
