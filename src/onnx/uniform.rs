//! Tensors whose elements are all the same number.

use crate::error::Result;

use super::content::numbers;
use super::model::Model;
use super::tensor::Tensor;

/// What number every element of a tensor is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Uniform {
    Number(f64),
    /// There is none, or more than one; elements in other files are read only if there is one.
    Various,
    /// It has too many elements to read.
    Unread,
}

/// Tensors of more bytes are not read.
const LARGEST: u64 = 1 << 26;

/// Bytes that are looked at first: whole elements of every type.
pub(crate) const FIRST: u64 = 4 << 10;

impl Model {
    /// The number that every element of a tensor is.
    ///
    /// # Errors
    /// As [`Model::content_hash`].
    pub(crate) fn uniform(&self, tensor: &Tensor) -> Result<Uniform> {
        let one = tensor.elements() == Some(1);
        if !one {
            let first = match tensor.external {
                Some(_) => return Ok(Uniform::Various),
                None => self.first_elements(tensor, FIRST)?,
            };
            let first = first.and_then(|bytes| numbers(tensor.data_type, &bytes));
            if first.is_some_and(|first| same(&first).is_none()) {
                return Ok(Uniform::Various); // weights: the rest need not be read
            }
        }
        let limit = if one { 16 } else { LARGEST };
        let Some(bytes) = self.small_elements(tensor, limit)? else {
            return Ok(Uniform::Unread);
        };
        let number = numbers(tensor.data_type, &bytes).and_then(|all| same(&all));
        Ok(number.map_or(Uniform::Various, Uniform::Number))
    }
}

/// What all elements of a list are; none of an empty one.
pub(crate) fn same<T: Copy + PartialEq>(list: &[T]) -> Option<T> {
    let (&first, rest) = list.split_first()?;
    rest.iter().all(|&other| other == first).then_some(first)
}
