//! Numbers of inputs, initializers and constants.

use crate::error::Result;
use crate::onnx::{GraphId, GraphKind, Producer, SparseInitializer, Tensor, ValueInfo, ValueType};
use crate::semantics::view::ValueRef;

use super::contents::SMALL;
use super::expression::{Expression, Tag, Words, push_long};
use super::numbering::Builder;

impl<'m> Builder<'_, 'm> {
    /// Numbers the inputs and initializers of a graph.
    pub(super) fn inputs_and_initializers(&mut self, id: GraphId) -> Result<()> {
        let graph = self.view.model.graph(id);
        let count = graph.inputs.len();
        let states = self.reachable.states(id);
        let kept = states.map_or_else(|| (0..count).collect(), |states| states.inputs(count));
        for (index, input) in kept.into_iter().enumerate() {
            let input = &graph.inputs[input];
            if let Some(value) = self.view.lookup(id, &input.name) {
                let number = match self.weights(value) {
                    Some(weights) => weights,
                    None => self.graph_input(id, index, input, value)?,
                };
                self.set(value.id, number);
            }
        }
        for (_, tensor) in graph.initializers() {
            let value = self.view.lookup(id, &tensor.name);
            if let Some(value) = value
                && matches!(value.producer, Producer::Initializer(_))
            {
                let number = match self.weights(value) {
                    Some(weights) => weights,
                    None => self.tensor(tensor)?,
                };
                self.set(value.id, number);
            }
        }
        for sparse in graph.sparse_initializers() {
            let value = self.view.lookup(id, &sparse.values.name);
            if let Some(value) = value
                && matches!(value.producer, Producer::SparseInitializer(_))
            {
                let number = self.sparse(sparse)?;
                self.set(value.id, number);
            }
        }
        Ok(())
    }

    /// The number of scaled weights.
    fn weights(&mut self, value: ValueRef<'_>) -> Option<Expression> {
        let number = self.exceptions.value(value.id)?;
        Some(self.shared.expressions.number(Tag::Weights, &[number]))
    }

    /// The number of an input at this place among those that are compared: of a model by its name
    /// and default, of other graphs by its place.
    fn graph_input(
        &mut self,
        id: GraphId,
        place: usize,
        input: &ValueInfo,
        value: ValueRef<'m>,
    ) -> Result<Expression> {
        let graph = self.view.model.graph(id);
        let default = match (value.initializer, self.view.values.sparse_default(value.id)) {
            (Some(index), _) => self.tensor(graph.initializer(index))?,
            (None, Some(index)) => self.sparse(&graph.sparse_initializers()[index as usize])?,
            (None, None) => Expression::ABSENT,
        };
        let expressions = &mut self.shared.expressions;
        if let GraphKind::Attribute { .. } | GraphKind::Function(_) = graph.kind {
            let depth = self.view.model.depth(id) as u32;
            return Ok(expressions.number(Tag::Formal, &[depth, place as u32]));
        }
        let name = expressions.string(input.name.as_bytes());
        let number = expressions.number(Tag::Input, &[name, default.0]);
        if let ValueType::Tensor { shape, .. } = input.value_type()
            && shape.is_some_and(|dims| dims.is_empty())
        {
            self.shared.scalars.insert(number);
        }
        Ok(number)
    }

    pub(super) fn tensor(&mut self, tensor: &'m Tensor) -> Result<Expression> {
        let mut words = Words::new();
        self.tensor_words(&mut words, tensor)?;
        let constant = self.shared.expressions.number(Tag::Constant, &words);
        if tensor.dims.is_empty() {
            self.shared.scalars.insert(constant);
        }
        Ok(constant)
    }

    pub(super) fn tensor_words(&mut self, words: &mut Words, tensor: &'m Tensor) -> Result<()> {
        words.extend([tensor.data_type.0 as u32, tensor.dims.len() as u32]);
        for &dim in &tensor.dims {
            push_long(words, dim as u64);
        }
        words.push(self.shared.contents.number(self.view.model, tensor)?);
        Ok(())
    }

    /// A sparse tensor: a few elements are the constant that they are.
    pub(super) fn sparse(&mut self, sparse: &'m SparseInitializer) -> Result<Expression> {
        if let Some(bytes) = self.dense(sparse)? {
            let element = sparse.values.data_type.0 as u32;
            let mut words = Words::from_slice(&[element, sparse.dims.len() as u32]);
            sparse
                .dims
                .iter()
                .for_each(|&dim| push_long(&mut words, dim as u64));
            words.push(self.shared.contents.of_bytes(bytes));
            return Ok(self.shared.expressions.number(Tag::Constant, &words));
        }
        let mut words = Words::from_slice(&[sparse.dims.len() as u32]);
        for &dim in &sparse.dims {
            push_long(&mut words, dim as u64);
        }
        self.tensor_words(&mut words, &sparse.values)?;
        self.tensor_words(&mut words, &sparse.indices)?;
        Ok(self.shared.expressions.number(Tag::Sparse, &words))
    }

    /// All elements of a sparse tensor; `None` if they are not few, or it is broken.
    fn dense(&self, sparse: &SparseInitializer) -> Result<Option<Vec<u8>>> {
        let model = self.view.model;
        let read = |tensor| model.small_elements(tensor, SMALL);
        let (Some(values), Some(indices)) = (read(&sparse.values)?, read(&sparse.indices)?) else {
            return Ok(None);
        };
        let indices = indices
            .as_chunks()
            .0
            .iter()
            .copied()
            .map(i64::from_le_bytes);
        let indices: Vec<i64> = indices.collect();
        let count = sparse.values.elements().unwrap_or(0) as usize;
        let width = values.len() / count.max(1);
        let mut sizes = sparse.dims.iter();
        let size = sizes.try_fold(width as u64, |all, &dim| {
            all.checked_mul(dim.try_into().ok()?)
        });
        let Some(size) = size.filter(|&size| width > 0 && size <= SMALL) else {
            return Ok(None);
        };
        let mut dense = vec![0; size as usize];
        let axes = indices.len() / count.max(1);
        for (place, value) in indices.chunks(axes.max(1)).zip(values.chunks(width)) {
            // either one index of all elements, or one of each axis
            let elements = [size as i64 / width as i64];
            let sizes = if place.len() == 1 {
                &elements[..]
            } else {
                &sparse.dims
            };
            let mut axes = place.iter().zip(sizes);
            let along = |at: i64, (index, size): (&i64, &i64)| {
                (0..*size).contains(index).then(|| at * size + index)
            };
            let Some(at) = axes
                .try_fold(0, along)
                .filter(|_| place.len() == sizes.len())
            else {
                return Ok(None);
            };
            dense[at as usize * width..][..width].copy_from_slice(value);
        }
        Ok(Some(dense))
    }
}
