//! Parts of a model that are exchanged: do outputs change?

use super::Trial;
use crate::error::Result;
use crate::onnx::{Editor, Node, NodeId};
use crate::source::Source;
use crate::verify::compare::Tolerance;
use crate::verify::engine::{Meaning, Subject};
use crate::verify::run::{self, Outcome, Settings};

/// The copy in which something is exchanged.
const EXCHANGED: &str = "exchanged";

/// Why outputs stay the same with an edit; `None` if they change, or if an engine refuses the edit. That it
/// lacks an operator or reached a limit shows nothing.
fn why_unmoved(outcome: Outcome) -> Option<String> {
    match outcome {
        Outcome::Different(_) => None,
        Outcome::Equal => Some("no output depends on it in any run".to_string()),
        Outcome::Unrunnable {
            which,
            operator: None,
            ended: false,
            ..
        } if which == EXCHANGED => None,
        Outcome::Unrunnable { reason, .. } => Some(format!("not run: {reason}")),
    }
}

impl Trial<'_> {
    /// Why outputs stay the same with an edit; `None` if they change, if only by a bit, or if the model no
    /// longer runs, as then what it exchanges decides whether the model does.
    pub(super) fn unmoved(&mut self, edit: impl FnOnce(&mut Editor<'_>)) -> Result<Option<String>> {
        if self.left == 0 {
            return Ok(Some("there are too many differences to try".to_string()));
        }
        self.left -= 1;
        Ok(why_unmoved(self.exchange(edit)?))
    }

    /// Compares the model with an edit of it, to the bit.
    fn exchange(&self, edit: impl FnOnce(&mut Editor<'_>)) -> Result<Outcome> {
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
        Ok(run::compare(&old, &new, &settings)?.outcome)
    }

    /// Why outputs stay the same if what reads an elementwise operator reads an input of it.
    pub(super) fn passed(&mut self, id: NodeId, input: usize) -> Result<Option<String>> {
        let node = self.side.view.node(id);
        let (Some(data), Some(output)) = (node.input(input), node.output(0)) else {
            return Ok(Some("it is not observed".to_string()));
        };
        let alone = node
            .operator()
            .is_some_and(|operator| operator.passable(2) == 1);
        self.unmoved(|editor| {
            if let Some((made, at, name)) = editor.detach(id, output.id) {
                let data = [data.name.clone()];
                let passed = match alone {
                    true => Node::new("Identity").on(data),
                    false => {
                        // others may broadcast it
                        let shape = editor.put(at, "reach/shape", Node::new("Shape").on([made]));
                        Node::new("Expand").on(data.into_iter().chain([shape]))
                    }
                };
                editor.put_as(at, name, passed);
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_edit_that_an_engine_refuses_moves_outputs() {
        let stopped = |which: &str, operator: Option<&str>, ended| {
            why_unmoved(Outcome::Unrunnable {
                which: which.to_string(),
                reason: "it stopped".to_string(),
                operator: operator.map(str::to_string),
                ended,
            })
        };
        assert_eq!(stopped(EXCHANGED, None, false), None);
        let why = Some("not run: it stopped".to_string());
        assert_eq!(stopped(EXCHANGED, None, true), why);
        assert_eq!(stopped(EXCHANGED, Some("Foo"), false), why);
        assert_eq!(stopped("before", None, false), why);
        assert!(why_unmoved(Outcome::Equal).is_some());
    }
}
