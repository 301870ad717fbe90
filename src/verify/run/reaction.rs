//! What was seen of one output over all runs: does it react to the inputs?

use crate::verify::compare::{Tolerance, compare};
use crate::verify::engine::Value;

/// One output, over all runs.
#[derive(Clone, Default)]
pub(super) struct Reaction {
    elements: usize,
    first: Option<Value>,
    runs: usize,
    /// The first run that gave other elements than run 0.
    pub(super) reacted: Option<usize>,
}

impl Reaction {
    pub(super) fn is_empty(&self) -> bool {
        self.elements == 0
    }

    /// The only number in it, if there is no other.
    pub(super) fn number(&self) -> Option<f64> {
        let elements = self.first.as_ref()?.to_f64();
        let &first = elements.first()?;
        let same = |&other: &f64| other == first || (other.is_nan() && first.is_nan());
        elements.iter().all(same).then_some(first)
    }

    pub(super) fn add(&mut self, output: &Value) {
        self.elements += output.len();
        match &self.first {
            None => self.first = Some(output.clone()),
            Some(first) if self.reacted.is_none() => {
                let differs = compare("", first, output, Tolerance::Exact).is_some();
                self.reacted = differs.then_some(self.runs);
            }
            Some(_) => {}
        }
        self.runs += 1;
    }
}
