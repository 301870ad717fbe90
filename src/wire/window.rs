//! Reading fields through a small window, so that weights are stepped over and never read.

use std::ops::Range;

use bytes::Bytes;

use super::field::{Field, Kind};
use super::varint::{LONGEST, Varint, decode_varint};
use crate::error::{Error, Result};
use crate::source::Source;

/// The number of bytes read at a time. Small, because a new window begins after every weight.
const WINDOW: u64 = 16 << 10;

/// How deep groups may nest: protobuf's own recursion limit.
const GROUP_DEPTH: usize = 100;

/// A window over a source that moves as fields are read.
#[derive(Debug)]
#[non_exhaustive]
pub struct Window<'a> {
    source: &'a Source,
    bytes: Bytes,
    start: u64,
    /// Where it ends at the latest.
    limit: u64,
}

/// The position of an iteration over the fields of one message.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Fields {
    at: u64,
    end: u64,
}

impl<'a> Window<'a> {
    /// A window over `source`; nothing is read yet.
    pub fn new(source: &'a Source) -> Self {
        Window::until(source, source.len())
    }

    /// A window that does not go past `limit`, for one message among many.
    pub fn until(source: &'a Source, limit: u64) -> Self {
        Window {
            source,
            bytes: Bytes::new(),
            start: 0,
            limit: limit.min(source.len()),
        }
    }

    /// The source it looks at.
    pub fn source(&self) -> &'a Source {
        self.source
    }

    /// The bytes of a range: a slice of the window where it is short enough.
    ///
    /// # Errors
    /// The source cannot be read or ends before the range does.
    pub fn bytes(&mut self, range: Range<u64>) -> Result<Bytes> {
        if range.end.saturating_sub(range.start) > WINDOW {
            return self.source.bytes(range);
        }
        if !self.holds(range.start, range.end) {
            self.move_to(range.start)?;
            if !self.holds(range.start, range.end) {
                return self.source.bytes(range); // past the end: let the source say so
            }
        }
        let from = (range.start - self.start) as usize;
        let to = (range.end - self.start) as usize;
        Ok(self.bytes.slice(from..to))
    }

    /// The bytes of a range for a moment, which need no memory of their own.
    ///
    /// # Errors
    /// As [`Window::bytes`].
    pub fn peek(&mut self, range: Range<u64>) -> Result<&[u8]> {
        if !self.holds(range.start, range.end) {
            self.move_to(range.start)?;
        }
        if !self.holds(range.start, range.end) {
            self.bytes = self.source.bytes(range.clone())?;
            self.start = range.start;
        }
        let from = (range.start - self.start) as usize;
        let to = (range.end - self.start) as usize;
        Ok(&self.bytes[from..to])
    }

    fn move_to(&mut self, at: u64) -> Result<()> {
        let end = at.saturating_add(WINDOW).min(self.limit).max(at);
        self.bytes = self.source.bytes(at..end)?;
        self.start = at;
        Ok(())
    }

    /// Reads a varint that ends before `end`.
    fn varint(&mut self, at: u64, end: u64, what: &str) -> Result<Varint> {
        // most are a byte in the window
        if let Some(&byte) = self.bytes.get(at.wrapping_sub(self.start) as usize)
            && byte < 0x80
            && at < end
        {
            let value = u64::from(byte);
            return Ok(Varint { value, len: 1 });
        }
        let stop = end.min(at.saturating_add(LONGEST as u64));
        if !self.holds(at, stop) {
            self.move_to(at)?;
        }
        let from = (at - self.start) as usize;
        let to = self.bytes.len().min((stop - self.start) as usize);
        let bytes = self.bytes.get(from..to).unwrap_or_default();
        if let Some(varint) = decode_varint(bytes) {
            return Ok(varint);
        }
        let why = match bytes.len() {
            LONGEST => format!("{what} is longer than 10 bytes"),
            _ => format!("the message ends inside {what}"),
        };
        Err(self.error(at, why))
    }

    /// True if the window has these bytes.
    fn holds(&self, start: u64, end: u64) -> bool {
        start >= self.start && end <= self.start + self.bytes.len() as u64
    }

    fn error(&self, at: u64, why: impl Into<String>) -> Error {
        self.source.name_in(Error::protobuf(at, why))
    }

    /// The next field of a message; `None` at its end.
    ///
    /// # Errors
    /// There is no valid field, or it extends past the end of its message.
    pub fn next(&mut self, fields: &mut Fields) -> Result<Option<Field>> {
        if fields.at >= fields.end {
            return Ok(None);
        }
        let field = match self.field(fields.at, fields.end)? {
            Head::Field(field) => field,
            Head::GroupStart { number, after } => self.group(fields, number, after)?,
            Head::GroupEnd { .. } => {
                return Err(self.error(fields.at, "end of a group without its start"));
            }
        };
        fields.at = field.end;
        Ok(Some(field))
    }

    fn field(&mut self, at: u64, end: u64) -> Result<Head> {
        let tag = self.varint(at, end, "a field's tag")?;
        let number = match u32::try_from(tag.value >> 3) {
            Ok(number) if number != 0 && number < 1 << 29 => number,
            _ => {
                let why = format!("{} is not a valid field number", tag.value >> 3);
                return Err(self.error(at, why));
            }
        };
        let payload = at + tag.len as u64;
        let mut header_len = tag.len;
        let (kind, len) = match tag.value & 7 {
            0 => {
                let value = self.varint(payload, end, "a number")?;
                (Kind::Varint, value.len as u64)
            }
            1 => (Kind::Fixed64, 8),
            2 => {
                let len = self.varint(payload, end, "a length")?;
                header_len += len.len;
                (Kind::Bytes, len.value)
            }
            3 => {
                return Ok(Head::GroupStart {
                    number,
                    after: payload,
                });
            }
            4 => {
                return Ok(Head::GroupEnd {
                    number,
                    after: payload,
                });
            }
            5 => (Kind::Fixed32, 4),
            other => {
                let why = format!("{other} is not a valid wire type");
                return Err(self.error(at, why));
            }
        };
        match (at + header_len as u64).checked_add(len) {
            Some(field_end) if field_end <= end => Ok(Head::Field(Field {
                number,
                kind,
                start: at,
                tag_len: tag.len as u8,
                header_len: header_len as u8,
                end: field_end,
            })),
            _ => {
                let why = format!(
                    "field {number} has a length of {len}, but its message ends after {}",
                    end.saturating_sub(at + header_len as u64)
                );
                Err(self.error(at, why))
            }
        }
    }

    /// Steps over a group, nested groups included.
    fn group(&mut self, fields: &Fields, number: u32, after: u64) -> Result<Field> {
        let mut open = vec![number];
        let mut at = after;
        while let Some(&inner) = open.last() {
            if at >= fields.end {
                return Err(self.error(fields.at, "a group never ends"));
            }
            match self.field(at, fields.end)? {
                Head::Field(field) => at = field.end,
                Head::GroupStart { number, after } => {
                    if open.len() == GROUP_DEPTH {
                        let why = format!("groups nested more than {GROUP_DEPTH} deep");
                        return Err(self.error(at, why));
                    }
                    open.push(number);
                    at = after;
                }
                Head::GroupEnd { number, after } => {
                    if number != inner {
                        return Err(self.error(at, "end of a group without its start"));
                    }
                    open.pop();
                    at = after;
                }
            }
        }
        let tag_len = (after - fields.at) as u8;
        Ok(Field {
            number,
            kind: Kind::Group,
            start: fields.at,
            tag_len,
            header_len: tag_len,
            end: at,
        })
    }
}

