//! The shape that an operator gives its outputs, by its rule in the table of operators.

mod parts;
mod reshape;
mod resize;

use crate::hash::HashMap;
use crate::onnx::AttributeValue;
use crate::semantics::operator::{Role, Shape as Rule};
use crate::semantics::view::NodeRef;

use super::dim::{Dim, Shape, axis_of};
use super::given::Given;
use super::{Asking, window};
use reshape::flatten;

impl<'m> Asking<'m> {
    /// The shape of an output of an operator; `None` if it has no rule, or not even the rank is known.
    pub(super) fn operator_shape(&mut self, node: NodeRef<'m>, output: usize) -> Option<Shape> {
        let Some(operator) = node.operator() else {
            // the stateless draws of TensorFlow
            let drawn = node.draws() && node.op().starts_with("Stateless");
            return drawn.then(|| self.list(node, 0, ""))?;
        };
        let rule = operator.shape;
        match (output, rule, operator.role) {
            (0, ..) | (_, Rule::Split | Rule::Recurrent, _) => {}
            (1, Rule::Pool | Rule::TopK, _) | (1, Rule::Same, Role::Dropout) => {}
            _ => return None,
        }
        if !self.given(node).is_known() && rule != Rule::Constant {
            return None;
        }
        self.by_rule(node, output, rule)
    }

    fn by_rule(&mut self, node: NodeRef<'m>, output: usize, rule: Rule) -> Option<Shape> {
        match rule {
            Rule::Same => self.shape(node, 0),
            Rule::OfSecond => self.shape(node, 1),
            Rule::SameRank => Some(Shape::of_rank(self.dims(node, 0)?.len())),
            Rule::Scalar => Some(Shape::scalar()),
            Rule::Drawn => self.drawn(node),
            Rule::Sampled => self.sampled(node),
            Rule::Filled => self.list(node, 0, ""),
            Rule::Constant => constant(self.given(node)),
            Rule::Broadcast => self.all_broadcast(node),
            Rule::MatMul => matmul(self.dims(node, 0), self.dims(node, 1)),
            Rule::Gemm => self.gemm(node),
            Rule::Conv => {
                window::convolved(self.given(node), self.dims(node, 0), &self.dims(node, 1)?)
            }
            Rule::ConvTranspose => {
                window::transposed(self.given(node), self.dims(node, 0), &self.dims(node, 1)?)
            }
            Rule::Pool => window::pooled(self.given(node), self.dims(node, 0)?),
            Rule::GlobalPool => self.global_pool(node),
            Rule::Permute => self.permuted(node),
            Rule::Concat => self.concat(node),
            Rule::Einsum => self.einsum(node),
            Rule::Flatten => flatten(&self.dims(node, 0)?, self.given(node).int("axis", 1)),
            Rule::Reshape => self.reshape(node),
            Rule::Squeeze => self.squeeze(node),
            Rule::Unsqueeze => self.unsqueeze(node),
            Rule::Expand => self.expand(node),
            Rule::Resize => self.resize(node),
            Rule::Blocks => self.blocks(node),
            Rule::Tile => self.tile(node),
            Rule::Pad => self.pad(node),
            Rule::Gather => self.gathered(node),
            Rule::Slice => self.slice(node),
            Rule::Split => self.split(node, output),
            Rule::Reduce => self.reduce(node),
            Rule::ReduceAxis => self.reduce_axis(node),
            Rule::Recurrent => recurrent(
                self.given(node),
                output,
                &self.dims(node, 0)?,
                &self.dims(node, 2)?,
            ),
            Rule::TopK => self.top_k(node),
            Rule::Dimensions => self.shape_of_shape(node),
            Rule::Range => Some(Shape::of([self.range(node)])),
            Rule::OneHot => self.one_hot(node),
            Rule::GatherNd => self.gathered_nd(node),
            Rule::Rank(rank) => Some(Shape::of_rank(rank.into())),
            Rule::Other => None,
        }
    }

    fn sampled(&mut self, node: NodeRef<'m>) -> Option<Shape> {
        let rows = self.shape(node, 0)?.at(0).unwrap_or(Dim::Unknown);
        let columns = self.given(node).int("sample_size", 1);
        Some(Shape::of([rows, Dim::Size(columns)]))
    }

    fn global_pool(&mut self, node: NodeRef<'m>) -> Option<Shape> {
        let dims = self.dims(node, 0)?.into_iter().enumerate();
        let dims = dims.map(|(axis, dim)| if axis < 2 { dim } else { Dim::Size(1) });
        Some(Shape::of(dims))
    }

    fn permuted(&mut self, node: NodeRef<'m>) -> Option<Shape> {
        let dims = self.dims(node, 0)?;
        let axes = permutation(self.given(node).value("perm"), dims.len())?;
        Some(Shape::of(axes.into_iter().map(|axis| dims[axis])))
    }

    fn gathered(&mut self, node: NodeRef<'m>) -> Option<Shape> {
        let (mut dims, indices) = (self.dims(node, 0)?, self.dims(node, 1)?);
        let axis = axis_of(self.given(node).int("axis", 0), dims.len())?;
        dims.splice(axis..=axis, indices);
        Some(Shape::of(dims))
    }

