//! Shapes of values, as far as the file tells them or a few operators imply them.

use std::cell::RefCell;

use crate::hash::HashMap;
use crate::onnx::{
    AttributeValue, Dimension, GraphId, Model, Name, Node, NodeId, Producer, ValueId, ValueInfo,
    ValueType, Values, numbers,
};

/// A shape of known rank: sizes, where they are known.
pub(super) type Shape = Vec<Option<i64>>;

#[derive(Debug)]
pub(super) struct Shapes<'m> {
    model: &'m Model,
    values: &'m Values,
    declared: HashMap<(GraphId, &'m Name), &'m ValueInfo>,
    known: RefCell<HashMap<ValueId, Option<Shape>>>,
}

/// Operators that give the shape of their first input.
const SAME: &[&str] = &[
    "Abs",
    "BatchNormalization",
    "Cast",
    "Clip",
    "Dropout",
    "Elu",
    "Erf",
    "Exp",
    "Gelu",
    "HardSigmoid",
    "HardSwish",
    "Identity",
    "InstanceNormalization",
    "LRN",
    "LayerNormalization",
    "LeakyRelu",
    "LogSoftmax",
    "Neg",
    "PRelu",
    "Reciprocal",
    "Relu",
    "Selu",
    "Sigmoid",
    "Softmax",
    "Softplus",
    "Sqrt",
    "Tanh",
];

/// Operators that broadcast two inputs.
const BROADCAST: &[&str] = &["Add", "Div", "Mul", "Pow", "Sub"];

/// How many nodes are followed back.
const DEPTH: usize = 64;

impl<'m> Shapes<'m> {
    pub fn new(model: &'m Model, values: &'m Values) -> Self {
        let declared = model.graphs().flat_map(|(id, graph)| {
            let infos = graph.value_infos().iter().chain(&graph.inputs);
            infos
                .chain(&graph.outputs)
                .map(move |info| ((id, &info.name), info))
        });
        Shapes {
            model,
            values,
            declared: declared.collect(),
            known: RefCell::default(),
        }
    }

    /// The shape of a value; `None` if not even its rank is known.
    pub fn of(&self, value: ValueId) -> Option<Shape> {
        self.find(value, DEPTH)
    }

    /// How many axes a value has.
    pub fn rank(&self, value: ValueId) -> Option<usize> {
        self.of(value).map(|shape| shape.len())
    }

    /// The size of an axis, counted from the last one.
    pub fn size(&self, value: ValueId, axis: usize) -> Option<i64> {
        let shape = self.of(value)?;
        shape[shape.len().checked_sub(axis + 1)?]
    }

    fn find(&self, value: ValueId, depth: usize) -> Option<Shape> {
        if let Some(known) = self.known.borrow().get(&value) {
            return known.clone();
        }
        let told = self.told(value);
        // a declared rank may leave sizes open that the producer tells
        let open = told.as_ref().is_none_or(|shape| shape.contains(&None));
        let implied = match self.values[value].producer {
            Producer::Node { node, output: 0 } if open && depth > 0 => {
                self.implied(node, depth - 1)
            }
            _ => None,
        };
        let shape = match (told, implied) {
            (Some(told), Some(implied)) if told.len() == implied.len() => {
                let both = told.into_iter().zip(implied);
                Some(both.map(|(told, implied)| told.or(implied)).collect())
            }
            (told, implied) => told.or(implied),
        };
        self.known.borrow_mut().insert(value, shape.clone());
        shape
    }

    fn told(&self, value: ValueId) -> Option<Shape> {
        let known = &self.values[value];
        if let Producer::Initializer(index) = known.producer {
            let dims = &self.model.graph(known.graph).initializer(index).dims;
            return Some(dims.iter().map(|&dim| Some(dim)).collect());
        }
        let info = self.declared.get(&(known.graph, &known.name))?;
        let ValueType::Tensor { shape, .. } = info.value_type() else {
            return None;
        };
        let size = |dim| match dim {
            Dimension::Size(size) => Some(size),
            _ => None,
        };
        Some(shape?.into_iter().map(size).collect())
    }

