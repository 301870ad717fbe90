//! Decoding the small parts of a message with prost, and leaving its weights where they are.

use std::ops::Range;

use bytes::{Bytes, BytesMut};
use prost::{DecodeError, Message};

use super::field::{Field, Kind};
use super::varint::put_varint;
use super::window::{Fields, Window};
use crate::error::{Error, Result};
use crate::source::Source;

/// A message decoded except for its large fields.
#[derive(Debug)]
#[non_exhaustive]
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
    let value = decode_message(joined.freeze()).map_err(|why| {
        let error = Error::protobuf(message.start, why);
        window.source().name_in(error)
    })?;
    Ok(Leaf { value, large })
}

/// Decodes a message in memory; fields of another wire type than `T` gives them are passed over, at
/// any depth.
///
/// # Errors
/// It is not a message, in words.
pub fn decode_message<T: Message + Default>(bytes: Bytes) -> Result<T, String> {
    match T::decode(bytes.clone()) {
        Ok(value) => Ok(value),
        Err(e) if !is_other_wire_type(&e) => Err(e.to_string()),
        Err(_) => {
            let mut known = Vec::with_capacity(bytes.len());
            for field in fields(&bytes)? {
                known.extend(known_part::<T>(&mut Vec::new(), &bytes, &field)?);
            }
            T::decode(&known[..]).map_err(|e| e.to_string())
        }
    }
}

/// The field without what `T` gives another wire type; `around` are the tags of the fields of `T`
/// that contains it.
fn known_part<'a, T: Message + Default>(
    around: &mut Vec<&'a [u8]>,
    bytes: &'a [u8],
    field: &Field,
) -> Result<Vec<u8>, String> {
    let part = |range: Range<u64>| &bytes[range.start as usize..range.end as usize];
    let all = part(field.range());
    match decode_in::<T>(around, all.to_vec()) {
        Ok(()) => return Ok(all.to_vec()),
        Err(e) if !is_other_wire_type(&e) => return Err(e.to_string()),
        Err(_) => {}
    }
    // It is of another wire type itself, unless it is a message with such a field in it.
    let tag = part(field.tag());
    if field.kind != Kind::Bytes || decode_in::<T>(around, framed(tag, &[])).is_err() {
        return Ok(Vec::new());
    }
    let payload = part(field.payload());
    let mut known = Vec::with_capacity(payload.len());
    around.push(tag);
    for inner in fields(payload)? {
        known.extend(known_part::<T>(around, payload, &inner)?);
    }
    around.pop();
    Ok(framed(tag, &known))
}

/// Decodes a field in fields with these tags.
fn decode_in<T: Message + Default>(around: &[&[u8]], field: Vec<u8>) -> Result<(), DecodeError> {
    let message = around.iter().rfold(field, |inner, tag| framed(tag, &inner));
    T::decode(&message[..]).map(|_| ())
}

fn framed(tag: &[u8], payload: &[u8]) -> Vec<u8> {
    let mut out = tag.to_vec();
    put_varint(&mut out, payload.len() as u64);
    out.extend_from_slice(payload);
    out
}

fn fields(message: &[u8]) -> Result<Vec<Field>, String> {
    let source = Source::from_bytes(Bytes::copy_from_slice(message));
    let mut window = Window::new(&source);
    let mut fields = Fields::new(0..source.len());
    let mut out = Vec::new();
    while let Some(field) = window.next(&mut fields).map_err(|e| e.to_string())? {
        out.push(field);
    }
    Ok(out)
}

/// prost has no kinds of errors, only words.
fn is_other_wire_type(error: &DecodeError) -> bool {
    error.to_string().contains("invalid wire type")
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

    #[derive(Clone, PartialEq, Message)]
    struct Outer {
        #[prost(message, repeated, tag = "3")]
        inner: Vec<Small>,
    }

    #[test]
    fn a_nested_field_of_another_wire_type_is_an_unknown_field() {
        // inner { name as a number; name: "y"; dims as 8 bytes; dims: 7 }, an empty inner
        let bytes = b"\x1a\x10\x08\x05\x0a\x01y\x11eight by\x10\x07\x1a\x00\x18\x01";
        let outer = decode_message::<Outer>(Bytes::from_static(bytes)).unwrap();
        assert_eq!(outer.inner.len(), 2);
        assert_eq!(outer.inner[0].name.as_deref(), Some(&b"y"[..]));
        assert_eq!(outer.inner[0].dims, [7]);
    }

    #[test]
    fn packed_numbers_that_are_none_are_an_error() {
        let error = decode(b"\x12\x01\xff", 100).unwrap_err();
        assert_eq!(error.offset(), Some(0), "{error}");
    }
}
