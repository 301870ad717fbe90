//! Small lists of integers: what shapes are computed with.
//!
//! A scalar is a list of one: the operators between a shape and its use treat both alike.

use crate::onnx::{AttributeValue, DataType, Producer, Tensor, numbers};
use crate::semantics::operator::{Operator, Shape as Rule};
use crate::semantics::scalar;
use crate::semantics::view::{NodeRef, ValueRef};

use super::dim::{Dim, Shape};
use super::given::Given;
use super::value::Source;
use super::{Asking, LONGEST};

impl<'m> Asking<'m> {
    pub(super) fn list_value(&mut self, value: ValueRef<'m>) -> Option<Shape> {
        let graph = self.facts.view.model.graph(value.graph);
        match value.producer {
            Producer::Initializer(index) => self.elements(graph.initializer(index)),
            Producer::Input(_) => match self.source(value) {
                Source::Value(at) => self.list_of(at),
                _ => None,
            },
            Producer::Node { .. } => {
                let (node, output) = value.producer()?;
                if let Some(function) = node.callee() {
                    let result = self.called(node, function, output)?;
                    let list = self.list_of(result)?;
                    let inner = list
                        .clone()
                        .seen_from((self.cx, value.id), |(cx, _)| cx == result.0);
                    return (inner == list).then_some(list);
                }
                let list = self.made(node, node.operator()?)?;
                list.dims()
                    .is_none_or(|dims| dims.len() <= LONGEST)
                    .then_some(list)
            }
            Producer::SparseInitializer(_) | Producer::Gone => None,
        }
    }

    fn made(&mut self, node: NodeRef<'m>, operator: &Operator) -> Option<Shape> {
        if !self.given(node).is_known() {
            return None;
        }
        match (operator.shape, node.op()) {
            (Rule::Constant, _) => self.constant_list(node),
            (Rule::Dimensions, _) => Some(match self.shape(node, 0)? {
                Shape::Dims(dims) => Shape::of(between(self.given(node), &dims).iter().copied()),
                like if node.attribute("start").is_none() && node.attribute("end").is_none() => {
                    like
                }
                Shape::Like(_) => return None,
            }),
            (_, "Size") => {
                let elements = self.shape(node, 0)?.elements();
                (elements != Dim::Unknown).then(|| Shape::of([elements]))
            }
            (_, "Cast") => {
                let to = DataType(i32::try_from(self.given(node).int("to", 0)).ok()?);
                let wide = matches!(to, DataType::FLOAT | DataType::DOUBLE);
                let list = self.list(node, 0, "")?;
                (wide || scalar::is_integer(to)).then_some(list)
            }
            (_, "CastLike") => self.list(node, 0, ""),
            (Rule::Same, "Identity") => self.list(node, 0, ""),
            (Rule::Squeeze | Rule::Unsqueeze | Rule::Reshape | Rule::Flatten, _) => {
                self.list(node, 0, "")
            }
            (Rule::Filled, _) => self.filled(node),
            (Rule::Gather, _) => self.picked(node),
            (Rule::Slice, _) => self.sliced_list(node),
            (Rule::Permute, _) => self.transposed(node),
            (Rule::Split, _) => None,
            (Rule::Concat, _) => self.joined(node),
            (Rule::Expand, _) => self.expanded(node),
            (Rule::Range, _) => self.counted(node),
            (_, "ReduceProd") => {
                let list = self.list(node, 0, "")?;
                let product = list.elements();
                (product != Dim::Unknown && list.rank().is_some()).then(|| Shape::of([product]))
            }
            (_, "Neg") => {
                let dims = self.list(node, 0, "")?.to_vec()?;
                Some(Shape::of(
                    dims.into_iter().map(|dim| dim.times(Dim::Size(-1))),
                ))
            }
            (_, "Where") => self.chosen(node),
            (Rule::Broadcast, op) if node.get().inputs.len() == 2 => {
                let of = elementwise(op)?;
                let (one, two) = (self.list(node, 0, ""), self.list(node, 1, ""));
                pairwise(&one?, &two?, of)
            }
            _ => None,
        }
    }

    fn chosen(&mut self, node: NodeRef<'m>) -> Option<Shape> {
        let [condition, x, y] = [0, 1, 2].map(|input| self.list(node, input, ""));
        let (x, y) = (x?, y?);
        let condition = condition?.to_vec()?;
        let long = condition.len().max(x.rank()?).max(y.rank()?);
        let of = |dims: &[Dim], i: usize| dims.get(if dims.len() == 1 { 0 } else { i }).copied();
        let dims: Option<Vec<Dim>> = (0..long)
            .map(|i| {
                let (x, y) = (of(x.dims()?, i)?, of(y.dims()?, i)?);
                Some(match of(&condition, i)? {
                    Dim::Size(0) => y,
                    Dim::Size(_) => x,
                    _ => x.join(y),
                })
            })
            .collect();
        Some(Shape::of(dims?))
    }

