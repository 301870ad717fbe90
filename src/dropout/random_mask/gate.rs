//! Dropout that a flag chooses in place of the data it was made of: `Where(flag, dropped, x)`.

use crate::dropout::Exit;
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
    /// Moves exits to after the choices that one input decides at each of them. Returns that input, and
    /// what it is where it chooses the data.
    pub(super) fn gate(&self, exits: &mut [Exit]) -> Result<Option<(ValueId, f64)>> {
        let mut gates: Vec<Gate> = Vec::new();
        for exit in &*exits {
            match self.gate_of(exit)? {
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
        for (exit, gate) in exits.iter_mut().zip(&gates) {
            (exit.node, exit.output) = (gate.node, gate.output);
        }
        Ok(gates.first().map(|gate| gate.switch))
    }

    fn gate_of(&self, exit: &Exit) -> Result<Option<Gate>> {
        let mut uses = self.uses(exit.output);
        let (Some(Use::Input { node, input }), None) = (uses.next(), uses.next()) else {
            return Ok(None);
        };
        let node = self.view.node(node);
        let plain = exit.prescale.map_or(exit.data, |prescale| prescale.from);
        let chain = exit.chain(self.view.model, self.view.values);
        let moved = !exit.path.is_empty() || !chain.is_empty();
        let other = match input {
            1 => 2,
            2 => 1,
            _ => return Ok(None),
        };
        let data = node.input(other).is_some_and(|other| other.id == plain);
        if node.op() != "Where" || !data || moved || exit.needs_scale() {
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
}
