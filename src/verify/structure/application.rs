//! Applications of operators and functions to their inputs.

use crate::error::Result;
use crate::semantics::view::NodeRef;

use super::expression::{Expression, Tag, push_long};
use super::numbering::Builder;

impl<'m> Builder<'_, 'm> {
    /// The application of a node's operator to these inputs, for these of its outputs, and whether it
    /// draws at random.
    pub(super) fn application(
        &mut self,
        node: NodeRef<'m>,
        mut inputs: Vec<Expression>,
        outputs: &[usize],
    ) -> Result<(Expression, bool)> {
        let expressions = &mut self.shared.expressions;
        let domain = match node.in_default_domain() {
            true => &[],
            false => node.domain.as_bytes(),
        };
        let mut words = vec![
            expressions.string(node.op_type.as_bytes()),
            expressions.string(domain),
            expressions.string(node.overload.as_bytes()),
        ];
        // the parts of a Split depend on its number of outputs; of other domains anything may
        let counted = node.is("Split") || !node.in_default_domain();
        let named = |&output: &usize| counted || !node.outputs[output].is_empty();
        words.push((outputs.iter().rposition(named)).map_or(0, |last| last as u32 + 1));
        let mut impure = false;
        match node.callee().and_then(|function| self.functions[function]) {
            Some((body, draws)) => {
                words.extend([1, body.0]);
                impure |= draws;
            }
            None => {
                let domain = node.domain.as_str().unwrap_or_default();
                let version = self.view.model.opset(node.graph(), domain).unwrap_or(0);
                words.push(0);
                push_long(&mut words, version as u64);
                impure |= !node.in_default_domain() || node.draws();
            }
        }
        while inputs.last() == Some(&Expression::ABSENT) {
            inputs.pop();
        }
        words.push(inputs.len() as u32);
        words.extend(inputs.iter().map(|input| input.0));
        let attributes = node.get().attributes.iter();
        let attributes = attributes.filter(|a| !self.exceptions.has(node.id, a));
        let read = |name| match node.callee() {
            Some(function) => self.reachable.has_attribute(function, name),
            None => true,
        };
        let attributes = attributes.filter(|a| read(&a.name));
        let attributes = attributes.collect();
        impure |= self.attributes(&mut words, attributes)?;
        let number = self.shared.expressions.number(Tag::Apply, &words);
        self.numbering.nodes.entry(number).or_insert(node.id);
        Ok((number, impure))
    }
}
