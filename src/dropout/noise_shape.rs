//! The shape a mask is drawn in, worked out from shape arithmetic without running it.

mod arithmetic;

use std::cell::Cell;

use crate::hash::HashMap;
use crate::onnx::{
    AttributeValue, Dimension, GraphKind, Model, Node, NodeId, Producer, Tensor, ValueId,
    ValueInfo, ValueType, Values,
};
use crate::semantics::operator::{self, Operator};

use super::{Form, Site};

/// How deep shape arithmetic is followed.
const DEPTH: usize = 24;

/// How many values are looked at for one shape.
const BUDGET: u32 = 1000;

/// Shapes of more axes are no shapes.
const AXES: usize = 16;

/// One dimension.
#[derive(Clone, Debug, PartialEq)]
enum Dim {
    Size(i64),
    Symbol(String),
    Unknown,
}

/// A value that shape arithmetic computes: a list of dimensions.
#[derive(Clone, Debug)]
enum Shape {
    /// All of them.
    Dims(Vec<Dim>),
    /// The shape of a value of unknown rank.
    Of,
}

/// Tells the shapes that random masks are drawn in.
pub(super) fn tell(model: &Model, values: &Values, sites: &mut [Site]) {
    let mut sites = sites.iter_mut().filter(|s| s.form == Form::RandomMask);
    let Some(first) = sites.next() else {
        return;
    };
    let shapes = NoiseShapes::new(model, values);
    for site in std::iter::once(first).chain(sites) {
        let mut nodes = site.nodes.iter().copied();
        let source = nodes.find(|&id| model.node(id).draws());
        site.noise_shape = source
            .zip(site.input)
            .and_then(|(source, data)| shapes.noise_shape(source, data));
    }
}

/// The shapes of values, as far as the file tells them.
pub(crate) struct Shapes<'m>(NoiseShapes<'m>);

impl<'m> Shapes<'m> {
    pub fn new(model: &'m Model, values: &'m Values) -> Self {
        Shapes(NoiseShapes::new(model, values))
    }

    /// Sizes, symbols and `?`; `None` where not even the rank is told.
    pub fn of(&self, value: ValueId) -> Option<Vec<String>> {
        self.0.budget.set(BUDGET);
        match self.0.tensor_shape(value, DEPTH) {
            Shape::Dims(dims) => Some(dims.iter().map(Dim::to_string).collect()),
            Shape::Of => None,
        }
    }
}

impl std::fmt::Display for Dim {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Dim::Size(size) => write!(f, "{size}"),
            Dim::Symbol(name) => f.write_str(name),
            Dim::Unknown => f.write_str("?"),
        }
    }
}

/// What shapes are worked out from.
pub(super) struct NoiseShapes<'m> {
    model: &'m Model,
    values: &'m Values,
    /// Values whose types the file declares.
    declared: HashMap<ValueId, &'m ValueInfo>,
    /// The only call of each function that has only one.
    calls: HashMap<usize, Option<NodeId>>,
    /// Values that may still be looked at.
    budget: Cell<u32>,
}

impl<'m> NoiseShapes<'m> {
    pub fn new(model: &'m Model, values: &'m Values) -> Self {
        let mut calls: HashMap<usize, Option<NodeId>> = HashMap::default();
        if !model.functions().is_empty() {
            for (id, node) in model.nodes() {
                if let Some(function) = model.callee(node) {
                    let only = calls.entry(function).or_insert(Some(id));
                    *only = only.filter(|&call| call == id);
                }
            }
        }
        let mut declared: HashMap<ValueId, &ValueInfo> = HashMap::default();
        for (id, graph) in model.graphs() {
            let infos = graph.inputs.iter().chain(&graph.outputs);
            for info in infos.chain(graph.value_infos()) {
                if let Some(value) = values.lookup(model, id, &info.name) {
                    declared.entry(value).or_insert(info);
                }
            }
        }
        NoiseShapes {
            model,
            values,
            declared,
            calls,
            budget: Cell::new(0),
        }
    }

    /// The shape a source draws in: sizes, symbols, `1` where the draw is shared along an axis of
    /// the data, `?` where the file does not tell. `None` if it is shared along none.
    fn noise_shape(&self, source: NodeId, data: ValueId) -> Option<Vec<String>> {
        let drawn = self.drawn(source)?;
        let one = Dim::Size(1);
        let ones = |dims: &[Dim]| dims.iter().filter(|&dim| *dim == one).count();
        let shared = match self.tensor_shape(data, DEPTH) {
            // data may lie in another order than the mask is drawn in
            Shape::Dims(data) if data.len() == drawn.len() => ones(&data) < ones(&drawn),
            Shape::Dims(data) => data.len() > drawn.len(),
            // a first axis of 1 may be a batch of one
            Shape::Of => drawn.iter().skip(1).any(|dim| *dim == one),
        };
        shared.then(|| drawn.iter().map(Dim::to_string).collect())
    }

