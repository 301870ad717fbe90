//! Numbers of inputs, initializers and constants.

use crate::error::Result;
use crate::onnx::{GraphId, GraphKind, Producer, SparseInitializer, Tensor, ValueInfo, ValueType};
use crate::semantics::view::ValueRef;

use super::expression::{Expression, Tag, push_long};
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
        let mut words = Vec::new();
        self.tensor_words(&mut words, tensor)?;
        let constant = self.shared.expressions.number(Tag::Constant, &words);
        if tensor.dims.is_empty() {
            self.shared.scalars.insert(constant);
        }
        Ok(constant)
    }

    pub(super) fn tensor_words(&mut self, words: &mut Vec<u32>, tensor: &'m Tensor) -> Result<()> {
        words.extend([tensor.data_type.0 as u32, tensor.dims.len() as u32]);
        for &dim in &tensor.dims {
            push_long(words, dim as u64);
        }
        words.push(self.shared.contents.number(self.view.model, tensor)?);
        Ok(())
    }

    pub(super) fn sparse(&mut self, sparse: &'m SparseInitializer) -> Result<Expression> {
        let mut words = vec![sparse.dims.len() as u32];
        for &dim in &sparse.dims {
            push_long(&mut words, dim as u64);
        }
        self.tensor_words(&mut words, &sparse.values)?;
        self.tensor_words(&mut words, &sparse.indices)?;
        Ok(self.shared.expressions.number(Tag::Sparse, &words))
    }
}
