//! Alpha dropout whose mask is a constant: `a·(x·m + α′·(1−m)) + b`, and so is `α′·(1−m)` (Klambauer et al.
//! 2017).

use crate::dropout::alpha::{ALPHA, scale_and_shift};
use crate::dropout::{FrozenInput, Junction, Kind, Scaling};
use crate::onnx::{NodeId, ValueId};
use crate::semantics::view::NodeRef;

use super::constant::Mask;
use super::{Finder, Meeting, place};

/// How far numbers may be from what they ought to be: those of half precision too.
const NEAR: f64 = 2e-3;

fn near(x: f64, y: f64) -> bool {
    (x - y).abs() <= NEAR * y.abs().max(1.0)
}

impl<'m> Finder<'m> {
    /// Alpha dropout, if the product by the mask is a part of it.
    pub(super) fn alpha(
        &self,
        id: NodeId,
        data: ValueId,
        mask: &Mask,
        output: ValueId,
    ) -> Option<Meeting> {
        let (filled, input) = self.reader(self.copied(output), "Add")?;
        let constant = filled.input(input)?.id;
        let numbers = self.numbers(self.tensor(constant)?)?;
        let fills = |(&kept, &number): (&bool, &f64)| near(number, if kept { 0.0 } else { ALPHA });
        let pairs = mask.kept.iter().zip(&numbers);
        if mask.scale != 1.0 || numbers.len() != mask.kept.len() || !pairs.into_iter().all(fills) {
            return None;
        }
        let (_, scaled, a) = place::factor_after(self, self.copied(filled.output(0)?.id))?;
        let (shifted, shift) = self.reader(self.copied(scaled), "Add")?;
        let b = self.number(shifted.input(shift)?.id)?;
        let rate = (1..=90)
            .map(|percent| f64::from(percent) / 100.0)
            .find(|&p| {
                let (scale, shift) = scale_and_shift(p);
                near(a, scale) && near(b, shift) && mask.fits(p)
            })?;
        let place = (shifted.id, shifted.output(0)?.id);
        let junction = self.junction(id, mask, place, data, 1.0);
        let fill = FrozenInput {
            node: filled.id,
            input,
            kept: 0.0,
        };
        Some(Meeting {
            junction: Junction {
                kept: (a, b),
                frozen: junction.frozen.iter().copied().chain([fill]).collect(),
                ..junction
            },
            node: id,
            data,
            kind: Kind::AlphaDropout,
            rate,
            scaling: Scaling::Inverted,
        })
    }

    /// A value after nodes that copy it or add zero to it, as Paddle writes them, and that alone read it.
    fn copied(&self, value: ValueId) -> ValueId {
        let mut at = self.facts.view().value(value);
        while let Some((node, input)) = at.readers().next().filter(|_| at.uses().count() == 1) {
            let other = node.input(1 - input.min(1));
            let zero = || other.and_then(|other| self.number(other.id)) == Some(0.0);
            let same = node.is("Identity") || node.is("Add") && zero();
            match node.output(0).filter(|_| same) {
                Some(next) => at = next,
                None => break,
            }
        }
        at.id
    }

    /// The only reader of a value, if it has this operator, and its other input.
    fn reader(&self, value: ValueId, op: &str) -> Option<(NodeRef<'m>, usize)> {
        let value = self.facts.view().value(value);
        let mut readers = value.readers();
        let (node, input) = readers.next().filter(|(node, _)| node.is(op))?;
        let only = readers.next().is_none() && value.uses().count() == 1;
        only.then_some((node, 1 - input.min(1)))
    }
}