    /// True if a source is known to draw more than the data has: along more axes, or more in all.
    pub fn is_larger(&self, source: NodeId, data: ValueId) -> bool {
        let Some(drawn) = self.drawn(source) else {
            return false;
        };
        let Shape::Dims(data) = self.tensor_shape(data, DEPTH) else {
            return false;
        };
        let size = |dims: &[Dim]| {
            dims.iter().try_fold(1i64, |product, dim| match dim {
                Dim::Size(size) => product.checked_mul(*size),
                _ => None,
            })
        };
        let more = drawn.len().saturating_sub(data.len());
        let long = drawn[..more].iter().any(|dim| *dim != Dim::Size(1));
        let larger = size(&drawn)
            .zip(size(&data))
            .is_some_and(|(drawn, data)| drawn > data);
        long || larger
    }

    /// The shape a source draws in, if all of its axes are known.
    fn drawn(&self, source: NodeId) -> Option<Vec<Dim>> {
        self.budget.set(BUDGET);
        let node = self.model.node(source);
        let op_type = node.op_type.as_str().unwrap_or_default();
        let drawn = match op_type {
            "RandomUniform" | "RandomNormal" => match self.values.input(source, 0) {
                Some(shape) => self.shape(shape, DEPTH)?, // as tf2onnx writes below opset 9
                None => sizes(ints(node, "shape")?),
            },
            "StatelessRandomUniformV2" | "StatelessRandomNormalV2" => {
                self.shape(self.values.input(source, 0)?, DEPTH)?
            }
            "RandomUniformLike" | "RandomNormalLike" | "Bernoulli" => {
                self.tensor_shape(self.values.input(source, 0)?, DEPTH)
            }
            _ => return None,
        };
        match drawn {
            Shape::Dims(drawn) => Some(drawn),
            Shape::Of => None,
        }
    }

    /// The shape of a tensor: by its type, its elements' source, or the operator that makes it.
    fn tensor_shape(&self, value: ValueId, depth: usize) -> Shape {
        if let Some(dims) = self.declared(value) {
            return Shape::Dims(dims);
        }
        if depth == 0 || self.spent() {
            return Shape::Of;
        }
        if let Some(tensor) = self.constant(value) {
            return sizes(tensor.dims.clone());
        }
        if let Some(passed) = self.passed(value) {
            return self.tensor_shape(passed, depth - 1);
        }
        // the table has the shape of the first output
        let Producer::Node {
            node: id,
            output: 0,
        } = self.values[value].producer
        else {
            return Shape::Of;
        };
        let node = self.model.node(id);
        let input = |i: usize| self.values.input(id, i);
        let Some(operator) = Operator::of(self.model, id) else {
            return Shape::Of;
        };
        let known = match operator.shape {
            operator::Shape::Filled => input(0).and_then(|shape| self.shape(shape, depth - 1)),
            operator::Shape::Expand => self.expanded(id, depth - 1),
            operator::Shape::Permute => self.transposed(id, node, depth - 1),
            operator::Shape::Gemm => input(1).and_then(|weight| self.product(node, weight)),
            operator::Shape::Same => input(0).map(|x| self.tensor_shape(x, depth - 1)),
            operator::Shape::Broadcast => self.scaled(id, depth - 1),
            operator::Shape::Conv => {
                input(1).and_then(|weight| self.convolved(input(0), weight, depth - 1))
            }
            operator::Shape::Pool => input(0).and_then(|x| self.pooled(x, depth - 1)),
            _ => None,
        };
        known.unwrap_or(Shape::Of)
    }

    /// Takes one value off the budget; true if there is none left.
    fn spent(&self) -> bool {
        let left = self.budget.get();
        self.budget.set(left.saturating_sub(1));
        left == 0
    }

    /// The shape that a file declares for a value.
    fn declared(&self, value: ValueId) -> Option<Vec<Dim>> {
        let info = self.declared.get(&value)?;
        let ValueType::Tensor { shape, .. } = info.value_type() else {
            return None;
        };
        let dims = shape?.into_iter().map(|dim| match dim {
            Dimension::Size(size) => Dim::Size(size),
            Dimension::Symbol(name) => Dim::Symbol(name.to_string()),
            Dimension::Unknown => Dim::Unknown,
        });
        Some(dims.collect())
    }