    fn implied(&self, id: NodeId, depth: usize) -> Option<Shape> {
        let node = self.model.node(id);
        let of = |input: usize| self.find(self.values.input(id, input)?, depth);
        let is = |names: &[&str]| names.iter().any(|name| node.is(name));
        if is(SAME) {
            return of(0);
        }
        if is(BROADCAST) {
            return broadcast(of(0)?, of(1)?);
        }
        if node.is("Constant") {
            let mut tensors = node.attributes.iter().flat_map(|a| a.tensors());
            return tensors
                .next()
                .map(|t| t.dims.iter().map(|&dim| Some(dim)).collect());
        }
        if node.is("MatMul") {
            let (mut left, right) = (of(0)?, of(1)?);
            if left.len() < 2 || right.len() != 2 {
                return None;
            }
            left.pop();
            left.push(right[1]);
            return Some(left);
        }
        if node.is("Gemm") {
            let (a, b) = (of(0), of(1)?);
            let rows = usize::from(int(node, "transA", 0) != 0);
            let columns = usize::from(int(node, "transB", 0) == 0);
            let rows = a.and_then(|a| a.get(rows).copied()).flatten();
            return Some(vec![rows, *b.get(columns)?]);
        }
        if is(&["Conv", "ConvTranspose"]) {
            let weights = of(1)?;
            let channels = match node.is("Conv") {
                true => *weights.first()?,
                false => weights
                    .get(1)?
                    .and_then(|m| m.checked_mul(int(node, "group", 1))),
            };
            let mut shape = vec![None; weights.len()];
            *shape.get_mut(1)? = channels;
            return Some(shape);
        }
        if is(&[
            "AveragePool",
            "GlobalAveragePool",
            "GlobalMaxPool",
            "MaxPool",
        ]) {
            let mut shape = of(0)?;
            let global = !is(&["AveragePool", "MaxPool"]);
            shape
                .iter_mut()
                .skip(2)
                .for_each(|dim| *dim = global.then_some(1));
            return Some(shape);
        }
        if node.is("Transpose") {
            let shape = of(0)?;
            let permutation = permutation(node, shape.len())?;
            return permutation
                .into_iter()
                .map(|axis| shape.get(axis).copied())
                .collect();
        }
        if node.is("Concat") {
            let all: Option<Vec<Shape>> = (0..node.inputs.len()).map(of).collect();
            return concat(&all?, int(node, "axis", 1));
        }
        if node.is("Flatten") {
            return flatten(&of(0)?, int(node, "axis", 1));
        }
        if node.is("Reshape") {
            return reshape(of(0), &self.integers(id, 1, "shape")?);
        }
        None
    }

    /// Integers that an input or an attribute holds, if they are constant.
    pub fn integers(&self, id: NodeId, input: usize, attribute: &str) -> Option<Vec<i64>> {
        if let Some(AttributeValue::Ints(ints)) =
            self.model.node(id).attribute(attribute).map(|a| &a.value)
        {
            return Some(ints.clone());
        }
        let value = &self.values[self.values.input(id, input)?];
        let tensor = match value.producer {
            Producer::Initializer(index) => self.model.graph(value.graph).initializer(index),
            Producer::Node { node, .. } if self.model.node(node).is("Constant") => {
                let attributes = &self.model.node(node).attributes;
                attributes.iter().flat_map(|a| a.tensors()).next()?
            }
            _ => return None,
        };
        let bytes = self.model.small_elements(tensor, 1024).ok()??;
        let numbers = numbers(tensor.data_type, &bytes)?;
        Some(numbers.into_iter().map(|number| number as i64).collect())
    }
}

/// An integer attribute, or its default.
pub(super) fn int(node: &Node, name: &str, default: i64) -> i64 {
    match node.attribute(name).map(|a| &a.value) {
        Some(AttributeValue::Int(i)) => *i,
        _ => default,
    }
}

/// What a Transpose does to axes: the input's axis for each of the output's.
pub(super) fn permutation(node: &Node, rank: usize) -> Option<Vec<usize>> {
    let Some(attribute) = node.attribute("perm") else {
        return Some((0..rank).rev().collect());
    };
    let AttributeValue::Ints(perm) = &attribute.value else {
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
    let axis = if axis < 0 {
        axis + shape.len() as i64
    } else {
        axis
    };
    let axis = usize::try_from(axis).ok()?;
    let mut sizes = all.iter().map(|shape| shape.get(axis).copied().flatten());
    let sum = sizes.try_fold(0i64, |sum, size| sum.checked_add(size?));
    *shape.get_mut(axis)? = sum;
    Some(shape)
}

fn flatten(shape: &[Option<i64>], axis: i64) -> Option<Shape> {
    let axis = if axis < 0 {
        axis + shape.len() as i64
    } else {
        axis
    };
    let (before, behind) = shape.split_at_checked(usize::try_from(axis).ok()?)?;
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
