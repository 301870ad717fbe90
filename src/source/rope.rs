//! A rope: bytes put together from pieces of memory and ranges of sources.

use std::io::Write;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;

use super::{Origin, Source};
use crate::error::{Error, ErrorKind, Result};

/// Pieces in order. Neighbouring ranges of one source become one piece, so a model written without
/// an edit is a single range: the whole file. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Rope(Arc<Inner>);

#[derive(Clone, Debug, Default)]
struct Inner {
    pieces: Vec<Piece>,
    /// Where each piece ends, counted from the start of the rope.
    ends: Vec<u64>,
}

#[derive(Clone, Debug)]
enum Piece {
    Memory(Vec<u8>),
    Range(Source, Range<u64>),
}

/// A part of a rope that is in one piece.
pub(super) enum Part<'r> {
    Memory(&'r [u8]),
    Range(&'r Source, Range<u64>),
}

impl Piece {
    fn len(&self) -> u64 {
        match self {
            Piece::Memory(bytes) => bytes.len() as u64,
            Piece::Range(_, range) => range.end - range.start,
        }
    }
}

impl Rope {
    /// A rope without pieces.
    pub fn new() -> Rope {
        Rope::default()
    }

    /// Length in bytes.
    pub fn len(&self) -> u64 {
        self.0.ends.last().copied().unwrap_or(0)
    }

    /// True of a rope without bytes.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Appends bytes from memory.
    pub fn push(&mut self, bytes: impl Into<Vec<u8>>) {
        let bytes = bytes.into();
        let len = bytes.len() as u64;
        let Inner { pieces, ends } = Arc::make_mut(&mut self.0);
        match (pieces.last_mut(), ends.last_mut()) {
            (Some(Piece::Memory(last)), Some(end)) => {
                last.extend(bytes);
                *end += len;
            }
            _ => self.push_piece(Piece::Memory(bytes)),
        }
    }

    /// Appends a range of a source.
    pub fn push_range(&mut self, source: &Source, range: Range<u64>) {
        let Inner { pieces, ends } = Arc::make_mut(&mut self.0);
        match (pieces.last_mut(), ends.last_mut()) {
            (Some(Piece::Range(last, at)), Some(end))
                if last.is(source) && at.end == range.start =>
            {
                at.end = range.end;
                *end += range.end - range.start;
            }
            _ => self.push_piece(Piece::Range(source.clone(), range)),
        }
    }

    /// Appends another rope.
    pub fn append(&mut self, other: Rope) {
        for piece in Arc::unwrap_or_clone(other.0).pieces {
            match piece {
                Piece::Memory(bytes) => self.push(bytes),
                Piece::Range(source, range) => self.push_range(&source, range),
            }
        }
    }

    fn push_piece(&mut self, piece: Piece) {
        if piece.len() > 0 {
            let end = self.len() + piece.len();
            let inner = Arc::make_mut(&mut self.0);
            inner.ends.push(end);
            inner.pieces.push(piece);
        }
    }

    /// Writes all of it, weights through a buffer of at most 1 MiB.
    ///
    /// # Errors
    /// A source cannot be read, or `out` cannot be written.
    pub fn write_to(&self, out: &mut impl Write) -> Result<()> {
        let cannot = |e| Error::io("cannot write", e);
        for piece in &self.0.pieces {
            match piece {
                Piece::Memory(bytes) => out.write_all(bytes).map_err(cannot)?,
                Piece::Range(source, range) => source.reader(range.clone()).write_to(out)?,
            }
        }
        Ok(())
    }

    /// The sources of its pieces.
    pub(super) fn sources(&self) -> impl Iterator<Item = &Source> {
        self.0.pieces.iter().filter_map(|piece| match piece {
            Piece::Range(source, _) => Some(source),
            Piece::Memory(_) => None,
        })
    }

    /// The pieces that a range of the rope touches, each with the part of it that is touched.
    fn touched(&self, range: &Range<u64>) -> impl Iterator<Item = (&Piece, Range<u64>)> + use<'_> {
        let (from, to) = (range.start, range.end);
        let Inner { pieces, ends } = &*self.0;
        let first = ends.partition_point(|&end| end <= from);
        let touched = pieces[first..].iter().zip(&ends[first..]);
        touched
            .map(|(piece, &end)| (piece, end - piece.len(), end))
            .take_while(move |&(_, start, _)| start < to)
            .map(move |(piece, start, end)| {
                let part = from.max(start) - start..to.min(end) - start;
                (piece, part)
            })
    }

    pub(super) fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> Result<()> {
        let range = offset..offset.saturating_add(buffer.len() as u64);
        if range.end > self.len() {
            let why = "a read past the end of the edited model";
            return Err(Error::new(ErrorKind::Protobuf, why).at_offset(offset));
        }
        let mut rest = buffer;
        for (piece, part) in self.touched(&range) {
            let (head, tail) = rest.split_at_mut((part.end - part.start) as usize);
            match piece {
                Piece::Memory(bytes) => {
                    head.copy_from_slice(&bytes[part.start as usize..part.end as usize]);
                }
                Piece::Range(source, at) => source.read_exact_at(head, at.start + part.start)?,
            }
            rest = tail;
        }
        Ok(())
    }

    /// The bytes of a range that lies within one piece of memory.
    pub(super) fn slice(&self, range: &Range<u64>) -> Option<Bytes> {
        let mut touched = self.touched(range);
        match (touched.next(), touched.next()) {
            (Some((Piece::Memory(bytes), part)), None) => {
                let bytes = &bytes[part.start as usize..part.end as usize];
                Some(Bytes::copy_from_slice(bytes))
            }
            _ => None,
        }
    }

    /// What a range is put together from, in order.
    pub(super) fn parts_of(&self, range: &Range<u64>) -> impl Iterator<Item = Part<'_>> {
        self.touched(range).map(|(piece, part)| match piece {
            Piece::Memory(bytes) => Part::Memory(&bytes[part.start as usize..part.end as usize]),
            Piece::Range(source, at) => {
                Part::Range(source, at.start + part.start..at.start + part.end)
            }
        })
    }

    pub(super) fn derives_from(&self, other: &Source) -> bool {
        self.0.pieces.iter().any(|piece| match piece {
            Piece::Memory(_) => false,
            Piece::Range(source, _) => source.derives_from(other),
        })
    }

    /// Where a range comes from, if it lies within one piece.
    pub(super) fn origin(&self, range: &Range<u64>) -> Option<Origin> {
        let mut touched = self.touched(range);
        match (touched.next(), touched.next()) {
            (Some((Piece::Range(source, at), part)), None) => {
                source.origin(at.start + part.start..at.start + part.end)
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbouring_ranges_become_one_and_keep_their_origin() {
        let source = Source::from_bytes(&b"0123456789"[..]);
        let mut rope = Rope::new();
        rope.push_range(&source, 0..4);
        rope.push_range(&source, 4..6);
        rope.push(&b"--"[..]);
        rope.push_range(&source, 8..10);
        assert_eq!(rope.0.pieces.len(), 3);
        let edited = Source::from_rope(rope);
        assert_eq!(edited.len(), 10);
        let whole = edited.bytes(0..10).unwrap();
        assert_eq!(whole, &b"012345--89"[..]);
        assert_eq!(edited.origin(1..5), source.origin(1..5));
        assert_eq!(edited.origin(8..10), source.origin(8..10));
        assert_eq!(edited.origin(5..9), None);
        assert!(edited.bytes(5..11).is_err());
    }
}
