//! Sums and the like: they commute with a factor that all of their data has. Of a Concat, each part has
//! its own.

use crate::onnx::NodeId;
use crate::rewrite::Reason;
use crate::rewrite::fold::commute::joint;
use crate::rewrite::fold::factor::Factor;
use crate::rewrite::fold::operand::is_unmoved;
use crate::semantics::facts::axis_of;
use crate::semantics::view::NodeRef;

use super::{Propagation, Route};

/// Longer axes of a Concat are left alone.
const LONGEST: usize = 1 << 16;

impl<'m> Propagation<'_, 'm> {
    /// A factor of one of several inputs: of all, if the others have it as well; of its part of the
    /// axis, if they are put side by side.
    pub(super) fn joint(
        &self,
        node: NodeRef<'m>,
        input: usize,
        factor: &Factor,
        route: &mut Route,
    ) -> Result<Factor, Reason> {
        let is_data = |input| joint(node).is_some_and(|op| op.is_data(input));
        if !is_data(input) {
            return Err(Reason::Operator("it is not a data input".into()));
        }
        let others = (0..node.inputs().len()).filter(|&i| i != input && is_data(i));
        let equal = others.map(|other| match is_unmoved(node, other, factor) {
            true => Some(None),
            false => self.twin(node, other, factor).map(Some),
        });
        let equal: Option<Vec<Option<NodeId>>> = equal.collect();
        if let Some(equal) = equal {
            route.with.extend(equal.into_iter().flatten());
            return Ok(factor.clone());
        }
        if node.op() != "Concat" {
            let why = "only some of its inputs have the factor";
            return Err(Reason::Operator(why.into()));
        }
        self.part(node, input, factor)
    }

    /// The factor that an input is a product with, if it is equal and nothing else uses the product.
    fn twin(&self, node: NodeRef<'m>, input: usize, factor: &Factor) -> Option<NodeId> {
        let mut value = node.input(input)?;
        loop {
            let (node, 0) = value.producer()? else {
                return None;
            };
            let twin = self.candidates.get(&node.id)?;
            let alone = value.uses().nth(1).is_none();
            if !alone || self.annotated.contains(&value.id) {
                return None;
            }
            if !self.folded.contains(&node.id) {
                return (twin.factor.as_ref() == Ok(factor)).then_some(node.id);
            }
            value = node.input(twin.data)?;
        }
    }

    /// The factor of a part of a Concat: 1 for the others.
    fn part(&self, node: NodeRef<'m>, input: usize, factor: &Factor) -> Result<Factor, Reason> {
        let unknown = || Reason::Unknown("the sizes of its inputs are unknown".into());
        let output = node.output(0).ok_or_else(unknown)?;
        let rank = self.context.facts.rank(output.id).ok_or_else(unknown)?;
        let axis = axis_of(node.int("axis", 1), rank).ok_or_else(unknown)?;
        let from_end = rank - 1 - axis;
        if factor.axis.is_some_and(|own| own != from_end) {
            let why = "only some of its inputs have the factor";
            return Err(Reason::Operator(why.into()));
        }
        let mut elements = Vec::new();
        for (other, value) in node.inputs().enumerate() {
            let size = value.and_then(|value| self.context.size(value.id, from_end));
            let size = size.and_then(|size| usize::try_from(size).ok());
            let size = size.filter(|&size| size < LONGEST).ok_or_else(unknown)?;
            match (other == input, factor.scalar()) {
                (false, _) => elements.extend(std::iter::repeat_n(1.0, size)),
                (true, Some(scalar)) => elements.extend(std::iter::repeat_n(scalar, size)),
                (true, None) if factor.elements.len() == size => elements.extend(&factor.elements),
                (true, None) => return Err(unknown()),
            }
        }
        Ok(factor.along(from_end, elements))
    }
}
