//! Dropout that a flag chooses in place of the data it was made of: `Where(flag, dropped, x)`, or
//! `l · dropped + (1 − l) · x` with the number l of the flag.

use crate::dropout::Junction;
use crate::error::Result;
use crate::onnx::{NodeId, Use, ValueId};

use super::Finder;
use super::conditions::Conditions;

/// A choice between dropped data and the same data as it was.
struct Gate {
    node: NodeId,
    output: ValueId,
    /// The input of the model that chooses, and what it is where it chooses the data.
    switch: (ValueId, f64),
}

impl Finder<'_> {
    /// Moves junctions to after the choices that one input decides at each of them. Returns that input, and
    /// what it is where it chooses the data.
    pub(super) fn gate(&self, junctions: &mut [Junction]) -> Result<Option<(ValueId, f64)>> {
        let mut gates: Vec<Gate> = Vec::new();
        for junction in &*junctions {
            let gate = match self.gate_of(junction)? {
                None => self.mixture(junction)?,
                found => found,
            };
            match gate {
                Some(gate)
                    if gates
                        .first()
                        .is_none_or(|other| other.switch == gate.switch) =>
                {
                    gates.push(gate);
                }
                _ => return Ok(None),
            }
        }
        for (junction, gate) in junctions.iter_mut().zip(&gates) {
            (junction.node, junction.output) = (gate.node, gate.output);
        }
        Ok(gates.first().map(|gate| gate.switch))
    }

    fn gate_of(&self, junction: &Junction) -> Result<Option<Gate>> {
        let mut uses = self.uses(junction.output);
        let (Some(Use::Input { node, input }), None) = (uses.next(), uses.next()) else {
            return Ok(None);
        };
        let node = self.view.node(node);
        let plain = junction
            .prescale
            .map_or(junction.data, |prescale| prescale.from);
        let chain = junction.chain(self.view);
        let moved = !junction.path.is_empty() || !chain.is_empty();
        let other = match input {
            1 => 2,
            2 => 1,
            _ => return Ok(None),
        };
        let data = node.input(other).is_some_and(|other| other.id == plain);
        if node.op() != "Where" || !data || moved || junction.needs_scale() {
            return Ok(None);
        }
        let (Some(condition), Some(output)) = (node.input(0), node.output(0)) else {
            return Ok(None);
        };
        let known = self.constant(condition.id, &self.conditions)?;
        let open = self.open(condition.id, &self.conditions)?;
        let Some(open) = open.filter(|open| known.is_none() || self.is_flag(open.input)) else {
            return Ok(None);
        };
        let chooses_data = f64::from(u8::from(input == 2));
        for off in [0.0, 1.0] {
            let conditions = Conditions::given(open.input, off);
            if self.number(condition.id, &conditions)? == Some(chooses_data) {
                return Ok(Some(Gate {
                    node: node.id,
                    output: output.id,
                    switch: (open.input, off),
                }));
            }
        }
        Ok(None)
    }

    /// A sum of the dropped data and the data, of which a flag takes one and leaves the other.
    fn mixture(&self, junction: &Junction) -> Result<Option<Gate>> {
        let only = |value: ValueId, op: &str| {
            let mut uses = self.uses(value);
            let (Some(Use::Input { node, input }), None) = (uses.next(), uses.next()) else {
                return None;
            };
            let node = self.view.node(node);
            let other = node.input(1 - (input as usize).min(1))?;
            node.is(op).then_some((node, other))
        };
        let moved = !junction.path.is_empty() || junction.needs_scale();
        let Some((dropped, on)) = only(junction.output, "Mul").filter(|_| !moved) else {
            return Ok(None);
        };
        let sum = dropped
            .output(0)
            .and_then(|product| only(product.id, "Add"));
        let Some((sum, kept)) = sum else {
            return Ok(None);
        };
        let plain = junction
            .prescale
            .map_or(junction.data, |prescale| prescale.from);
        let Some(kept) = kept.node().filter(|node| node.is("Mul")) else {
            return Ok(None);
        };
        let mut factors = kept.inputs().flatten().filter(|input| input.id != plain);
        let (Some(off), None, Some(output)) = (factors.next(), factors.next(), sum.output(0))
        else {
            return Ok(None);
        };
        let open = self.open(on.id, &self.conditions)?;
        let Some(open) = open.filter(|open| self.is_flag(open.input)) else {
            return Ok(None);
        };
        let takes = |flag: f64, dropped: f64| -> Result<bool> {
            let conditions = Conditions::given(open.input, flag);
            let of = (
                self.number(on.id, &conditions)?,
                self.number(off.id, &conditions)?,
            );
            Ok(of == (Some(dropped), Some(1.0 - dropped)))
        };
        for flag in [0.0, 1.0] {
            if takes(flag, 0.0)? && takes(1.0 - flag, 1.0)? {
                return Ok(Some(Gate {
                    node: sum.id,
                    output: output.id,
                    switch: (open.input, flag),
                }));
            }
        }
        Ok(None)
    }
}
