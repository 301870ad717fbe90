//! Dropout that a flag chooses in place of the data it was made of: `Where(flag, dropped, x)`.

use crate::error::Result;
use crate::onnx::{NodeId, Use, ValueId};

use super::{Exit, Finder};

/// A choice between dropped data and the same data as it was.
struct Gate {
    node: NodeId,
    output: ValueId,
    /// The input of the model that chooses, and what it is where it chooses the data.
    switch: (ValueId, f64),
}

impl Finder<'_> {
    /// Moves exits behind the choices that one input makes at all of them. Returns that input, and
    /// what it is where it chooses the data.
    pub(super) fn gate(&self, exits: &mut [Exit]) -> Result<Option<(ValueId, f64)>> {
        let mut gates: Vec<Gate> = Vec::new();
        for exit in &*exits {
            match self.gate_of(exit)? {
                Some(gate) if gates.iter().all(|other| other.switch == gate.switch) => {
                    gates.push(gate);
                }
                _ => return Ok(None),
            }
        }
        for (exit, gate) in exits.iter_mut().zip(&gates) {
            (exit.node, exit.output) = (gate.node, gate.output);
        }
        Ok(gates.first().map(|gate| gate.switch))
    }

    fn gate_of(&self, exit: &Exit) -> Result<Option<Gate>> {
        let (model, values) = (self.model, self.values);
        let mut uses = self.uses(exit.output);
        let (Some(Use::Input { node, input }), None) = (uses.next(), uses.next()) else {
            return Ok(None);
        };
        let plain = exit.prescale.map_or(exit.data, |prescale| prescale.from);
        let moved = !exit.path.is_empty() || !exit.chain(model, values).is_empty();
        let other = match input {
            1 => 2,
            2 => 1,
            _ => return Ok(None),
        };
        let is_choice = model.node(node).is("Where") && values.input(node, other) == Some(plain);
        if !is_choice || moved || exit.needs_scale() {
            return Ok(None);
        }
        let (Some(condition), Some(output)) =
            (values.input(node, 0), values.output(model, node, 0))
        else {
            return Ok(None);
        };
        let known = self.constant(condition)?;
        let switch = self.open(condition);
        let Some(switch) = switch.filter(|&open| known.is_none() || self.is_flag(open)) else {
            return Ok(None);
        };
        let chooses_data = f64::from(u8::from(input == 2));
        for off in [0.0, 1.0] {
            let chosen = self.assuming((switch, off), || self.number(condition))?;
            if chosen == Some(chooses_data) {
                let switch = (switch, off);
                return Ok(Some(Gate {
                    node,
                    output,
                    switch,
                }));
            }
        }
        Ok(None)
    }
}
