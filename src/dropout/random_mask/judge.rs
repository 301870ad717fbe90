//! What a draw is, under the conditions that the file leaves open.

use crate::error::Result;
use crate::onnx::{NodeId, ValueId};

use super::Finder;
use super::attempt::Attempt;
use crate::dropout::Junction;
use crate::dropout::noise_shape::Fit;

/// What a draw was found to be.
pub(super) struct Judged {
    /// As written, or with the switch on, or in the first context.
    pub attempt: Attempt,
    /// In the other contexts of the function around it.
    pub contexts: Vec<Attempt>,
    /// The calls of each context, the first one included; none if there is only one.
    pub calls: Vec<Vec<NodeId>>,
    /// The input that switches it on, and what switches it off.
    pub switch: Option<(ValueId, f64)>,
    /// False if with the switch off it is something else than at inference.
    pub passes: bool,
    /// An input without a default that is the rate, and what it was taken to be.
    pub given: Option<(ValueId, f64)>,
}

impl Judged {
    pub fn plain(attempt: Attempt) -> Judged {
        Judged {
            attempt,
            contexts: Vec::new(),
            calls: Vec::new(),
            switch: None,
            passes: true,
            given: None,
        }
    }
}

impl Finder<'_> {
    /// Finds out what a draw is.
    pub(super) fn judge(&self, source: NodeId) -> Result<Option<Judged>> {
        if let Some(attempt) = self.attempt(source, &self.conditions)? {
            let mut open = false;
            for found in &attempt.junctions {
                open |= self.open(found.data.value, &self.conditions)?.is_some();
            }
            if (open || attempt.default_used)
                && let Some(judged) = self.overridden(source)?
            {
                return Ok(Some(judged));
            }
            // one number that a run gives, in the shape of a mask, is a part of the mask
            let junctions = attempt
                .junctions
                .iter()
                .map(|found| attempt.junction(found));
            let junctions: Vec<Junction> = junctions.collect();
            let number = open && self.fit(&junctions, &attempt.trace) == Fit::Larger;
            return Ok((!number).then(|| Judged::plain(attempt)));
        }
        if let Some(judged) = self.by_contexts(source)? {
            return Ok(Some(judged));
        }
        for open in self.open_numbers(source)? {
            if let Some(judged) = self.switched(source, open)? {
                return Ok(Some(judged));
            }
        }
        Ok(None)
    }

    /// As it is where an input of the model switches it on or off.
    fn overridden(&self, source: NodeId) -> Result<Option<Judged>> {
        for open in self.open_numbers(source)? {
            let judged = self.switched(source, open)?;
            let is_switch = |judged: &Judged| judged.switch.is_some();
            if judged.as_ref().is_some_and(is_switch) {
                return Ok(judged);
            }
        }
        Ok(None)
    }

    /// Looks at the draw once in every context of the function around it.
    fn by_contexts(&self, source: NodeId) -> Result<Option<Judged>> {
        let contexts = self.contexts(source);
        if contexts.len() < 2 {
            return Ok(None);
        }
        let mut attempts = Vec::new();
        let calls = contexts.iter();
        let calls = calls.map(|context| context.iter().map(|&(_, call)| call).collect());
        let calls = calls.collect();
        for context in contexts {
            let conditions = self.conditions.with_calls(&context);
            let Some(attempt) = self.attempt(source, &conditions)? else {
                return Ok(None);
            };
            attempts.push(attempt);
        }
        let mut attempts = attempts.into_iter();
        Ok(attempts.next().map(|first| Judged {
            contexts: attempts.collect(),
            calls,
            ..Judged::plain(first)
        }))
    }
}