    fn gathered_nd(&mut self, node: NodeRef<'m>) -> Option<Shape> {
        let (data, indices) = (self.dims(node, 0)?, self.dims(node, 1)?);
        let (&depth, outer) = indices.split_last()?;
        let batch = usize::try_from(self.given(node).int("batch_dims", 0)).ok()?;
        let depth = usize::try_from(depth.size()?).ok()?;
        let rest = data.get(batch.checked_add(depth)?..)?;
        Some(Shape::of(outer.iter().chain(rest).copied()))
    }

    fn reduce_axis(&mut self, node: NodeRef<'m>) -> Option<Shape> {
        let mut dims = self.dims(node, 0)?;
        let axis = axis_of(self.given(node).int("axis", 0), dims.len())?;
        match self.given(node).int("keepdims", 1) {
            0 => drop(dims.remove(axis)),
            _ => dims[axis] = Dim::Size(1),
        }
        Some(Shape::of(dims))
    }

    fn one_hot(&mut self, node: NodeRef<'m>) -> Option<Shape> {
        let mut dims = self.dims(node, 0)?;
        let axis = axis_of(self.given(node).int("axis", -1), dims.len() + 1)?;
        let depth = self.integers(node, 1, "");
        let depth = depth.and_then(|depth| depth.first().copied());
        dims.insert(axis, depth.map_or(Dim::Unknown, Dim::Size));
        Some(Shape::of(dims))
    }

    fn drawn(&mut self, node: NodeRef<'m>) -> Option<Shape> {
        // tf2onnx gives the shape as an input below opset 9
        self.list(node, 0, "shape")
    }

    fn all_broadcast(&mut self, node: NodeRef<'m>) -> Option<Shape> {
        let all: Vec<Option<Shape>> = (0..node.get().inputs.len())
            .map(|input| self.shape(node, input))
            .collect();
        let mut all = all.into_iter();
        let first = all.next()??;
        all.try_fold(first, |one, two| one.broadcast(&two?))
    }

    fn gemm(&mut self, node: NodeRef<'m>) -> Option<Shape> {
        let (a, b) = (self.shape(node, 0), self.dims(node, 1)?);
        let rows = i64::from(self.given(node).int("transA", 0) != 0);
        let columns = usize::from(self.given(node).int("transB", 0) == 0);
        let rows = a.and_then(|a| a.at(rows)).unwrap_or(Dim::Unknown);
        Some(Shape::of([rows, *b.get(columns)?]))
    }

    /// The dimensions of the indices after the arrow.
    fn einsum(&mut self, node: NodeRef<'m>) -> Option<Shape> {
        let AttributeValue::String(equation) = self.given(node).value("equation")? else {
            return None;
        };
        let equation: String = std::str::from_utf8(equation)
            .ok()?
            .split_whitespace()
            .collect();
        let (inputs, output) = equation.split_once("->")?;
        let mut sizes: HashMap<char, Dim> = HashMap::default();
        for (input, indices) in inputs.split(',').enumerate() {
            let dims = self.dims(node, input).unwrap_or_default();
            if indices.chars().count() == dims.len() {
                for (index, dim) in indices.chars().zip(dims) {
                    let known = sizes.entry(index).or_insert(dim);
                    *known = if known.size().is_some() { *known } else { dim };
                }
            }
        }
        let of = |index: char| sizes.get(&index).copied().unwrap_or(Dim::Unknown);
        let named = output.chars().all(|index| index.is_ascii_alphabetic());
        named.then(|| Shape::of(output.chars().map(of)))
    }

    fn reduce(&mut self, node: NodeRef<'m>) -> Option<Shape> {
        let dims = self.dims(node, 0)?;
        let keep = self.given(node).int("keepdims", 1) != 0;
        let axes = match self.has(node, 1, "axes") {
            true => match self.integers(node, 1, "axes") {
                Some(named) => axes(&named, dims.len())?,
                None => return keep.then(|| Shape::of_rank(dims.len())),
            },
            false => Vec::new(),
        };
        // no axes: all of them, or none
        let axes = match axes.is_empty() {
            true if self.given(node).int("noop_with_empty_axes", 0) != 0 => {
                return Some(Shape::of(dims));
            }
            true => (0..dims.len()).collect(),
            false => axes,
        };
        Some(match keep {
            false => Shape::of(kept(&dims, &axes)),
            true => Shape::of(dims.iter().enumerate().map(|(axis, &dim)| {
                if axes.contains(&axis) {
                    Dim::Size(1)
                } else {
                    dim
                }
            })),
        })
    }

    fn top_k(&mut self, node: NodeRef<'m>) -> Option<Shape> {
        let mut dims = self.dims(node, 0)?;
        let axis = axis_of(self.given(node).int("axis", -1), dims.len())?;
        dims[axis] = match self.given(node).value("k") {
            Some(_) => Dim::Size(self.given(node).int("k", 0)),
            None => {
                let count = self.list(node, 1, "");
                count.and_then(|count| count.at(0)).unwrap_or(Dim::Unknown)
            }
        };
        Some(Shape::of(dims))
    }

