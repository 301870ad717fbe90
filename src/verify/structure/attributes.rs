//! Attributes as words of an expression's key.

use crate::error::Result;
use crate::onnx::{Attribute, AttributeValue};

use super::Shared;
use super::numbering::{Numbering, push_long};

impl<'m> Numbering<'m> {
    /// Appends attributes, by name. True if a graph among them draws at random.
    pub(super) fn attributes(
        &mut self,
        words: &mut Vec<u32>,
        attributes: &'m [Attribute],
        shared: &mut Shared<'m>,
    ) -> Result<bool> {
        self.sorted_attributes(words, attributes.iter().collect(), shared)
    }

    pub(super) fn sorted_attributes(
        &mut self,
        words: &mut Vec<u32>,
        mut sorted: Vec<&'m Attribute>,
        shared: &mut Shared<'m>,
    ) -> Result<bool> {
        sorted.sort_by(|a, b| a.name.cmp(&b.name));
        let mut impure = false;
        words.push(sorted.len() as u32);
        for attribute in sorted {
            words.push(shared.expressions.string(attribute.name.as_bytes()));
            impure |= self.attribute(words, attribute, shared)?;
        }
        Ok(impure)
    }

    fn attribute(
        &mut self,
        words: &mut Vec<u32>,
        attribute: &'m Attribute,
        shared: &mut Shared<'m>,
    ) -> Result<bool> {
        let expressions = &mut shared.expressions;
        let mut strings = |kind: u32, strings: &[Vec<u8>]| {
            words.extend([kind, strings.len() as u32]);
            words.extend(strings.iter().map(|s| expressions.string(s)));
        };
        match &attribute.value {
            AttributeValue::String(s) => strings(3, std::slice::from_ref(s)),
            AttributeValue::Strings(s) => strings(8, s),
            AttributeValue::NewTensor(bytes) => strings(100, std::slice::from_ref(bytes)),
            AttributeValue::Float(f) => words.extend([1, f.to_bits()]),
            AttributeValue::Int(i) => {
                words.push(2);
                push_long(words, *i as u64);
            }
            AttributeValue::Floats(floats) => {
                words.extend([6, floats.len() as u32]);
                words.extend(floats.iter().map(|f| f.to_bits()));
            }
            AttributeValue::Ints(ints) => {
                words.extend([7, ints.len() as u32]);
                ints.iter().for_each(|&i| push_long(words, i as u64));
            }
            AttributeValue::Tensor(tensor) => {
                words.push(4);
                self.tensor_words(words, tensor, shared)?;
            }
            AttributeValue::Tensors(tensors) => {
                words.extend([9, tensors.len() as u32]);
                for tensor in tensors {
                    self.tensor_words(words, tensor, shared)?;
                }
            }
            AttributeValue::Sparse(sparse) => {
                words.extend([11, self.sparse(sparse, shared)?.0]);
            }
            AttributeValue::Reference(name, kind) => {
                words.extend([101, expressions.string(name.as_bytes()), *kind as u32]);
            }
            AttributeValue::Other(range) => {
                let bytes = self.model.source().bytes(range.clone())?;
                words.extend([102, expressions.string(&bytes)]);
            }
            AttributeValue::Graph(_) | AttributeValue::Graphs(_) => {
                words.extend([10, attribute.graphs().len() as u32]);
                let mut impure = false;
                for &graph in attribute.graphs() {
                    words.push(self.body(graph, shared).0);
                    impure |= self.impure[graph.0 as usize];
                }
                return Ok(impure);
            }
        }
        Ok(false)
    }
}
