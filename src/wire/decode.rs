//! Decoding the small parts of a message with prost, and leaving its weights where they are.

use std::ops::Range;

use bytes::{Bytes, BytesMut};
use prost::Message;

use super::field::Field;
use super::window::{Fields, Window};
use crate::error::{Error, Result};

/// A message decoded but for its large fields.
#[derive(Debug)]
pub struct Leaf<T> {
    /// What prost made of the small fields.
    pub value: T,
    /// The fields that were left alone, in order.
    pub large: Vec<Field>,
}

/// Decodes the fields of a message whose payload has at most `limit` bytes and that `keep` keeps;
/// `keep` sees every field first.
///
/// A field that has another wire type than `T` gives it is an unknown field, and passed over, as
/// protobuf's own parsers do.
///
/// # Errors
/// The range is not a message, or a nested message in it is not one.
pub fn decode_leaf<T: Message + Default>(
    window: &mut Window<'_>,
    message: Range<u64>,
    limit: u64,
    mut keep: impl FnMut(&Field) -> bool,
) -> Result<Leaf<T>> {
    let mut small: Vec<Bytes> = Vec::new();
    let mut large = Vec::new();
    let mut fields = Fields::new(message.clone());
    while let Some(field) = window.next(&mut fields)? {
        if !keep(&field) {
            continue;
        }
        let payload = field.payload();
        if payload.end - payload.start > limit {
            large.push(field);
        } else {
            small.push(window.bytes(field.range())?);
        }
    }
    let mut joined = BytesMut::with_capacity(small.iter().map(Bytes::len).sum());
    for field in &small {
        joined.extend_from_slice(field);
    }
    let value = match T::decode(joined.freeze()) {
        Ok(value) => value,
        Err(_) => decode_each(&small).map_err(|why| {
            let error = Error::protobuf(message.start, why);
            window.source().name_in(error)
        })?,
    };
    Ok(Leaf { value, large })
}

/// Field by field, passing over those of another wire type.
fn decode_each<T: Message + Default>(fields: &[Bytes]) -> Result<T, String> {
    let mut value = T::default();
    for field in fields {
        match T::decode(field.clone()) {
            Ok(_) => value.merge(field.clone()).map_err(|e| e.to_string())?,
            Err(e) if e.to_string().contains("invalid wire type") => {}
            Err(e) => return Err(e.to_string()),
        }
    }
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::Source;

    #[derive(Clone, PartialEq, Message)]
    struct Small {
        #[prost(bytes = "bytes", optional, tag = "1")]
        name: Option<Bytes>,
        #[prost(int64, repeated, tag = "2")]
        dims: Vec<i64>,
    }

    fn decode(bytes: &'static [u8], limit: u64) -> Result<Leaf<Small>> {
        let source = Source::from_bytes(bytes);
        decode_leaf(&mut Window::new(&source), 0..source.len(), limit, |_| true)
    }

    #[test]
    fn large_fields_stay_where_they_are() {
        let leaf = decode(b"\x0a\x01x\x10\x07\x4a\x06weight\x10\x08", 4).unwrap();
        assert_eq!(leaf.value.name.as_deref(), Some(&b"x"[..]));
        assert_eq!(leaf.value.dims, [7, 8]);
        assert_eq!(leaf.large.len(), 1);
        assert_eq!(leaf.large[0].payload(), 7..13);
    }

    #[test]
    fn a_field_of_another_wire_type_is_an_unknown_field() {
        let leaf = decode(b"\x08\x05\x10\x07\x0a\x01\xff", 100).unwrap();
        assert_eq!(leaf.value.name.as_deref(), Some(&b"\xff"[..]));
        assert_eq!(leaf.value.dims, [7]);
    }

    #[test]
    fn packed_numbers_that_are_none_are_an_error() {
        let error = decode(b"\x12\x01\xff", 100).unwrap_err();
        assert_eq!(error.offset(), Some(0), "{error}");
    }
}
