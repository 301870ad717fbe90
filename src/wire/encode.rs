//! New fields, and new length prefixes around edited ones.

use super::field::Field;
use super::varint::put_varint;
use crate::source::{Rope, Source};

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
pub fn reframe(out: &mut Rope, source: &Source, field: &Field, payload: Rope) {
    let old = field.payload();
    if old.end - old.start == payload.len() {
        out.push_range(source, field.range().start..old.start);
    } else {
        out.push_range(source, field.tag());
        let mut len = Vec::new();
        put_varint(&mut len, payload.len());
        out.push(len);
    }
    out.append(payload);
}