    fn constant_list(&mut self, node: NodeRef<'m>) -> Option<Shape> {
        let value = &node.get().attributes.first()?.value;
        match self.given(node).resolved(value)? {
            AttributeValue::Int(int) => Some(Shape::sizes(&[*int])),
            AttributeValue::Ints(ints) if ints.len() <= LONGEST => Some(Shape::sizes(ints)),
            AttributeValue::Tensor(tensor) => self.elements(tensor),
            _ => None,
        }
    }

    /// The elements of a small tensor. Those that are no whole numbers are unknown.
    fn elements(&self, tensor: &Tensor) -> Option<Shape> {
        if tensor.elements()? > LONGEST as u64 || tensor.external.is_some() {
            return None;
        }
        let bytes = self
            .facts
            .view
            .model
            .small_elements(tensor, 8 * LONGEST as u64)
            .ok()??;
        let numbers = numbers(tensor.data_type, &bytes)?;
        // the largest and smallest of 64 bits are rounded, and back again
        Some(Shape::of(numbers.into_iter().map(|n| {
            match n.fract() == 0.0 {
                true => Dim::Size(n as i64),
                false => Dim::Unknown,
            }
        })))
    }

    fn filled(&mut self, node: NodeRef<'m>) -> Option<Shape> {
        let value = match self.given(node).value("value") {
            Some(AttributeValue::Tensor(tensor)) => self.elements(tensor)?.at(0)?,
            Some(_) => return None,
            None => Dim::Size(0),
        };
        let count = self.list(node, 0, "")?.elements().size()?;
        let count = usize::try_from(count)
            .ok()
            .filter(|&count| count <= LONGEST)?;
        Some(Shape::of(std::iter::repeat_n(value, count)))
    }

    fn picked(&mut self, node: NodeRef<'m>) -> Option<Shape> {
        let (list, indices) = (self.list(node, 0, ""), self.list(node, 1, ""));
        let (list, indices) = (list?, indices?.all_sizes()?);
        if list.rank().is_some() && self.shape(node, 0)?.rank().is_some_and(|rank| rank > 1) {
            return None;
        }
        let picked: Option<Vec<Dim>> = indices.into_iter().map(|index| list.at(index)).collect();
        Some(Shape::of(picked?))
    }

    fn sliced_list(&mut self, node: NodeRef<'m>) -> Option<Shape> {
        let mut number = |input, name| match self.integers(node, input, name).as_deref() {
            Some(&[number]) => Some(number),
            _ => None,
        };
        let (start, end) = (number(1, "starts"), number(2, "ends"));
        let step = match node.input(4) {
            Some(_) => number(4, ""),
            None => Some(1),
        };
        let (list, shape) = (self.list(node, 0, ""), self.shape(node, 0));
        let axes = self.integers(node, 3, "axes");
        let (list, start, end, step) = (list?, start?, end?, step?);
        match list {
            Shape::Dims(dims) => {
                let rows = match shape.and_then(|shape| rows(&shape)) {
                    Some([rows, _]) if axes.as_deref() == Some(&[0]) => rows,
                    Some(_) => return None,
                    None => dims.len(),
                };
                let width = dims.len() / rows.max(1);
                let rows = positions(rows, (start, end, step))?;
                let all = rows.flat_map(|row| dims[row * width..][..width].iter().copied());
                Some(Shape::of(all))
            }
            // of a shape of unknown rank, as many as lie between two ends of one sign
            Shape::Like(_) if step == 1 => {
                let count = match (start, end) {
                    (-1, 1..) => 1,
                    _ if (start < 0) == (end < 0) => end.checked_sub(start)?,
                    _ => return None,
                };
                let places = (0..=LONGEST as i64)
                    .contains(&count)
                    .then(|| start..start + count)?;
                let dims: Option<Vec<Dim>> = places.map(|axis| list.at(axis)).collect();
                Some(Shape::of(dims?))
            }
            Shape::Like(_) => None,
        }
    }

    fn transposed(&mut self, node: NodeRef<'m>) -> Option<Shape> {
        let (list, shape) = (self.list(node, 0, ""), self.shape(node, 0));
        let turned = self
            .given(node)
            .ints("perm")
            .is_none_or(|perm| *perm == [1, 0]);
        let (dims, [rows, columns]) = (list?.to_vec()?, rows(&shape?)?);
        let all = (0..columns).flat_map(|column| (0..rows).map(move |row| row * columns + column));
        let all = all.map(|place| dims.get(place).copied());
        Some(Shape::of(all.collect::<Option<Vec<Dim>>>()?)).filter(|_| turned)
    }

    fn joined(&mut self, node: NodeRef<'m>) -> Option<Shape> {
        let inputs = node.get().inputs.len();
        if inputs > LONGEST {
            return None;
        }
        let all: Vec<Option<Shape>> = (0..inputs)
            .map(|input| self.list(node, input, ""))
            .collect();
        let mut dims = Vec::new();
        for list in all {
            dims.extend(list?.to_vec()?);
        }
        Some(Shape::of(dims))
    }

