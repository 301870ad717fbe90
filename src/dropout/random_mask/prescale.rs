//! The factor that data was multiplied by before a mask.

use crate::dropout::Prescale;
use crate::error::Result;
use crate::onnx::{NodeId, Use, ValueId};

use super::Finder;
use super::conditions::Conditions;
use super::scalar;
use super::walk::is_quantization;

/// A factor before a mask.
#[derive(Clone, Copy, Debug)]
pub(super) struct Before {
    pub prescale: Prescale,
    pub factor: f64,
}

impl Finder<'_> {
    /// The constant that a value was multiplied by before: by which node, and what was. Nodes that
    /// are inside do not share it.
    pub(super) fn prescale(
        &self,
        value: ValueId,
        inside: &dyn Fn(NodeId) -> bool,
        conditions: &Conditions,
    ) -> Result<Option<Before>> {
        let mut at = self.view.value(value);
        let mut shared = false;
        let mut next = None;
        loop {
            // the scale of another mask is not that of this one
            if conditions.starts.contains(&at.id) || self.found.contains_key(&at.id) {
                return Ok(None);
            }
            shared |= self.uses(at.id).any(|using| match using {
                Use::Input { node, input } => {
                    let reads = self.reads_values(node, input as usize);
                    Some(node) != next && reads && !(at.id == value && inside(node))
                }
                _ => true,
            });
            let Some((node, 0)) = at.producer() else {
                return Ok(None);
            };
            let (Some(operator), Some(x)) = (node.operator(), node.input(0)) else {
                return Ok(None);
            };
            if operator.copies() || is_quantization(node) {
                let to = self.element_of(node, &[]);
                if operator.casts() && to.is_some_and(|to| !to.is_float()) {
                    return Ok(None); // a factor before is another factor after
                }
                next = Some(node.id);
                at = x;
                continue;
            }
            let inputs: Vec<_> = node.inputs().flatten().collect();
            let mut numbers = Vec::new();
            for input in &inputs {
                numbers.push(self.number(input.id, conditions)?);
            }
            let product = matches!(operator.name, "Mul" | "Div");
            let factors = scalar::factors(operator.name, &numbers).filter(|_| product);
            let scaled = factors.into_iter().flatten().zip(inputs);
            let scaled = scaled.into_iter().find(|(factor, _)| *factor != 0.0);
            return Ok(scaled.map(|(factor, from)| Before {
                prescale: Prescale {
                    node: node.id,
                    from: from.id,
                    shared,
                },
                factor,
            }));
        }
    }
}
