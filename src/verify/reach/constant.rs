//! Constants that are exchanged: do outputs change?

use super::Trial;
use super::observe::LARGEST;
use crate::error::Result;
use crate::onnx::{DataType, Editor, ValueId, encode_float, numbers};
use crate::source::Source;
use crate::verify::compare::Tolerance;
use crate::verify::engine::Meaning;
use crate::verify::run::{self, Outcome, Settings};

/// The number of groups that the elements of a constant are exchanged in, at most.
const GROUPS: usize = 16;

impl Trial<'_> {
    /// Exchanges a constant for that of the other model, or a float one without such for another. Why no
    /// output changes; `None` if one does, for each group of elements.
    pub(super) fn exchanged(
        &mut self,
        value: ValueId,
        other: Option<ValueId>,
    ) -> Result<Option<String>> {
        let constant = self.side.view.value(value);
        let Some(own) = constant.constant() else {
            return Ok(Some("it cannot be exchanged".to_string()));
        };
        let here = self.side.view.model.small_elements(own, LARGEST)?;
        let there = match other.map(|other| self.other.view.value(other)) {
            None => here
                .as_deref()
                .and_then(|bytes| moved(own.data_type, bytes)),
            Some(other) => match other.constant() {
                Some(tensor) => other.view().model.small_elements(tensor, LARGEST)?,
                None => None,
            },
        };
        let (Some(here), Some(there)) = (here, there) else {
            return Ok(Some("it cannot be exchanged".to_string()));
        };
        let elements = own.elements().unwrap_or(0) as usize;
        let width = here.len() / elements.max(1);
        if here.len() != there.len() || width == 0 {
            return Ok(Some("it has another size".to_string()));
        }
        let range = |element: usize| element * width..(element + 1) * width;
        let differing = (0..elements).filter(|&at| here[range(at)] != there[range(at)]);
        let differing: Vec<usize> = differing.collect();
        for group in differing.chunks(differing.len().div_ceil(GROUPS).max(1)) {
            if self.left == 0 {
                return Ok(Some("there are too many differences to try".to_string()));
            }
            self.left -= 1;
            let mut bytes = here.clone();
            for &element in group {
                bytes[range(element)].copy_from_slice(&there[range(element)]);
            }
            if let Some(why) = self.unmoved(value, (own.data_type, &own.dims, &bytes))? {
                let which = match group {
                    [only] => format!("element {only}"),
                    [first, .., last] => format!("elements {first} to {last}"),
                    [] => String::new(),
                };
                return Ok(Some(format!("{which}: {why}")));
            }
        }
        Ok(None)
    }

    /// Why outputs stay the same with other elements of a constant; `None` if they change.
    fn unmoved(
        &self,
        value: ValueId,
        elements: (DataType, &[i64], &[u8]),
    ) -> Result<Option<String>> {
        let view = self.side.view;
        let mut copy = view.model.clone();
        let mut editor = Editor::new(&mut copy, view.values.clone());
        let readers: Vec<_> = view.value(value).readers().collect();
        for (node, input) in readers {
            let at = (node.graph(), Some(node.id));
            let name = editor.put_constant(at, "reach/constant", elements);
            editor.set_input_to(node.id, input, &name);
        }
        editor.finish()?;
        let source = Source::from_rope(copy.to_rope()?);
        let settings = Settings {
            tolerance: Tolerance::Exact,
            meaning: Meaning::Inference,
            ..self.settings.clone()
        };
        let [old, new] = [view.model.source(), &source].map(|source| self.subject(source));
        let report = run::compare(&old, &new, &settings)?;
        Ok(match report.outcome {
            Outcome::Different(_) => None,
            Outcome::Equal => Some("no output depends on it in any run".to_string()),
            Outcome::Unrunnable { reason, .. } => Some(format!("not run: {reason}")),
        })
    }
}

/// Other numbers of a float type.
fn moved(element: DataType, bytes: &[u8]) -> Option<Vec<u8>> {
    let numbers = numbers(element, bytes).filter(|_| element.is_float())?;
    let other = numbers.into_iter().map(|number| match number {
        0.0 => encode_float(element, 1.0),
        number => encode_float(element, number * 1.5),
    });
    Some(other.collect::<Option<Vec<_>>>()?.concat())
}
