//! Constants that are exchanged for those of the other model.

use super::Trial;
use super::observe::LARGEST;
use crate::error::Result;
use crate::onnx::{DataType, Tensor, ValueId, encode_float, numbers};

/// The number of groups that the elements of a constant are exchanged in, at most.
const GROUPS: usize = 16;

impl Trial<'_> {
    /// Exchanges a constant for that of the other model, or for other numbers without one of the same type and
    /// shape. Why no output changes; `None` if one does, for each group of elements.
    pub(super) fn exchanged(
        &mut self,
        value: ValueId,
        other: Option<ValueId>,
    ) -> Result<Option<String>> {
        let view = self.side.view;
        let cannot = || Ok(Some("it cannot be exchanged".to_string()));
        let Some(own) = view.value(value).constant() else {
            return cannot();
        };
        let Some(here) = view.model.small_elements(own, LARGEST)? else {
            return cannot();
        };
        let there = match self.counterpart(own, other)? {
            None => moved(own.data_type, &here),
            there => there,
        };
        let Some(there) = there.filter(|there| there.len() == here.len()) else {
            return cannot();
        };
        let elements = own.elements().unwrap_or(0) as usize;
        let width = here.len() / elements.max(1);
        let range = |element: usize| element * width..(element + 1) * width;
        let differing = (0..elements).filter(|&at| here[range(at)] != there[range(at)]);
        let differing: Vec<usize> = differing.collect();
        for group in differing.chunks(differing.len().div_ceil(GROUPS).max(1)) {
            let mut bytes = here.clone();
            for &element in group {
                bytes[range(element)].copy_from_slice(&there[range(element)]);
            }
            let unmoved = self.unmoved(|editor| {
                for (node, input) in view.value(value).readers() {
                    let at = (node.graph(), Some(node.id));
                    let elements = (own.data_type, &own.dims[..], &bytes[..]);
                    let name = editor.put_constant(at, "reach/constant", elements);
                    editor.set_input_to(node.id, input, &name);
                }
            })?;
            if let Some(why) = unmoved {
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

    /// The elements of the other model's constant; `None` without one of this type and shape.
    fn counterpart(&self, own: &Tensor, other: Option<ValueId>) -> Result<Option<Vec<u8>>> {
        let tensor = other.and_then(|other| self.other.view.value(other).constant());
        let like = |other: &&Tensor| other.data_type == own.data_type && other.dims == own.dims;
        match tensor.filter(like) {
            Some(tensor) => self.other.view.model.small_elements(tensor, LARGEST),
            None => Ok(None),
        }
    }
}

/// Other numbers of a type.
fn moved(element: DataType, bytes: &[u8]) -> Option<Vec<u8>> {
    let numbers = numbers(element, bytes)?;
    let width = bytes.len() / numbers.len().max(1);
    if !element.is_float() {
        // the next integer or flag
        let mut moved = bytes.to_vec();
        let elements = moved.chunks_mut(width.max(1));
        elements.for_each(|element| element[0] ^= 1);
        return Some(moved);
    }
    let other = numbers.into_iter().map(|number| match number {
        0.0 => encode_float(element, 1.0),
        number => encode_float(element, number * 1.5),
    });
    Some(other.collect::<Option<Vec<_>>>()?.concat())
}
