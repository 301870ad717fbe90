//! Whether two values are sums with a part in common: what a mask drops of one may cancel out against
//! the other.

use std::collections::BTreeMap;

use crate::error::Result;
use crate::onnx::ValueId;

use super::Finder;
use super::conditions::Conditions;
use super::scalar;

/// What two values have in common.
#[derive(Debug, Default)]
pub(super) struct Relation {
    /// With which factors each common part is in the first and in the second.
    pub shared: Vec<(f64, f64)>,
    /// True if one has a part that the other has not, or their elements lie in different places.
    apart: bool,
}

impl Relation {
    /// The number by which the second has to be multiplied to be the first, if there is one.
    pub fn ratio(&self) -> Option<f64> {
        let mut ratios = self.shared.iter().map(|(one, two)| one / two);
        let first = ratios.next().filter(|_| !self.apart)?;
        let near = |ratio: f64| (ratio - first).abs() <= 1e-6 * first.abs();
        ratios.all(near).then_some(first)
    }
}

/// A value with its factors in both sums.
type Part = (f64, f64);

impl Finder<'_> {
    /// Compares two values as sums, from the last values on back: what comes before all parts of one
    /// cannot be a part of the other.
    pub(super) fn relation(
        &self,
        (one, two): (ValueId, ValueId),
        conditions: &Conditions,
    ) -> Result<Relation> {
        let mut relation = Relation::default();
        let mut open: BTreeMap<(usize, ValueId), Part> = BTreeMap::new();
        add(&mut open, self.place(one), (1.0, 0.0));
        add(&mut open, self.place(two), (0.0, 1.0));
        while let Some(((_, value), part)) = open.pop_last() {
            let left =
                |of: fn(&Part) -> f64| of(&part) != 0.0 || open.values().any(|p| of(p) != 0.0);
            if !left(|part| part.0) || !left(|part| part.1) {
                relation.apart = true;
                break; // nothing more in common
            }
            if part.0 != 0.0 && part.1 != 0.0 {
                relation.shared.push(part);
                continue;
            }
            let (parts, moved) = self.parts(value, conditions)?;
            relation.apart |= parts.is_empty() || moved;
            for (value, factor) in parts {
                add(
                    &mut open,
                    self.place(value),
                    (part.0 * factor, part.1 * factor),
                );
            }
        }
        Ok(relation)
    }

    fn place(&self, value: ValueId) -> (usize, ValueId) {
        let node = self.view.value(value).node();
        let rank = node.and_then(|node| self.rank.get(&node.id));
        (rank.map_or(0, |rank| rank + 1), value)
    }

    /// What a value is a sum of, with factors, and whether elements were moved about; nothing if it is
    /// none.
    fn parts(
        &self,
        value: ValueId,
        conditions: &Conditions,
    ) -> Result<(Vec<(ValueId, f64)>, bool)> {
        let none = Ok((Vec::new(), false));
        let Some((node, 0)) = self.view.value(value).producer() else {
            return none;
        };
        let Some(operator) = node.operator() else {
            return none;
        };
        if operator.copies() {
            let input = node.input(0).map(|input| (input.id, 1.0));
            let other = operator.moves() || operator.casts();
            return Ok((input.into_iter().collect(), other));
        }
        let inputs: Vec<_> = node.inputs().flatten().collect();
        let mut numbers = Vec::new();
        for input in &inputs {
            numbers.push(self.number(input.id, conditions)?);
        }
        let factors = scalar::factors(operator.name, &numbers).unwrap_or_default();
        let parts = inputs.iter().zip(factors);
        let parts = parts.filter(|(_, factor)| *factor != 0.0);
        Ok((
            parts.map(|(input, factor)| (input.id, factor)).collect(),
            false,
        ))
    }
}

fn add(open: &mut BTreeMap<(usize, ValueId), Part>, place: (usize, ValueId), part: Part) {
    let known = open.entry(place).or_default();
    known.0 += part.0;
    known.1 += part.1;
}
