//! Quantization: pairs of QuantizeLinear and DequantizeLinear at the draw, the mask or the data.
//!
//! A pair passes what it is given, to the nearest of 255 steps. A number is rounded to its step; the
//! elements of a draw stay what they are, which moves a threshold by half a step at most.

use crate::error::Result;
use crate::semantics::scalar::Steps;
use crate::semantics::view::NodeRef;

use super::Finder;
use super::conditions::Conditions;
use super::form::Form;
use super::law::Law;
use super::piece::Piece;
use super::walk::Walk;

impl<'m> Finder<'m> {
    /// What QuantizeLinear or DequantizeLinear makes of a constant.
    pub(super) fn quantized_number(
        &self,
        node: NodeRef<'_>,
        number: f64,
        conditions: &Conditions,
    ) -> Result<Option<f64>> {
        let steps = self.steps(node, conditions)?;
        Ok(steps.map(|steps| match node.applies("QuantizeLinear") {
            true => steps.quantized(number),
            false => steps.number(number),
        }))
    }

    /// The form of the output of a node of a pair: that of its input, in steps.
    pub(super) fn in_steps(
        &self,
        node: NodeRef<'m>,
        form: &Form,
        walk: &Walk<'_>,
    ) -> Result<Option<Form>> {
        let mut form = form.clone();
        for term in &mut form.terms {
            term.atom.path.push(node.id);
        }
        if !node.applies("QuantizeLinear") {
            return Ok(self.is_paired(node).then_some(form));
        }
        let Some(steps) = self.steps(node, walk.conditions)? else {
            return Ok((!form.is_numeric()).then_some(form));
        };
        if form.is_numeric() {
            let rounded = Law::combined(
                &[&form.rest],
                |_, _| Vec::new(),
                |pieces, _| match pieces[0] {
                    Piece::Constant(c) => Piece::Constant(steps.number(steps.quantized(c))),
                    piece => piece,
                },
            );
            let Ok(law) = rounded else {
                return Ok(None);
            };
            form.rest = law;
        }
        Ok(Some(form))
    }

    /// True of a DequantizeLinear that takes back what a QuantizeLinear has done.
    fn is_paired(&self, node: NodeRef<'m>) -> bool {
        let mut value = node.input(0);
        while let Some((before, 0)) = value.and_then(|value| value.producer()) {
            if before.applies("QuantizeLinear") {
                let same = |input| {
                    let own = |node: NodeRef<'m>| node.input(input).map(|value| value.id);
                    own(node) == own(before)
                };
                return same(1) && same(2);
            }
            if !before
                .operator()
                .is_some_and(|op| op.copies() && !op.casts())
            {
                return false;
            }
            value = before.input(0);
        }
        false
    }

    fn steps(&self, node: NodeRef<'_>, conditions: &Conditions) -> Result<Option<Steps>> {
        let number = |input: usize| match node.input(input) {
            Some(value) => self.number(value.id, conditions),
            None => Ok(Some(0.0)),
        };
        let (scale, zero) = (number(1)?, number(2)?);
        let steps = scale.zip(zero);
        Ok(steps.and_then(|(scale, zero)| Steps::of(node.quantized_type()?, scale, zero)))
    }
}
