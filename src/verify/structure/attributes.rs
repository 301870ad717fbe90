//! Attributes as words of an expression's key.

use crate::error::Result;
use crate::onnx::{Attribute, AttributeValue, Name, NodeId};
use crate::semantics::batch_norm::{OF_TRAINING, is_batch_norm};
use crate::semantics::facts::Facts;
use crate::semantics::operator::{Shape, schema};
use crate::semantics::view::NodeRef;

use super::expression::{Words, push_long};
use super::numbering::Builder;

/// The attributes of a node that are not at their defaults.
pub(super) fn written<'m>(node: NodeRef<'m>) -> impl Iterator<Item = &'m Attribute> {
    let opset = opset(node);
    let attributes = node.get().attributes.iter();
    attributes.filter(move |attribute| {
        // without one, a Transpose reverses the axes
        let reverses = |perm: &[i64]| perm.iter().rev().copied().eq(0..perm.len() as i64);
        let reversed = match &attribute.value {
            AttributeValue::Ints(perm) => node.is("Transpose") && reverses(perm),
            _ => false,
        };
        !reversed && !schema::is_default(node.op(), opset, attribute)
    })
}

fn opset(node: NodeRef<'_>) -> i64 {
    node.view().model.opset(node.graph(), "").unwrap_or(0)
}

/// True if attributes of two nodes that are not written alike are the same, as an axis counted from the other end.
pub(super) fn agree(
    (facts, one): (Facts<'_>, NodeId),
    (others, other): (Facts<'_>, NodeId),
) -> bool {
    const AXIS: &str = "axis";
    let (one, other) = (facts.view().node(one), others.view().node(other));
    let rest = |node| written(node).filter(|attribute| attribute.name != AXIS);
    let is_in = |attribute: &Attribute, node| {
        let mut given = rest(node);
        given.any(|a| a.name == attribute.name && a.value.is_same(&attribute.value))
    };
    let axis = |facts: Facts<'_>, node: NodeRef<'_>| {
        let default = schema::default_of(node.op(), opset(node), AXIS);
        let default = default.and_then(|default| default.strip_prefix('i')?.parse().ok());
        let axis = match node.attribute(AXIS).map(|attribute| &attribute.value) {
            Some(AttributeValue::Int(axis)) => Some(*axis),
            _ => default,
        }?;
        // the axis of a OneHot is one of its output
        let adds = node.operator()?.shape == Shape::OneHot;
        let rank = facts.rank(node.input(0)?.id)? as i64 + i64::from(adds);
        Some(if axis < 0 { axis + rank } else { axis })
    };
    let [axis, other_axis] = [axis(facts, one), axis(others, other)];
    axis.is_some()
        && axis == other_axis
        && rest(one).all(|attribute| is_in(attribute, other))
        && rest(other).all(|attribute| is_in(attribute, one))
}

/// Those of them that matter at inference.
pub(in crate::verify) fn of_inference<'m>(
    node: NodeRef<'m>,
) -> impl Iterator<Item = &'m Attribute> {
    let normalises = is_batch_norm(node);
    let of_training = |name: &Name| OF_TRAINING.iter().any(|other| *name == *other);
    written(node).filter(move |attribute| !normalises || !of_training(&attribute.name))
}

/// Those of them that are floats.
pub(in crate::verify) fn floats<'m>(node: NodeRef<'m>) -> impl Iterator<Item = &'m Attribute> {
    use AttributeValue::{Float, Floats};
    of_inference(node).filter(|attribute| matches!(attribute.value, Float(_) | Floats(_)))
}

/// True of a node with such attributes.
pub(super) fn has_floats(node: NodeRef<'_>) -> bool {
    floats(node).next().is_some()
}

impl<'m> Builder<'_, 'm> {
    /// Appends attributes, by name. True if a graph among them draws at random.
    pub(super) fn attributes(
        &mut self,
        words: &mut Words,
        mut sorted: Vec<&'m Attribute>,
    ) -> Result<bool> {
        sorted.sort_by(|a, b| a.name.cmp(&b.name));
        let mut impure = false;
        words.push(sorted.len() as u32);
        for attribute in sorted {
            words.push(self.shared.expressions.string(attribute.name.as_bytes()));
            impure |= self.attribute(words, attribute)?;
        }
        Ok(impure)
    }

    fn attribute(&mut self, words: &mut Words, attribute: &'m Attribute) -> Result<bool> {
        let expressions = &mut self.shared.expressions;
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
                self.tensor_words(words, tensor)?;
            }
            AttributeValue::Tensors(tensors) => {
                words.extend([9, tensors.len() as u32]);
                for tensor in tensors {
                    self.tensor_words(words, tensor)?;
                }
            }
            AttributeValue::Sparse(sparse) => {
                words.extend([11, self.sparse(sparse)?.0]);
            }
            AttributeValue::Reference(name, kind) => {
                words.extend([101, expressions.string(name.as_bytes()), *kind as u32]);
            }
            AttributeValue::Other(range) => {
                let bytes = self.view.model.source().bytes(range.clone())?;
                words.extend([102, expressions.string(&bytes)]);
            }
            AttributeValue::Graph(_) | AttributeValue::Graphs(_) => {
                words.extend([10, attribute.graphs().len() as u32]);
                let mut impure = false;
                for &graph in attribute.graphs() {
                    words.push(self.body(graph).0);
                    impure |= self.impure[graph.0 as usize];
                }
                return Ok(impure);
            }
        }
        Ok(false)
    }
}