    /// One number, several times.
    fn expanded(&mut self, node: NodeRef<'m>) -> Option<Shape> {
        let (list, to) = (self.list(node, 0, ""), self.list(node, 1, ""));
        let (list, count) = (list?.to_vec()?, to?.elements().size()?);
        let count = usize::try_from(count)
            .ok()
            .filter(|&count| count <= LONGEST)?;
        match list[..] {
            [dim] => Some(Shape::of(std::iter::repeat_n(dim, count))),
            _ if list.len() == count => Some(Shape::of(list)),
            _ => None,
        }
    }

    fn counted(&mut self, node: NodeRef<'m>) -> Option<Shape> {
        let mut number = |input| self.integers(node, input, "")?.first().copied();
        let (start, limit, step) = (number(0), number(1), number(2));
        let (start, limit, step) = (start?, limit?, step?);
        let more = |&at: &i64| if step > 0 { at < limit } else { at > limit };
        let next = |&at: &i64| at.checked_add(step).filter(more);
        let all = std::iter::successors(Some(start).filter(more), next);
        let all: Vec<Dim> = all.take(LONGEST + 1).map(Dim::Size).collect();
        (step != 0 && all.len() <= LONGEST).then(|| Shape::of(all))
    }
}

/// The sizes of a table of two axes.
fn rows(shape: &Shape) -> Option<[usize; 2]> {
    match shape.all_sizes()?[..] {
        [rows, columns] => Some([usize::try_from(rows).ok()?, usize::try_from(columns).ok()?]),
        _ => None,
    }
}

/// The places that a Slice takes.
fn positions(
    len: usize,
    (start, end, step): (i64, i64, i64),
) -> Option<impl Iterator<Item = usize>> {
    let len = i64::try_from(len).ok()?;
    let from = |i: i64| if i < 0 { i.saturating_add(len) } else { i };
    let (start, end) = match step {
        1.. => (from(start).clamp(0, len), from(end).clamp(0, len)),
        0 => return None,
        _ => (from(start).clamp(-1, len - 1), from(end).clamp(-1, len - 1)),
    };
    let within = move |at: &i64| if step > 0 { *at < end } else { *at > end };
    let next = move |at: &i64| at.checked_add(step).filter(within);
    Some(std::iter::successors(Some(start).filter(within), next).map(|at| at as usize))
}

/// The dimensions that a Shape takes.
pub(super) fn between<'d>(given: Given<'_>, dims: &'d [Dim]) -> &'d [Dim] {
    cut(dims, given.int("start", 0), given.int("end", i64::MAX))
}

fn cut(dims: &[Dim], start: i64, end: i64) -> &[Dim] {
    let len = dims.len() as i64;
    let place = |i: i64| (if i < 0 { i.saturating_add(len) } else { i }).clamp(0, len) as usize;
    dims.get(place(start)..place(end)).unwrap_or_default()
}

/// What an operator makes of two integers.
fn elementwise(op: &str) -> Option<fn(Dim, Dim) -> Dim> {
    Some(match op {
        "Add" => Dim::plus,
        "Sub" => Dim::minus,
        "Mul" => Dim::times,
        "Div" => Dim::over,
        "Equal" => |one, two| match (one, two) {
            (Dim::Size(one), Dim::Size(two)) => Dim::Size((one == two).into()),
            (one, two) if one == two && one != Dim::Unknown => Dim::Size(1),
            // no size is negative
            (Dim::Size(..=-1), other) | (other, Dim::Size(..=-1)) if other.is_not_negative() => {
                Dim::Size(0)
            }
            _ => Dim::Unknown,
        },
        "Min" => |one, two| of_sizes(one, two, i64::min),
        "Max" => |one, two| of_sizes(one, two, i64::max),
        "Less" => |one, two| of_sizes(one, two, |one, two| (one < two).into()),
        "Greater" => |one, two| of_sizes(one, two, |one, two| (one > two).into()),
        _ => return None,
    })
}

fn of_sizes(one: Dim, two: Dim, of: fn(i64, i64) -> i64) -> Dim {
    match (one, two) {
        (Dim::Size(one), Dim::Size(two)) => Dim::Size(of(one, two)),
        _ => Dim::Unknown,
    }
}

/// Two lists of one length, or one of them a number.
fn pairwise(one: &Shape, two: &Shape, of: fn(Dim, Dim) -> Dim) -> Option<Shape> {
    // a shape of unknown rank has as many dimensions as it meets
    let long = match (one.rank(), two.rank()) {
        (Some(1), Some(other)) | (Some(other), Some(1)) => other,
        (Some(one), Some(two)) if one == two => one,
        (Some(rank), None) | (None, Some(rank)) if rank > 1 => rank,
        _ => return None,
    };
    let place = |list: &Shape, i: usize| list.at(if list.rank() == Some(1) { 0 } else { i as i64 });
    let dims: Option<Vec<Dim>> = (0..long)
        .map(|i| Some(of(place(one, i)?, place(two, i)?)))
        .collect();
    Some(Shape::of(dims?))
}
