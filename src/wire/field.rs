//! A field: its number, its encoding and its position.

use std::ops::Range;

/// How the payload of a field is encoded (its wire type).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Kind {
    /// Wire type 0.
    Varint,
    /// Wire type 1: eight bytes.
    Fixed64,
    /// Wire type 2: a length, then as many bytes: strings, messages, packed numbers.
    Bytes,
    /// Wire types 3 and 4: everything up to the end of the group. ONNX has none; unknown fields may.
    Group,
    /// Wire type 5: four bytes.
    Fixed32,
}

/// A field of a message: a place in a source. Offsets are in bytes from its start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Field {
    /// The field number: 1 and up.
    pub number: u32,
    /// How the payload is encoded.
    pub kind: Kind,
    pub(super) start: u64,
    pub(super) tag_len: u8,
    pub(super) header_len: u8,
    pub(super) end: u64,
}

impl Field {
    /// All of the field: tag, length, payload.
    pub fn range(&self) -> Range<u64> {
        self.start..self.end
    }

    /// The tag alone, as it was written.
    pub fn tag(&self) -> Range<u64> {
        self.start..self.start + u64::from(self.tag_len)
    }

    /// The payload, without tag and length.
    pub fn payload(&self) -> Range<u64> {
        self.start + u64::from(self.header_len)..self.end
    }

    /// True of a length-delimited field with this number.
    pub fn is_bytes(&self, number: u32) -> bool {
        self.number == number && self.kind == Kind::Bytes
    }
}
