//! Evidence shown again.

use std::path::Path;

use super::again::again;
use super::file::File;
use super::found::Found;
use super::{Evidence, demand};
use crate::dropout::Examined;
use crate::error::Result;
use crate::onnx::Model;
use crate::verify::engine::Host;
use crate::verify::inputs::InputSpec;
use crate::verify::{Verdict, Verification};
use crate::words::TOOL;

/// What came of evidence that was shown again.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Replay {
    /// Equal if it is still shown.
    pub verdict: Verdict,
    /// What was found now; `None` if these are other models.
    pub verification: Option<Verification>,
    /// What a reader should know.
    pub notes: Vec<String>,
}

impl Evidence {
    /// Shows the same again of two models. `inputs` replace those of the evidence, for data that was in
    /// memory.
    ///
    /// # Errors
    /// A file cannot be read, or a model is not sound.
    pub fn replay(
        &self,
        before: &Model,
        after: &Model,
        host: &Host,
        inputs: &[InputSpec],
    ) -> Result<Replay> {
        let mut replay = Replay {
            verdict: Verdict::Equal,
            verification: None,
            notes: Vec::new(),
        };
        if self.tool != TOOL {
            let note = format!("recorded by {}, repeated by {}", self.tool, TOOL);
            replay.notes.push(note);
        }
        let sides = [
            ("BEFORE", &self.before, before),
            ("AFTER", &self.after, after),
        ];
        for (which, recorded, model) in sides {
            let found = File::of(Path::new("-"), model, Path::new(""))?;
            if let Some(how) = recorded.difference(&found) {
                let why = format!("{which} is not the model of the evidence: {how}");
                replay.verdict = Verdict::Different { why };
                return Ok(replay);
            }
        }
        let (old, new) = (Examined::new(before), Examined::new(after));
        let again = again(&self.question, (old.side()?, new.side()?), (host, inputs))?;
        let found = match again {
            Ok(found) => found,
            Err(reason) => {
                let reason = format!("the evidence does not fit its models: {reason}");
                replay.verdict = Verdict::NotShown { reason };
                return Ok(replay);
            }
        };
        replay.verdict = found.verdict(demand(&self.question));
        let again = Found::of(&found);
        if replay.verdict == Verdict::Equal {
            if let Some(why) = self.found.difference(&again) {
                replay.verdict = Verdict::Different { why };
            } else if !self.found.is_comparable(&again) {
                let then = self.found.ran_with().unwrap_or_default();
                let note = format!("hashes of outputs are not compared: they are of {then}");
                replay.notes.push(note);
            }
        }
        replay.verification = Some(found);
        Ok(replay)
    }
}
