//! Shapes of values: from declarations and from the operators that produce them.

mod implied;
mod window;

use std::cell::RefCell;

use crate::hash::HashMap;
use crate::onnx::{
    AttributeValue, Dimension, GraphId, Model, Name, Node, NodeId, Producer, ValueId, ValueInfo,
    ValueType, Values, numbers,
};

pub(crate) use implied::sliced;

/// A shape of known rank: sizes, where they are known.
pub(crate) type Shape = Vec<Option<i64>>;

#[derive(Debug)]
pub(crate) struct Shapes<'m> {
    model: &'m Model,
    values: &'m Values,
    declared: HashMap<(GraphId, &'m Name), &'m ValueInfo>,
    known: RefCell<HashMap<ValueId, Option<Shape>>>,
}

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
        // inputs before the values computed from them, without recursion
        let mut stack = vec![(value, false)];
        while let Some((value, visited)) = stack.pop() {
            if visited {
                let shape = self.find(value);
                self.known.borrow_mut().insert(value, shape);
            } else if !self.known.borrow().contains_key(&value) {
                // unknown while it is computed: a cycle ends here
                self.known.borrow_mut().insert(value, None);
                stack.push((value, true));
                if let Producer::Node { node, .. } = self.values[value].producer {
                    let inputs = 0..self.model.node(node).inputs.len();
                    let inputs = inputs.filter_map(|input| self.values.input(node, input));
                    stack.extend(inputs.map(|input| (input, false)));
                }
            }
        }
        self.known.borrow().get(&value).cloned().flatten()
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

    /// The shape of a value, given those of the inputs of its producer.
    fn find(&self, value: ValueId) -> Option<Shape> {
        let told = self.told(value);
        // a declared rank may leave sizes open that the producer tells
        let open = told.as_ref().is_none_or(|shape| shape.contains(&None));
        let implied = match self.values[value].producer {
            Producer::Node { node, output } if open => implied::shape(self, node, output as usize),
            _ => None,
        };
        match (told, implied) {
            (Some(told), Some(implied)) if told.len() == implied.len() => {
                let both = told.into_iter().zip(implied);
                Some(both.map(|(told, implied)| told.or(implied)).collect())
            }
            (told, implied) => told.or(implied),
        }
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

    /// The shape of an input of a node.
    fn input(&self, id: NodeId, input: usize) -> Option<Shape> {
        let value = self.values.input(id, input)?;
        self.known.borrow().get(&value).cloned().flatten()
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
pub(crate) fn int(node: &Node, name: &str, default: i64) -> i64 {
    match node.attribute(name).map(|a| &a.value) {
        Some(AttributeValue::Int(i)) => *i,
        _ => default,
    }
}

/// Integers of an attribute; none, if there is no such attribute.
pub(crate) fn ints(node: &Node, name: &str) -> Vec<i64> {
    match node.attribute(name).map(|a| &a.value) {
        Some(AttributeValue::Ints(ints)) => ints.clone(),
        _ => Vec::new(),
    }
}

/// An axis counted from the first one, of one that may be counted from the last one.
pub(crate) fn axis_of(axis: i64, rank: usize) -> Option<usize> {
    let axis = if axis < 0 { axis + rank as i64 } else { axis };
    usize::try_from(axis).ok().filter(|&axis| axis < rank)
}

/// What a Transpose does to axes: the input's axis for each of the output's.
pub(crate) fn permutation(node: &Node, rank: usize) -> Option<Vec<usize>> {
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
