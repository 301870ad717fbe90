//! Weights that differ where nothing else does: two models of the same architecture.

use std::fmt;

use crate::error::Result;
use crate::onnx::{Name, ValueId, distance};
use crate::semantics::view::View;

/// How many weights a text names.
const NAMED: usize = 3;

/// The weights that differ in two models of the same architecture.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Weights {
    /// Each of them.
    pub all: Vec<Weight>,
    /// The largest difference of two elements; `None` if it was not computed, or there are no numbers.
    pub max: Option<f64>,
}

/// A weight with different elements.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Weight {
    /// Its name in the first model.
    pub before: Name,
    /// Its name in the second.
    pub after: Name,
    /// Its shape.
    pub shape: Vec<i64>,
    pub(super) ids: [ValueId; 2],
}

impl Weights {
    /// Reads all of them, and computes the largest difference.
    pub(in crate::verify) fn measure(&mut self, before: View<'_>, after: View<'_>) -> Result<()> {
        for weight in &self.all {
            let [old, new] = weight.ids;
            let tensors = (before.value(old).constant(), after.value(new).constant());
            let (Some(old), Some(new)) = tensors else {
                continue;
            };
            let found = distance((before.model, old), (after.model, new))?;
            if let Some((max, _)) = found.and_then(|found| found.max) {
                self.max = Some(self.max.map_or(max, |other| other.max(max)));
            }
        }
        Ok(())
    }
}

impl fmt::Display for Weights {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.all.len() {
            1 => write!(f, "same architecture, 1 weight differs")?,
            count => write!(f, "same architecture, {count} weights differ")?,
        }
        if let Some(max) = self.max {
            // four digits that count
            let short = format!("{max:.3e}").parse().unwrap_or(max);
            write!(f, " (max |Δ| {short:?})")?;
        }
        for (index, weight) in self.all.iter().take(NAMED).enumerate() {
            let before = if index == 0 { ": " } else { ", " };
            write!(f, "{before}`{}`", weight.before)?;
            if weight.before != weight.after {
                write!(f, " (now `{}`)", weight.after)?;
            }
            write!(f, " {:?}", weight.shape)?;
        }
        match self.all.len().saturating_sub(NAMED) {
            0 => Ok(()),
            more => write!(f, " and {more} more"),
        }
    }
}