enum Head {
    Field(Field),
    GroupStart { number: u32, after: u64 },
    GroupEnd { number: u32, after: u64 },
}

impl Fields {
    /// The fields of the message in this range of bytes.
    pub fn new(message: Range<u64>) -> Fields {
        Fields {
            at: message.start,
            end: message.end,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(bytes: &'static [u8]) -> Result<Vec<Field>> {
        let source = Source::from_bytes(bytes);
        let mut window = Window::new(&source);
        let mut fields = Fields::new(0..source.len());
        let mut out = Vec::new();
        while let Some(field) = window.next(&mut fields)? {
            out.push(field);
        }
        Ok(out)
    }

    #[test]
    fn every_wire_type_is_stepped_over_and_the_fields_cover_the_message() {
        let bytes = b"\x08\x96\x01\x11abcdefgh\x92\x00\x83\x00abc\x1b\x23\x08\x01\x24\x1c\x25abcd";
        let fields = all(bytes).unwrap();
        let numbers: Vec<_> = fields.iter().map(|f| (f.number, f.kind)).collect();
        assert_eq!(
            numbers,
            [
                (1, Kind::Varint),
                (2, Kind::Fixed64),
                (2, Kind::Bytes),
                (3, Kind::Group),
                (4, Kind::Fixed32)
            ]
        );
        assert_eq!(fields[2].payload(), 16..19);
        assert_eq!(fields[2].tag(), 12..14);
        let ends: Vec<_> = fields.iter().map(|f| f.range().end).collect();
        let starts: Vec<_> = fields.iter().map(|f| f.range().start).collect();
        assert_eq!(starts[1..], ends[..4]);
        assert_eq!(ends[4], bytes.len() as u64);
    }

    #[test]
    fn a_window_until_somewhere_reads_no_further() {
        let source = Source::from_bytes(&b"\x08\x01\x08\x02\x08\x03"[..]);
        for (mut window, held) in [
            (Window::new(&source), 6),
            (Window::until(&source, 4), 4),
            (Window::until(&source, 100), 6),
        ] {
            let mut fields = Fields::new(0..4);
            assert_eq!(window.next(&mut fields).unwrap().unwrap().range(), 0..2);
            assert_eq!(window.bytes.len(), held);
            // What is asked for by its range is had all the same.
            assert_eq!(window.bytes(4..6).unwrap(), &b"\x08\x03"[..]);
        }
    }

    #[test]
    fn what_is_not_a_message_is_refused_with_its_place() {
        for (bytes, at, why) in [
            (&b"\x08\x01\x12\x05ab"[..], 2, "has a length of 5"),
            (b"\x08\x01\x80", 2, "ends inside a field's tag"),
            (b"\x00\x01", 0, "0 is not a valid field number"),
            (b"\x0e\x01", 0, "6 is not a valid wire type"),
            (b"\x0c", 0, "without its start"),
            (b"\x0b\x08\x01", 0, "never ends"),
            (b"\x0b\x14", 1, "without its start"),
            (
                b"\x12\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
                0,
                "has a length of",
            ),
        ] {
            let error = all(bytes).unwrap_err();
            assert_eq!(error.offset(), Some(at), "{error}");
            assert!(error.why().contains(why), "{error}");
        }
    }

    #[test]
    fn groups_nested_too_deep_are_refused() {
        let mut bytes = vec![0x0b; 200];
        bytes.extend([0x0c; 200]);
        let error = all(bytes.leak()).unwrap_err();
        assert!(error.why().contains("100 deep"), "{error}");
    }
}
