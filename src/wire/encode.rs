//! New fields, and new length prefixes around edited ones.

use super::field::Field;
use super::varint::put_varint;
use super::window::Window;
use crate::error::Result;
use crate::source::Rope;

/// A length-delimited field in its shortest form.
pub fn bytes_field(number: u32, payload: &[u8]) -> Vec<u8> {
    let mut out = bytes_head(number, payload.len() as u64);
    out.extend_from_slice(payload);
    out
}

/// The tag and length of a length-delimited field in their shortest form.
pub fn bytes_head(number: u32, len: u64) -> Vec<u8> {
    let mut out = Vec::new();
    put_varint(&mut out, u64::from(number) << 3 | 2);
    put_varint(&mut out, len);
    out
}

/// A varint field in its shortest form.
pub fn varint_field(number: u32, value: u64) -> Vec<u8> {
    let mut out = Vec::with_capacity(12);
    put_varint(&mut out, u64::from(number) << 3);
    put_varint(&mut out, value);
    out
}

/// Appends a field with its original tag and a new payload. The length is rewritten only when
/// it changed.
///
/// # Errors
/// The source of the field cannot be read.
pub fn reframe(
    out: &mut Rope,
    window: &mut Window<'_>,
    field: &Field,
    payload: Rope,
) -> Result<()> {
    let old = field.payload();
    if old.end - old.start == payload.len() {
        out.push(window.peek(field.range().start..old.start)?);
    } else {
        let mut head = window.peek(field.tag())?.to_vec();
        put_varint(&mut head, payload.len());
        out.push(head);
    }
    out.append(payload);
    Ok(())
}
