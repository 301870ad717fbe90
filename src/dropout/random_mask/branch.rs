//! Masks that leave a branch of an If, where the other branch has a number in their place.
//!
//! That number is the mask at inference: it must leave the data as inference does,
//! or else the dropout cannot be removed.

use crate::onnx::ValueId;

use super::Finder;
use super::attempt::Attempt;
use super::law::Law;
use super::switches::NEAR;
use super::walk::Branched;

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
            let condition = self.view.node(branched.node).input(0);
            let number = f64::from(u8::from(branched.on));
            let found = condition.map(|condition| (condition.id, number));
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

/// True if every junction equals the inference result where the mask is the number.
fn is_inference(attempt: &Attempt, branched: &Branched) -> bool {
    let near = |x: f64, y: f64| (x - y).abs() <= NEAR * y.abs().max(1.0);
    let Some(mask) = attempt
        .trace
        .forms
        .get(&branched.after)
        .map(|form| &form.rest)
    else {
        return false;
    };
    attempt.junctions.iter().all(|found| {
        // what the junction makes of the mask: a multiple of it
        let first = |law: &Law| law.vars().first().copied();
        let (Some(var), Some(own)) = (first(mask), first(&found.a)) else {
            return false;
        };
        let Ok(cells) = Law::cells_of(&mask.renamed(|_| own), &found.a) else {
            return false;
        };
        let numbers = cells.iter().map(|(_, m, a)| m.at(&[]).zip(a.at(&[])));
        let Some(numbers) = numbers.collect::<Option<Vec<(f64, f64)>>>() else {
            return false;
        };
        let Some(factor) = numbers.iter().find(|(m, _)| *m != 0.0).map(|(m, a)| a / m) else {
            return false;
        };
        let linear = numbers.iter().all(|(m, a)| near(*a, factor * m));
        let scale = attempt.junction(found).scale;
        !var.normal && linear && found.b.is_zero() && near(factor * branched.number, scale)
    })
}
