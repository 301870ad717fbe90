//! Applications of operators and functions to their inputs.

use crate::error::Result;
use crate::semantics::view::NodeRef;

use super::attributes::written;
use super::expression::{Expression, Words, push_long};
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
        let form = self.form(node, &mut inputs);
        let version = form.map_or_else(|| node.version_in(node.graph()), |form| form.version);
        let infers = self.exceptions.infers(node.id);
        let outputs = if infers { &outputs[..1] } else { outputs };
        let expressions = &mut self.shared.expressions;
        let domain = match node.in_default_domain() {
            true => &[],
            false => node.domain.as_bytes(),
        };
        // a function is what its body computes, whatever its name
        let name = [node.op_type.as_bytes(), domain, node.overload.as_bytes()];
        let name = if node.callee().is_some() {
            [&b""[..]; 3]
        } else {
            name
        };
        let mut words = Words::new();
        words.extend(name.map(|name| expressions.string(name)));
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
                words.push(0);
                push_long(&mut words, version as u64);
                impure |= node.is_opaque() || node.draws();
            }
        }
        while inputs.last() == Some(&Expression::ABSENT) {
            inputs.pop();
        }
        let operator = node.operator();
        let exchanges = operator.is_some_and(|operator| operator.is_commutative(inputs.len()));
        if exchanges && node.attributes.is_empty() {
            inputs.sort_unstable();
        }
        let attributes = written(node).filter(|a| !self.exceptions.has(node.id, a));
        let attributes = attributes.filter(|a| form.is_none_or(|form| !form.has(&a.name)));
        let read = |name| match node.callee() {
            Some(function) => self.reachable.has_attribute(function, name),
            None => true,
        };
        let attributes = attributes.filter(|a| read(&a.name));
        let attributes = attributes.collect();
        impure |= self.attributes(&mut words, attributes)?;
        let number = self.shared.expressions.apply(&words, &inputs);
        self.numbering.applied(number, node.id);
        Ok((number, impure))
    }
}
