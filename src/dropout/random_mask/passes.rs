//! The multiple of its data that a mask leaves where its switch is off.

use crate::error::Result;
use crate::onnx::{NodeId, ValueId};

use super::Finder;
use super::attempt::Attempt;
use super::conditions::Conditions;
use super::form::Atom;
use super::law::Law;
use super::switches::NEAR;
use super::walk::Trace;

impl Finder<'_> {
    /// True if, under these conditions, all junctions are what inference makes of the data.
    pub(super) fn passes(
        &self,
        source: NodeId,
        on: &Attempt,
        conditions: &Conditions,
    ) -> Result<bool> {
        let seeds: Vec<(ValueId, Law)> = match self.draw(source, conditions)? {
            Some(draw) => vec![(draw.drawn, draw.law)],
            None => return Ok(false),
        };
        let trace = self.walk(&seeds, conditions)?;
        for found in &on.junctions {
            let scale = on.junction(found).scale;
            let near = |a: f64| (a - scale).abs() <= NEAR * scale.abs();
            let multiple = self.multiple(found.output, &found.data, &trace, conditions)?;
            if !multiple.is_some_and(near) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// What data is multiplied by to make a value that the draw has no part in, if that is all.
    fn multiple(
        &self,
        value: ValueId,
        data: &Atom,
        trace: &Trace,
        conditions: &Conditions,
    ) -> Result<Option<f64>> {
        let (mut value, mut factor) = (value, 1.0);
        loop {
            if let Some(form) = trace.settled.get(&value) {
                let [term] = &form.terms[..] else {
                    return Ok(None);
                };
                let whole = form.rest.is_zero() && term.atom == *data;
                let own = term.law.as_constant().filter(|_| whole);
                return Ok(own.map(|own| own * factor));
            }
            // a factor after the mask, which the same switch decides on
            let Some(node) = self.view.value(value).node() else {
                return Ok(None);
            };
            let (Some(one), Some(two)) = (node.input(0), node.input(1)) else {
                return Ok(None);
            };
            let numbers = [one, two].map(|value| self.number(value.id, conditions));
            (value, factor) = match (node.op(), numbers) {
                ("Mul", [Ok(None), Ok(Some(by))]) => (one.id, factor * by),
                ("Mul", [Ok(Some(by)), Ok(None)]) => (two.id, factor * by),
                ("Div", [Ok(None), Ok(Some(by))]) => (one.id, factor / by),
                (_, [Err(error), _] | [_, Err(error)]) => return Err(error),
                _ => return Ok(None),
            };
        }
    }
}
