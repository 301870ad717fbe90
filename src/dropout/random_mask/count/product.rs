//! The product of factors of data: a mask of zeros and ones, over its share of ones.

use crate::dropout::Scaling;
use crate::error::Result;
use crate::onnx::ValueId;
use crate::semantics::view::{NodeRef, ValueRef};

use super::super::Finder;
use super::amount::Amount;
use super::cone::Cone;

/// How far a count may be from what it ought to be, relatively.
const NEAR: f64 = 1e-5;

/// What is added to a count so that nothing is divided by zero.
const EPSILON: f64 = 1e-3;

/// A product of numbers and of what a draw makes.
#[derive(Debug)]
struct Factors<'m> {
    number: f64,
    /// Computed from shapes.
    sizes: Vec<ValueId>,
    masks: Vec<ValueId>,
    /// Sums and means it is divided by.
    counts: Vec<NodeRef<'m>>,
}

impl<'m> Finder<'m> {
    /// The mask that these factors are and how it is rescaled; each factor with whether it divides.
    pub(super) fn factors(
        &self,
        factors: &[(ValueId, bool)],
        cone: &Cone,
    ) -> Result<Option<(ValueId, Scaling)>> {
        let mut open = factors.to_vec();
        let mut all = Factors {
            number: 1.0,
            sizes: Vec::new(),
            masks: Vec::new(),
            counts: Vec::new(),
        };
        while let Some((value, divides)) = open.pop() {
            if open.len() + all.masks.len() + all.counts.len() > 16
                || !self.expand(value, divides, cone, &mut open, &mut all)?
            {
                return Ok(None);
            }
        }
        let (mask, count) = match (&all.masks[..], &all.counts[..]) {
            ([mask], [count]) => (mask, count),
            ([mask], []) if all.sizes.is_empty() && (all.number - 1.0).abs() < NEAR => {
                let mask = self.stripped(*mask, true, cone);
                return Ok(cone
                    .blocks
                    .contains(&mask)
                    .then_some((mask, Scaling::Other)));
            }
            _ => return Ok(None),
        };
        // where each row has a count, the rows have to be the same
        let sum = count.output(0).map(|sum| self.facts.shape(sum.id));
        let moves = sum.and_then(|sum| sum.elements().size()) == Some(1);
        let counted = count
            .input(0)
            .map(|input| self.stripped(input.id, moves, cone));
        let mask = self.stripped(*mask, moves, cone);
        let own = counted == Some(mask) && cone.bits.contains(&mask);
        Ok((own && self.is_share(&all, *count)?).then_some((mask, Scaling::Count)))
    }

    /// Takes a factor apart. False of an unknown factor.
    fn expand(
        &self,
        value: ValueId,
        divides: bool,
        cone: &Cone,
        open: &mut Vec<(ValueId, bool)>,
        all: &mut Factors<'m>,
    ) -> Result<bool> {
        if let Some(number) = self
            .number(value, &self.conditions)?
            .filter(|_| !cone.has(value))
        {
            all.number *= if divides { 1.0 / number } else { number };
            return Ok(all.number.is_finite());
        }
        if !cone.has(value) {
            all.sizes.push(value);
            return Ok(!divides);
        }
        let Some((node, 0)) = self.view.value(value).producer() else {
            return Ok(false);
        };
        let input = |index: usize| node.input(index).map(|value: ValueRef<'m>| value.id);
        match (node.op(), input(0), input(1)) {
            _ if cone.bits.contains(&value) => {
                all.masks.push(value);
                return Ok(!divides);
            }
            ("ReduceSum" | "ReduceMean", ..) => {
                all.counts.push(node);
                return Ok(divides);
            }
            ("Mul", Some(x), Some(y)) => open.extend([(x, divides), (y, divides)]),
            ("Div", Some(x), Some(y)) => open.extend([(x, divides), (y, !divides)]),
            ("Reciprocal", Some(x), _) => open.push((x, !divides)),
            // a count of zero is kept from being divided by
            ("Add" | "Max" | "Clip", Some(x), Some(y)) => {
                let most = if node.is("Add") { EPSILON } else { 1.0 };
                let small = |of: Option<f64>| of.is_some_and(|of| (0.0..=most).contains(&of));
                let (x_small, y_small) = (
                    small(self.number(x, &self.conditions)?),
                    small(self.number(y, &self.conditions)?),
                );
                match (x_small, y_small) {
                    (false, true) => open.push((x, divides)),
                    (true, false) if !node.is("Clip") => open.push((y, divides)),
                    _ => return Ok(false),
                }
            }
            (_, Some(x), _) if node.operator().is_some_and(|op| op.copies()) => {
                open.push((x, divides));
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// A mask before it was cast or copied, or even moved.
    fn stripped(&self, value: ValueId, moves: bool, cone: &Cone) -> ValueId {
        let mut value = value;
        while let Some((node, 0)) = self.view.value(value).producer()
            && node
                .operator()
                .is_some_and(|op| op.copies() && (moves || !op.moves()))
            && let Some(input) = node.input(0).filter(|input| cone.bits.contains(&input.id))
        {
            value = input.id;
        }
        value
    }

    /// True if what divides the mask is its share of ones.
    fn is_share(&self, all: &Factors<'_>, count: NodeRef<'_>) -> Result<bool> {
        if count.is("ReduceMean") {
            return Ok((all.number - 1.0).abs() < NEAR && all.sizes.is_empty());
        }
        let (Some(counted), Some(sum)) = (count.input(0), count.output(0)) else {
            return Ok(false);
        };
        for cx in self.facts.contexts(count.graph()) {
            let shape = |value: ValueRef<'_>| self.facts.shape_in(cx, value.id);
            let elements = Amount::of(1.0).times(&shape(counted));
            let mut share = Amount::of(all.number).times(&shape(sum));
            for &size in &all.sizes {
                share = match share {
                    Some(share) => self.sized(cx, size, share)?,
                    None => None,
                };
            }
            let (Some(elements), Some(share)) = (elements, share) else {
                return Ok(false);
            };
            if !share.is_near(&elements, NEAR) {
                return Ok(false);
            }
        }
        Ok(true)
    }
}
