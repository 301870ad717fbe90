//! Parts of a model that are exchanged: do outputs change?

use super::Trial;
use crate::error::Result;
use crate::onnx::Editor;
use crate::source::Source;
use crate::verify::compare::Tolerance;
use crate::verify::engine::{Meaning, Subject};
use crate::verify::run::{self, Outcome, Settings};

/// The copy in which something is exchanged.
const EXCHANGED: &str = "exchanged";

impl Trial<'_> {
    /// Why outputs stay the same with an edit; `None` if they change, if only by a bit, or if the model no
    /// longer runs, as then what it exchanges decides whether the model does.
    pub(super) fn unmoved(&mut self, edit: impl FnOnce(&mut Editor<'_>)) -> Result<Option<String>> {
        if self.left == 0 {
            return Ok(Some("there are too many differences to try".to_string()));
        }
        self.left -= 1;
        let view = self.side.view;
        let mut copy = view.model.clone();
        let mut editor = Editor::new(&mut copy, view.values.clone());
        edit(&mut editor);
        editor.finish()?;
        let source = Source::from_rope(copy.to_rope()?);
        let settings = Settings {
            tolerance: Tolerance::Exact,
            meaning: Meaning::Inference,
            ..self.settings.clone()
        };
        let old = Subject::of(view.model, self.label, view.model.source());
        let new = Subject::of(view.model, EXCHANGED, &source);
        Ok(match run::compare(&old, &new, &settings)?.outcome {
            Outcome::Different(_) => None,
            Outcome::Equal => Some("no output depends on it in any run".to_string()),
            Outcome::Unrunnable {
                which,
                operator: None,
                ..
            } if which == EXCHANGED => None,
            Outcome::Unrunnable { reason, .. } => Some(format!("not run: {reason}")),
        })
    }
}
