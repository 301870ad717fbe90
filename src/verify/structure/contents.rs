//! Which tensors hold the same elements, reading as few of them as can be.

use crate::hash::HashMap;

use crate::error::Result;
use crate::onnx::{ContentHash, Model, Place, Tensor};

/// Elements up to this size are compared as bytes.
pub(super) const SMALL: u64 = 1024;

/// Element type and size in bytes.
type Kind = (i32, u64);

/// A tensor and the number of its elements.
type Known<'m> = (u32, &'m Model, &'m Tensor);

/// Elements by number: equal numbers are equal elements.
///
/// Where the second model was put together from the bytes of the first, large elements are known by
/// where they are stored, and read only if the first has none of that place. Otherwise they are hashed.
#[derive(Debug)]
pub(super) struct Contents<'m> {
    shared_source: bool,
    next: u32,
    small: HashMap<Vec<u8>, u32>,
    by_place: HashMap<Place, u32>,
    by_hash: HashMap<(i32, ContentHash), u32>,
    /// Large tensors known by place alone, by type and size.
    unhashed: HashMap<Kind, Vec<Known<'m>>>,
    second: bool,
}

impl<'m> Contents<'m> {
    /// Contents of two models; `shared_source`: the second is an edit of the first.
    pub fn new(shared_source: bool) -> Self {
        Contents {
            shared_source,
            next: 0,
            small: HashMap::default(),
            by_place: HashMap::default(),
            by_hash: HashMap::default(),
            unhashed: HashMap::default(),
            second: false,
        }
    }

    /// From here on tensors are those of the second model.
    pub fn second_model(&mut self) {
        self.second = true;
    }

    fn fresh(&mut self) -> u32 {
        self.next += 1;
        self.next
    }

    /// The number of a few elements.
    pub fn of_bytes(&mut self, bytes: Vec<u8>) -> u32 {
        if let Some(&number) = self.small.get(&bytes) {
            return number;
        }
        let number = self.fresh();
        self.small.insert(bytes, number);
        number
    }

    /// The number of a tensor's elements.
    pub fn number(&mut self, model: &'m Model, tensor: &'m Tensor) -> Result<u32> {
        let stored = tensor.stored_bytes();
        let size = tensor.expected_bytes().unwrap_or(stored);
        if size <= SMALL && stored <= 10 * SMALL {
            let mut bytes = Vec::new();
            model.elements(tensor, &mut |piece| bytes.extend_from_slice(piece))?;
            return Ok(self.of_bytes(bytes));
        }
        let kind = (tensor.data_type.0, size);
        if !self.shared_source {
            return self.by_content(model, tensor, kind);
        }
        let place = model.elements_place(tensor);
        if let Some(&number) = place.as_ref().and_then(|place| self.by_place.get(place)) {
            return Ok(number);
        }
        let number = if self.second {
            self.by_content(model, tensor, kind)?
        } else {
            let number = self.fresh();
            let unhashed = self.unhashed.entry(kind).or_default();
            unhashed.push((number, model, tensor));
            number
        };
        if let Some(place) = place {
            self.by_place.insert(place, number);
        }
        Ok(number)
    }

    /// Looks for equal elements, reading those that have this type and size and are known by place
    /// alone.
    fn by_content(&mut self, model: &Model, tensor: &Tensor, kind: Kind) -> Result<u32> {
        for (number, model, tensor) in self.unhashed.remove(&kind).unwrap_or_default() {
            let hash = model.content_hash(tensor)?;
            self.by_hash.entry((kind.0, hash)).or_insert(number);
        }
        let hash = model.content_hash(tensor)?;
        if let Some(&number) = self.by_hash.get(&(kind.0, hash)) {
            return Ok(number);
        }
        let number = self.fresh();
        self.by_hash.insert((kind.0, hash), number);
        Ok(number)
    }
}