    /// The tensor that a constant is.
    fn constant(&self, value: ValueId) -> Option<&'m Tensor> {
        let known = &self.values[value];
        match known.producer {
            Producer::Initializer(index) => Some(self.model.graph(known.graph).initializer(index)),
            Producer::Node { node, .. } if self.model.node(node).is("Constant") => {
                let attributes = self.model.node(node).attributes.first()?;
                match &attributes.value {
                    AttributeValue::Tensor(tensor) => Some(tensor),
                    _ => None,
                }
            }
            _ => None,
        }
    }

    /// What the only call of a function passes as this input.
    fn passed(&self, value: ValueId) -> Option<ValueId> {
        let known = &self.values[value];
        let (Producer::Input(index), &GraphKind::Function(function)) =
            (known.producer, &self.model.graph(known.graph).kind)
        else {
            return None;
        };
        let call = (*self.calls.get(&function)?)?;
        self.values.input(call, index as usize)
    }

    /// The shape of x, if the other input is a single number.
    fn scaled(&self, id: NodeId, depth: usize) -> Option<Shape> {
        let (x, y) = (self.values.input(id, 0)?, self.values.input(id, 1)?);
        let is_one = |value| {
            let tensor = self.constant(value);
            tensor.is_some_and(|tensor| tensor.elements() == Some(1))
        };
        let data = match (is_one(x), is_one(y)) {
            (false, true) => x,
            (true, false) => y,
            _ => return None,
        };
        Some(self.tensor_shape(data, depth))
    }

    fn transposed(&self, id: NodeId, node: &Node, depth: usize) -> Option<Shape> {
        let Shape::Dims(dims) = self.tensor_shape(self.values.input(id, 0)?, depth) else {
            return Some(Shape::Of);
        };
        let Some(perm) = ints(node, "perm") else {
            return Some(Shape::Dims(dims.into_iter().rev().collect()));
        };
        let axes = perm.iter().map(|&axis| at(&dims, axis));
        axes.collect::<Option<_>>().map(Shape::Dims)
    }

    /// As many axes as the weights have, and as many channels as they make.
    fn convolved(&self, data: Option<ValueId>, weight: ValueId, depth: usize) -> Option<Shape> {
        let weights = &self.constant(weight)?.dims;
        let batch = data.map(|data| self.tensor_shape(data, depth));
        let batch = match batch {
            Some(Shape::Dims(dims)) => at(&dims, 0).unwrap_or(Dim::Unknown),
            _ => Dim::Unknown,
        };
        let mut dims = vec![Dim::Unknown; weights.len().min(AXES)];
        *dims.first_mut()? = batch;
        *dims.get_mut(1)? = Dim::Size(*weights.first()?);
        Some(Shape::Dims(dims))
    }

    /// The same batch and channels, in another size.
    fn pooled(&self, data: ValueId, depth: usize) -> Option<Shape> {
        let Shape::Dims(mut dims) = self.tensor_shape(data, depth) else {
            return None;
        };
        dims.iter_mut().skip(2).for_each(|dim| *dim = Dim::Unknown);
        Some(Shape::Dims(dims))
    }

    /// Only the last dimension of a product is told by the weights.
    fn product(&self, node: &Node, weight: ValueId) -> Option<Shape> {
        let dims = &self.constant(weight)?.dims;
        let transposed = int(node, "transB").unwrap_or(0) != 0;
        let last = *dims.get(usize::from(!transposed))?;
        Some(Shape::Dims(vec![Dim::Unknown, Dim::Size(last)]))
    }

    fn expanded(&self, id: NodeId, depth: usize) -> Option<Shape> {
        let to = self.shape(self.values.input(id, 1)?, depth)?;
        let from = self.tensor_shape(self.values.input(id, 0)?, depth);
        let (Shape::Dims(to), Shape::Dims(from)) = (to, from) else {
            return Some(Shape::Of);
        };
        let axes = to.len().max(from.len());
        let one = Dim::Size(1);
        let dims = (1..=axes).rev().map(|back| {
            let of = |dims: &[Dim]| at(dims, -(back as i64)).unwrap_or(one.clone());
            match (of(&from), of(&to)) {
                (from, to) if to == one => from,
                (_, to) => to,
            }
        });
        Some(Shape::Dims(dims.collect()))
    }
}

fn sizes(list: Vec<i64>) -> Shape {
    Shape::Dims(list.into_iter().map(Dim::Size).collect())
}

/// The dimension of an axis, counted from the end if negative.
fn at(dims: &[Dim], axis: i64) -> Option<Dim> {
    let axis = if axis < 0 {
        axis.checked_add(dims.len() as i64)?
    } else {
        axis
    };
    dims.get(usize::try_from(axis).ok()?).cloned()
}

fn int(node: &Node, name: &str) -> Option<i64> {
    match node.attribute(name)?.value {
        AttributeValue::Int(i) => Some(i),
        _ => None,
    }
}

fn ints(node: &Node, name: &str) -> Option<Vec<i64>> {
    match &node.attribute(name)?.value {
        AttributeValue::Ints(list) => Some(list.clone()),
        _ => None,
    }
}
