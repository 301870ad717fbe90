//! The shapes of tensors: by their types, their elements, or the operators that make them.

use crate::onnx::{AttributeValue, GraphKind, Node, NodeId, Producer, ValueId};
use crate::semantics::operator::{self, Operator};

use super::operators::{broadcast, is_placeholder, pooled};
use super::{Dim, NoiseShapes, Shape, at, int, sizes};

/// How many operators a number is calculated with, at most.
const ONES: usize = 8;

impl NoiseShapes<'_> {
    /// The shape of a tensor: by the operator that makes it, its elements' source, or its type.
    pub(super) fn tensor_shape(&self, value: ValueId, depth: usize) -> Shape {
        let (value, declared) = self.same(value);
        if let Some(shape) = self.known.borrow().get(&value) {
            return shape.clone();
        }
        let before = self.given_up.replace(depth == 0 || self.spent());
        let made = match self.given_up.get() {
            true => None,
            false => self.of_producer(value, depth - 1),
        };
        let shape = match (declared, made) {
            // a size or symbol that the operator tells is better than a name of the file's own
            (Some(dims), Some(Shape::Dims(made))) if dims.len() == made.len() => {
                let dims = dims
                    .into_iter()
                    .zip(made)
                    .map(|(dim, made)| match (dim, made) {
                        (Dim::Size(size), _) => Dim::Size(size),
                        (dim, Dim::Unknown) => dim,
                        (_, made) => made,
                    });
                Shape::Dims(dims.collect())
            }
            (Some(dims), _) => Shape::Dims(dims),
            (None, Some(made)) => named(made, value),
            (None, None) => Shape::Of(value),
        };
        if !self.given_up.get() {
            self.known.borrow_mut().insert(value, shape.clone());
        }
        self.given_up.set(self.given_up.get() || before);
        shape
    }

    /// The first of all values whose shape this one has, and what the file declares on the way there.
    fn same(&self, mut value: ValueId) -> (ValueId, Option<Vec<Dim>>) {
        let mut declared: Option<Vec<Dim>> = None;
        loop {
            declared = declared.or_else(|| self.declared(value));
            let next = match self.values[value].producer {
                Producer::Node { node, output: 0 } => self.unchanged(node),
                _ => None,
            };
            let Some(next) = next else {
                break;
            };
            value = next;
        }
        let dims = declared.map(|dims| {
            let own = |dim| match dim {
                Dim::Of(_, axis) => Dim::Of(value, axis),
                dim => dim,
            };
            dims.into_iter().map(own).collect()
        });
        (value, dims)
    }

    /// The input whose shape an output has, whatever that is.
    fn unchanged(&self, id: NodeId) -> Option<ValueId> {
        match Operator::of(self.model, id)?.shape {
            operator::Shape::Same => self.values.input(id, 0),
            operator::Shape::Broadcast if self.model.node(id).inputs.len() == 2 => self.scaled(id),
            _ => None,
        }
    }

    fn of_producer(&self, value: ValueId, depth: usize) -> Option<Shape> {
        if let Some(tensor) = self.constant(value) {
            return Some(sizes(tensor.dims.clone()));
        }
        if let Some(passed) = self.passed(value) {
            return Some(self.tensor_shape(passed, depth));
        }
        if self.is_one(value, ONES) {
            return Some(sizes(vec![1])); // or a scalar: as large
        }
        let Producer::Node { node: id, output } = self.values[value].producer else {
            return None;
        };
        let node = self.model.node(id);
        match self.model.callee(node) {
            Some(function) => self.called(id, function, output as usize, depth),
            None if node.is("Loop") => self.looped(id, node, output as usize, depth),
            None if node.in_default_domain() => self.made(id, node, value, depth),
            None => None,
        }
    }

    /// The shape of what a Loop makes: a state keeps its shape, what is collected has an axis more.
    fn looped(&self, id: NodeId, node: &Node, output: usize, depth: usize) -> Option<Shape> {
        let states = node.inputs.len().checked_sub(2)?;
        if output < states {
            let first = self.values.input(id, output + 2)?;
            return Some(self.tensor_shape(first, depth));
        }
        let &[body] = node.attribute("body")?.graphs() else {
            return None;
        };
        let name = &self.model.graph(body).outputs.get(output + 1)?.name;
        let inner = self.values.lookup(self.model, body, name)?;
        match self.tensor_shape(inner, depth) {
            Shape::Dims(dims) => {
                let dims = std::iter::once(Dim::Unknown).chain(dims);
                Some(Shape::Dims(dims.collect()))
            }
            Shape::Of(_) => None,
        }
    }

    /// The shape of what a function makes, of the shapes that it is given.
    fn called(&self, id: NodeId, function: usize, output: usize, depth: usize) -> Option<Shape> {
        let body = self.model.functions()[function].body;
        let name = &self.model.graph(body).outputs.get(output)?.name;
        let inner = self.values.lookup(self.model, body, name)?;
        let given = |value: ValueId| -> Option<Shape> {
            let known = &self.values[value];
            match known.producer {
                Producer::Input(index) if known.graph == body => {
                    let given = self.values.input(id, index as usize)?;
                    Some(self.tensor_shape(given, depth))
                }
                _ => None,
            }
        };
        match self.tensor_shape(inner, depth) {
            Shape::Of(value) => Some(given(value).unwrap_or(Shape::Of(value))),
            Shape::Dims(dims) => {
                let dims = dims.into_iter().map(|dim| match dim {
                    Dim::Of(value, axis) => match given(value) {
                        Some(Shape::Dims(dims)) => at(&dims, axis).unwrap_or(Dim::Unknown),
                        Some(Shape::Of(value)) => Dim::Of(value, axis),
                        None => Dim::Of(value, axis),
                    },
                    dim => dim,
                });
                Some(Shape::Dims(dims.collect()))
            }
        }
    }

    /// The shape of what a node makes.
    fn made(&self, id: NodeId, node: &Node, value: ValueId, depth: usize) -> Option<Shape> {
        let input = |i: usize| self.values.input(id, i);
        let of = |i: usize| Some(self.tensor_shape(input(i)?, depth));
        match node.op_type.as_str()? {
            "ConstantOfShape" => self.shape(input(0)?, depth),
            "RandomUniform"
            | "RandomNormal"
            | "StatelessRandomUniformV2"
            | "StatelessRandomNormalV2" => self.drawn_shape(id, depth),
            "Reshape" => match self.shape(input(1)?, depth)? {
                Shape::Dims(dims) if dims.iter().any(is_placeholder) => None,
                shape => Some(shape),
            },
            "Expand" => self.expanded(id, depth),
            "Tile" => self.tiled(of(0)?, self.shape(input(1)?, depth)?),
            "Unsqueeze" => self.unsqueezed(id, node, of(0)?, depth),
            "Squeeze" => self.squeezed(id, node, of(0)?, depth),
            "Split" => self.split(node, of(0)?),
            "Slice" => self.sliced_tensor(id, node, of(0)?, depth),
            "Gather" => self.gathered(node, of(0)?, of(1)?),
            "Transpose" => self.transposed(node, of(0)?),
            "Gemm" => self.product(node, input(1)?, of(0)?),
            "MatMul" => self.multiplied(input(1)?, of(0)?),
            _ if Operator::of(self.model, id)?.shape == operator::Shape::Broadcast => {
                let mut all: Option<Shape> = None;
                for i in 0..node.inputs.len() {
                    let next = of(i)?;
                    all = Some(match all {
                        None => next,
                        Some(all) => broadcast(all, next)?,
                    });
                }
                all
            }
            "Conv" => self.convolved(node, of(0), input(1)?),
            "ReduceMean" | "ReduceSum" | "ReduceMax" | "ReduceMin" => {
                self.reduced(id, node, of(0)?, depth)
            }
            "AveragePool" | "MaxPool" => pooled(of(0)?),
            "Flatten" if int(node, "axis").unwrap_or(1) == 1 => match of(0)? {
                Shape::Dims(dims) => {
                    Some(Shape::Dims(vec![dims.first()?.clone(), Dim::Of(value, 1)]))
                }
                Shape::Of(_) => None,
            },
            _ => None,
        }
    }

    /// The other input of an operator that one of its inputs does not enlarge: a constant of one
    /// element, and no axis of its own.
    fn scaled(&self, id: NodeId) -> Option<ValueId> {
        let (x, y) = (self.values.input(id, 0)?, self.values.input(id, 1)?);
        match (self.is_one(x, ONES), self.is_one(y, ONES)) {
            (false, true) => Some(x),
            (true, false) => Some(y),
            _ => None,
        }
    }

    /// True of a constant of one element, or a scalar, and what is calculated of such.
    fn is_one(&self, value: ValueId, depth: usize) -> bool {
        if let Some(tensor) = self.constant(value) {
            return tensor.elements() == Some(1) && tensor.dims.len() <= 1;
        }
        if let Some(dims) = self.declared(value) {
            return dims.is_empty() || dims == [Dim::Size(1)];
        }
        let Some(depth) = depth.checked_sub(1) else {
            return false;
        };
        match (
            self.values[value].producer,
            &self.model.graph(self.values[value].graph).kind,
        ) {
            (Producer::Node { node: id, .. }, _) => {
                let node = self.model.node(id);
                let op_type = node.op_type.as_str().unwrap_or_default();
                let attribute = || node.attributes.first().map(|a| &a.value);
                let mut inputs = 0..node.inputs.len();
                let one = |i| {
                    self.values
                        .input(id, i)
                        .is_some_and(|v| self.is_one(v, depth))
                };
                match op_type {
                    "Constant" => matches!(
                        attribute(),
                        Some(
                            AttributeValue::Float(_)
                                | AttributeValue::Int(_)
                                | AttributeValue::Reference(..)
                        )
                    ),
                    "CastLike" => one(0),
                    _ => {
                        let shape = Operator::of(self.model, id).map(|operator| operator.shape);
                        let elementwise = [operator::Shape::Same, operator::Shape::Broadcast];
                        shape.is_some_and(|shape| elementwise.contains(&shape)) && inputs.all(one)
                    }
                }
            }
            (Producer::Input(index), GraphKind::Function(function)) => {
                let calls = self.calls.of(*function);
                let given = |&call: &NodeId| self.values.input(call, index as usize);
                !calls.is_empty()
                    && (calls.iter()).all(|call| given(call).is_some_and(|v| self.is_one(v, depth)))
            }
            _ => false,
        }
    }

    /// The value that a state of a Loop or Scan has at first, or that a function is given.
    pub(super) fn passed(&self, value: ValueId) -> Option<ValueId> {
        let known = &self.values[value];
        let Producer::Input(index) = known.producer else {
            return None;
        };
        match self.model.graph(known.graph).kind {
            GraphKind::Function(function) => {
                let call = self.calls.only(function)?;
                self.values.input(call, index as usize)
            }
            GraphKind::Attribute { node, .. } => {
                let at = self.model.node(node);
                let scanned = match at.attribute("num_scan_inputs").map(|a| &a.value) {
                    Some(AttributeValue::Int(n)) => usize::try_from(*n).ok()?,
                    _ => 0,
                };
                let states = at.inputs.len().checked_sub(scanned)?;
                let state = match at.is("Loop") {
                    true => index >= 2,
                    false => at.is("Scan") && (index as usize) < states,
                };
                self.values.input(node, index as usize).filter(|_| state)
            }
            _ => None,
        }
    }
}

/// Dimensions that nothing is known of are those of the value.
fn named(shape: Shape, value: ValueId) -> Shape {
    match shape {
        Shape::Dims(dims) => {
            let dims = dims.into_iter().enumerate().map(|(axis, dim)| match dim {
                Dim::Unknown => Dim::Of(value, axis as i64),
                dim => dim,
            });
            Shape::Dims(dims.collect())
        }
        of @ Shape::Of(_) => of,
    }
}
