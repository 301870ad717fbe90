//! Masks that leave a branch of an If, where the other branch has a number in their place.
//!
//! That number is what the mask is at inference: it has to come to what inference makes of the data,
//! or else the whole is something that nobody can take out.

use crate::onnx::ValueId;

use super::follow::Branched;
use super::{Attempt, Finder, exit};

/// How far computed numbers may be from what they ought to be: exporters write float32.
const NEAR: f64 = 1e-4;

impl Finder<'_> {
    /// What decides on the branches that the mask leaves, and what it is where they have the number;
    /// `None` if it leaves none.
    pub(super) fn branch_switch(
        &self,
        attempt: &Attempt,
    ) -> Result<Option<(ValueId, f64)>, &'static str> {
        let mut switch = None;
        for branched in &attempt.trace.branched {
            if !is_inference(attempt, branched) {
                return Err("it scales the data in the branch without the mask");
            }
            let condition = self.values.input(branched.node, 0);
            let found = condition.map(|condition| (condition, f64::from(u8::from(branched.on))));
            match (found, switch) {
                (None, _) => return Err("its mask is produced in a branch of an If"),
                (Some(found), None) => switch = Some(found),
                (Some(found), Some(known)) if found == known => {}
                (Some(_), Some(_)) => return Err("several Ifs switch its mask"),
            }
        }
        Ok(switch)
    }
}

/// True if every exit comes to what inference makes of the data where the mask is the number.
fn is_inference(attempt: &Attempt, branched: &Branched) -> bool {
    let near = |x: f64, y: f64| (x - y).abs() <= NEAR * y.abs().max(1.0);
    let Some(mask) = attempt.trace.forms.get(&branched.after) else {
        return false;
    };
    attempt.exits.iter().all(|found| {
        // what the exit makes of the mask: a multiple of it
        let pairs = || mask.samples.iter().zip(&found.samples);
        let Some((&(_, m), &(a, _))) = pairs().find(|((_, m), _)| *m != 0.0) else {
            return false;
        };
        let factor = a / m;
        let linear = pairs().all(|(&(_, m), &(a, b))| near(a, factor * m) && b == 0.0);
        let scale = exit(found, attempt).scale;
        linear && near(factor * branched.number, scale)
    })
}
