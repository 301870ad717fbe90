//! The shape a mask is drawn in, worked out from shape arithmetic without running it.

mod arithmetic;
mod fit;
mod operators;
mod tensor;

use std::cell::{Cell, RefCell};

use crate::hash::HashMap;
use crate::onnx::{
    AttributeValue, Dimension, Model, Node, NodeId, Producer, Tensor, ValueId, ValueInfo,
    ValueType, Values,
};
use crate::semantics::calls::Calls;

use super::{Form, Site};
pub(super) use fit::Fit;

/// How deep shape arithmetic is followed.
const DEPTH: usize = 64;

/// How many values are looked at for one shape.
const BUDGET: u32 = 10_000;

/// Shapes of more axes are no shapes.
const AXES: usize = 16;

/// One dimension.
#[derive(Clone, Debug, PartialEq)]
enum Dim {
    Size(i64),
    Symbol(String),
    /// That of a value along an axis, whatever it is; from the end if negative.
    Of(ValueId, i64),
    Unknown,
}

/// A value that shape arithmetic computes: a list of dimensions.
#[derive(Clone, Debug)]
enum Shape {
    /// All of them.
    Dims(Vec<Dim>),
    /// The shape of a value of unknown rank.
    Of(ValueId),
}

/// Finds the shapes of random masks.
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

/// The shapes of values, as far as they are known.
pub(crate) struct Shapes<'m>(NoiseShapes<'m>);

impl<'m> Shapes<'m> {
    pub fn new(model: &'m Model, values: &'m Values) -> Self {
        Shapes(NoiseShapes::new(model, values))
    }

    /// Sizes, symbols and `?`; `None` if the rank is unknown.
    pub fn of(&self, value: ValueId) -> Option<Vec<String>> {
        self.0.budget.set(BUDGET);
        match self.0.tensor_shape(value, DEPTH) {
            Shape::Dims(dims) => Some(dims.iter().map(Dim::to_string).collect()),
            Shape::Of(_) => None,
        }
    }
}

impl std::fmt::Display for Dim {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Dim::Size(size) => write!(f, "{size}"),
            Dim::Symbol(name) => f.write_str(name),
            Dim::Of(..) | Dim::Unknown => f.write_str("?"),
        }
    }
}

/// What shapes are worked out from.
pub(super) struct NoiseShapes<'m> {
    model: &'m Model,
    values: &'m Values,
    /// Values whose types the file declares.
    declared: HashMap<ValueId, &'m ValueInfo>,
    calls: Calls,
    /// Values that may still be looked at.
    budget: Cell<u32>,
    /// True once a question was given up: its answer is not to be remembered.
    given_up: Cell<bool>,
    known: RefCell<HashMap<ValueId, Shape>>,
}

impl<'m> NoiseShapes<'m> {
    pub fn new(model: &'m Model, values: &'m Values) -> Self {
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
            calls: Calls::new(model),
            budget: Cell::new(0),
            given_up: Cell::new(false),
            known: RefCell::default(),
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
            Shape::Of(_) => drawn.iter().skip(1).any(|dim| *dim == one),
        };
        shared.then(|| drawn.iter().map(Dim::to_string).collect())
    }

    /// The shape a source draws in, if all of its axes are known.
    fn drawn(&self, source: NodeId) -> Option<Vec<Dim>> {
        self.budget.set(BUDGET);
        let node = self.model.node(source);
        let like = ["RandomUniformLike", "RandomNormalLike", "Bernoulli"];
        let drawn = match like.iter().any(|op| node.is(op)) {
            true => self.tensor_shape(self.values.input(source, 0)?, DEPTH),
            false => self.drawn_shape(source, DEPTH)?,
        };
        match drawn {
            Shape::Dims(drawn) => Some(drawn),
            Shape::Of(_) => None,
        }
    }

    /// The shape that a source is given.
    fn drawn_shape(&self, source: NodeId, depth: usize) -> Option<Shape> {
        let node = self.model.node(source);
        match node.op_type.as_str()? {
            "RandomUniform" | "RandomNormal" => match self.values.input(source, 0) {
                Some(shape) => self.shape(shape, depth), // as tf2onnx writes below opset 9
                None => ints(node, "shape").map(sizes),
            },
            "StatelessRandomUniformV2" | "StatelessRandomNormalV2" => {
                self.shape(self.values.input(source, 0)?, depth)
            }
            _ => None,
        }
    }

    /// Uses one value of the budget; true if it is exhausted.
    fn spent(&self) -> bool {
        let left = self.budget.get();
        self.budget.set(left.saturating_sub(1));
        self.given_up.set(self.given_up.get() || left == 0);
        left == 0
    }

    /// The shape that a file declares for a value.
    fn declared(&self, value: ValueId) -> Option<Vec<Dim>> {
        let info = self.declared.get(&value)?;
        let ValueType::Tensor { shape, .. } = info.value_type() else {
            return None;
        };
        let dims = shape?.into_iter().enumerate().map(|(axis, dim)| match dim {
            Dimension::Size(size) => Dim::Size(size),
            Dimension::Symbol(name) => Dim::Symbol(name.to_string()),
            Dimension::Unknown => Dim::Of(value, axis as i64),
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