    fn shape_of_shape(&mut self, node: NodeRef<'m>) -> Option<Shape> {
        let list = self.shape(node, 0)?.to_vec();
        let count = list.map(|dims| super::integers::between(self.given(node), &dims).len() as i64);
        Some(Shape::of([count.map_or(Dim::Unknown, Dim::Size)]))
    }

    /// The number of elements of a Range.
    fn range(&mut self, node: NodeRef<'m>) -> Dim {
        let mut number = |input| {
            let number = self.list(node, input, "");
            number
                .and_then(|number| number.at(0))
                .unwrap_or(Dim::Unknown)
        };
        let (start, limit, step) = (number(0), number(1), number(2));
        match (limit.minus(start), step) {
            (Dim::Size(room), Dim::Size(step)) if step != 0 => {
                let whole = room.checked_div(step).unwrap_or(0);
                let more = i64::from(room.checked_rem(step).is_some_and(|rest| rest != 0));
                let up = (room > 0) == (step > 0);
                Dim::Size(if up && room != 0 { whole + more } else { 0 })
            }
            (room, Dim::Size(1)) if room.is_not_negative() => room,
            _ => Dim::Unknown,
        }
    }
}

/// Axes counted from the first one.
pub(super) fn axes(named: &[i64], rank: usize) -> Option<Vec<usize>> {
    named.iter().map(|&axis| axis_of(axis, rank)).collect()
}

/// The dimensions of all other axes.
fn kept<'d>(dims: &'d [Dim], axes: &'d [usize]) -> impl Iterator<Item = Dim> + 'd {
    let all = dims.iter().enumerate();
    all.filter(|(axis, _)| !axes.contains(axis))
        .map(|(_, &dim)| dim)
}

fn constant(given: Given<'_>) -> Option<Shape> {
    let long = |len: usize| Some(Shape::sizes(&[len as i64]));
    let value = &given.node.get().attributes.first()?.value;
    match given.resolved(value).unwrap_or(value) {
        AttributeValue::Float(_) | AttributeValue::Int(_) | AttributeValue::String(_) => {
            Some(Shape::scalar())
        }
        AttributeValue::Floats(all) => long(all.len()),
        AttributeValue::Ints(all) => long(all.len()),
        AttributeValue::Strings(all) => long(all.len()),
        AttributeValue::Tensor(tensor) => Some(Shape::sizes(&tensor.dims)),
        AttributeValue::Sparse(sparse) => Some(Shape::sizes(&sparse.dims)),
        // value_float and value_int of a function's attribute
        AttributeValue::Reference(_, 1 | 2) => Some(Shape::scalar()),
        _ => None,
    }
}

fn matmul(left: Option<Vec<Dim>>, right: Option<Vec<Dim>>) -> Option<Shape> {
    let (mut left, mut right) = (left?, right?);
    let (of_vector, vector) = (left.len() == 1, right.len() == 1);
    if of_vector {
        left.insert(0, Dim::Size(1));
    }
    if vector {
        right.push(Dim::Size(1));
    }
    let (columns, _) = (right.pop()?, right.pop()?);
    let (_, rows) = (left.pop()?, left.pop()?);
    let mut dims = Shape::of(left).broadcast(&Shape::of(right))?.to_vec()?;
    dims.extend((!of_vector).then_some(rows));
    dims.extend((!vector).then_some(columns));
    Some(Shape::of(dims))
}

/// `[steps, directions, batch, hidden]` and the last states, with the recurrence weights
/// `[directions, gates · hidden, hidden]`.
fn recurrent(given: Given<'_>, output: usize, data: &[Dim], weights: &[Dim]) -> Option<Shape> {
    let (&[steps, batch, _], &[directions, _, hidden]) = (data, weights) else {
        return None;
    };
    let by_batch = given.int("layout", 0) != 0;
    Some(match (output, by_batch) {
        (0, false) => Shape::of([steps, directions, batch, hidden]),
        // then data is [batch, steps, ..]
        (0, true) => Shape::of([steps, batch, directions, hidden]),
        (_, false) => Shape::of([directions, batch, hidden]),
        (_, true) => Shape::of([steps, directions, hidden]),
    })
}

/// What a Transpose does to axes: the input's axis for each of the output's.
pub(crate) fn permutation(perm: Option<&AttributeValue>, rank: usize) -> Option<Vec<usize>> {
    let Some(perm) = perm else {
        return Some((0..rank).rev().collect());
    };
    let AttributeValue::Ints(perm) = perm else {
        return None;
    };
    let axes: Vec<usize> = perm
        .iter()
        .filter_map(|&axis| usize::try_from(axis).ok())
        .collect();
    let mut sorted = axes.clone();
    sorted.sort_unstable();
    (axes.len() == perm.len() && sorted.into_iter().eq(0..rank)).then_some(axes)
}
