//! Where bytes come from and where they go to.
//!
//! A [`Source`] is read by position: a file, memory, a [`Rope`] of pieces of other sources, or bytes
//! computed from them. A
//! rope is how an edited model is put together without its weights ever being in memory, and since
//! a rope is a source too, the edited model is parsed and verified *before* a byte of it is written.

mod atomic;
mod copy;
#[cfg(feature = "tract")]
mod parts;
mod rope;

use std::fmt::Debug;
use std::fs::{File, Metadata};
use std::io::{self, Read, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use bytes::Bytes;

use crate::error::{Error, ErrorKind, Result};
use crate::interrupt;
#[doc(hidden)]
pub use atomic::{Destination, write_atomic};
#[cfg(feature = "tract")]
pub(crate) use atomic::{Staged, stage, stage_link};
#[cfg(feature = "tract")]
pub(crate) use parts::Part;
pub use rope::Rope;

/// Bytes read by position; cheap to clone, shared between threads.
#[derive(Clone, Debug)]
pub struct Source(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    body: Body,
    len: u64,
    path: Option<PathBuf>,
}

/// A file, and what it was like when it was opened.
#[derive(Debug)]
struct Opened {
    file: File,
    len: u64,
    modified: Option<SystemTime>,
}

impl Opened {
    /// True of the same length and time: what was read is what is there.
    fn is_like(&self, meta: &Metadata) -> bool {
        (self.len, self.modified) == (meta.len(), meta.modified().ok())
    }
}

#[derive(Debug)]
enum Body {
    File(Opened),
    Memory(Bytes),
    Rope(Rope),
    Computed(Box<dyn ReadAt>),
    #[cfg_attr(
        not(feature = "tract"),
        expect(dead_code, reason = "no weights are copied")
    )]
    Zeros,
}

/// Bytes that are computed when they are read: weights times a factor are never all in memory.
pub trait ReadAt: Debug + Send + Sync {
    /// Fills `buffer` with the bytes from `offset` on; both are inside the source.
    ///
    /// # Errors
    /// What they are computed from cannot be read.
    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> Result<()>;
}

/// Which bytes these are, whatever they hold: equal origins are equal bytes, without reading them.
/// Unequal origins may still hold equal bytes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Origin {
    source: usize,
    range: Range<u64>,
}

/// How much is copied at a time.
const BUFFER: usize = 1 << 20;

impl Source {
    /// Opens a file for positional reads. Nothing is read yet, unless it is standard input under
    /// another name (`/dev/stdin`).
    ///
    /// # Errors
    /// The file is missing, unreadable, or not a regular file: a folder has no bytes, a pipe or a
    /// device no positions to read from, and neither need ever end.
    pub fn open(path: impl AsRef<Path>) -> Result<Source> {
        let path = path.as_ref();
        let cannot = |e| Error::io("cannot open", e).in_file(path);
        // looked at before it is opened: a named pipe opens once something writes to it
        let meta = path.metadata().map_err(cannot)?;
        if !meta.is_file() && is_standard_input(&meta) {
            let file = File::open(path).map_err(cannot)?;
            let mut source = Source::from_reader(file).map_err(|e| e.in_file(path))?;
            if let Some(inner) = Arc::get_mut(&mut source.0) {
                inner.path = Some(path.to_path_buf());
            }
            return Ok(source);
        }
        let regular = |meta: Metadata| match not_regular(&meta) {
            Some(why) => Err(Error::new(ErrorKind::Io, why).in_file(path)),
            None => Ok(meta),
        };
        regular(meta)?;
        let file = File::open(path).map_err(cannot)?;
        let meta = regular(file.metadata().map_err(cannot)?)?;
        Ok(Source(Arc::new(Inner {
            body: Body::File(Opened {
                file,
                len: meta.len(),
                modified: meta.modified().ok(),
            }),
            len: meta.len(),
            path: Some(path.to_path_buf()),
        })))
    }

    /// Bytes already in memory.
    pub fn from_bytes(bytes: impl Into<Bytes>) -> Source {
        let bytes = bytes.into();
        Source(Arc::new(Inner {
            len: bytes.len() as u64,
            body: Body::Memory(bytes),
            path: None,
        }))
    }

    /// Reads a stream (standard input, a pipe) to its end.
    ///
    /// # Errors
    /// The stream cannot be read.
    pub fn from_reader(mut reader: impl Read) -> Result<Source> {
        let mut bytes = Vec::new();
        reader
            .read_to_end(&mut bytes)
            .map_err(|e| Error::io("cannot read", e))?;
        Ok(Source::from_bytes(bytes))
    }

    /// The pieces put together by an edit, as one source.
    pub fn from_rope(rope: Rope) -> Source {
        Source(Arc::new(Inner {
            len: rope.len(),
            body: Body::Rope(rope),
            path: None,
        }))
    }

    /// Bytes that are computed when they are read.
    pub fn computed(len: u64, bytes: impl ReadAt + 'static) -> Source {
        Source(Arc::new(Inner {
            len,
            body: Body::Computed(Box::new(bytes)),
            path: None,
        }))
    }

    /// Zeros, which are a hole in a file that they are written to.
    #[cfg(feature = "tract")]
    pub(crate) fn zeros(len: u64) -> Source {
        Source(Arc::new(Inner {
            len,
            body: Body::Zeros,
            path: None,
        }))
    }

    /// Length in bytes.
    pub fn len(&self) -> u64 {
        self.0.len
    }

    /// True of a source without bytes.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The file this was opened from.
    pub fn path(&self) -> Option<&Path> {
        self.0.path.as_deref()
    }

    /// Checks that the files it was read from are as they were when they were opened, by size and time.
    ///
    /// # Errors
    /// A file was written to: some bytes may be older than others.
    pub fn check_unchanged(&self) -> Result<()> {
        match &self.0.body {
            Body::Memory(_) | Body::Computed(_) | Body::Zeros => Ok(()),
            Body::Rope(rope) => {
                let mut checked: Option<&Source> = None;
                for source in rope.sources() {
                    if !checked.is_some_and(|checked| checked.is(source)) {
                        source.check_unchanged()?;
                        checked = Some(source);
                    }
                }
                Ok(())
            }
            Body::File(opened) => self.check(opened, opened.file.metadata()),
        }
    }

    /// The same, and that its path still leads to that file: what is there now is about to be replaced.
    #[cfg(feature = "tract")]
    pub(crate) fn check_in_place(&self) -> Result<()> {
        match (&self.0.body, &self.0.path) {
            (Body::File(opened), Some(path)) => self.check(opened, path.metadata()),
            _ => Ok(()),
        }
    }

    fn check(&self, opened: &Opened, now: io::Result<Metadata>) -> Result<()> {
        match now {
            Ok(meta) if opened.is_like(&meta) => Ok(()),
            Ok(_) => {
                let why = "changed while it was read; run the command again";
                Err(self.name_in(Error::new(ErrorKind::Io, why)))
            }
            Err(e) => Err(self.name_in(Error::io("cannot read", e))),
        }
    }

    /// Fills `buffer` with the bytes from `offset` on.
    ///
    /// # Errors
    /// The system cannot read, or the source ends before the buffer is full.
    pub fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> Result<()> {
        match &self.0.body {
            Body::Memory(bytes) => {
                let part = usize::try_from(offset)
                    .ok()
                    .and_then(|start| bytes.get(start..start.checked_add(buffer.len())?))
                    .ok_or_else(|| self.ends_early(offset))?;
                buffer.copy_from_slice(part);
                Ok(())
            }
            Body::File(Opened { file, .. }) => {
                pread::read_exact_at(file, buffer, offset).map_err(|e| match e.kind() {
                    io::ErrorKind::UnexpectedEof => {
                        let changed = self.check_unchanged().err();
                        changed.unwrap_or_else(|| self.ends_early(offset))
                    }
                    _ => self.name_in(Error::io("cannot read", e)),
                })
            }
            Body::Rope(rope) => rope.read_exact_at(buffer, offset),
            Body::Computed(bytes) => match offset.checked_add(buffer.len() as u64) {
                Some(end) if end <= self.0.len => bytes.read_exact_at(buffer, offset),
                _ => Err(self.ends_early(offset)),
            },
            Body::Zeros => {
                buffer.fill(0);
                Ok(())
            }
        }
    }

    /// The bytes of a range: shared where they are in memory, read into new memory elsewhere.
    /// Meant for small ranges; weights go through [`Source::reader`].
    ///
    /// # Errors
    /// As [`Source::read_exact_at`].
    pub fn bytes(&self, range: Range<u64>) -> Result<Bytes> {
        if range.start > range.end || range.end > self.len() {
            return Err(self.ends_early(range.start));
        }
        match &self.0.body {
            Body::Memory(bytes) => Ok(bytes.slice(range.start as usize..range.end as usize)),
            Body::Rope(rope) => match rope.slice(&range) {
                Some(bytes) => Ok(bytes),
                None => self.read_new(range),
            },
            Body::File(_) | Body::Computed(_) | Body::Zeros => self.read_new(range),
        }
    }

    fn read_new(&self, range: Range<u64>) -> Result<Bytes> {
        let mut buffer = vec![0; (range.end - range.start) as usize];
        self.read_exact_at(&mut buffer, range.start)?;
        Ok(buffer.into())
    }

    /// Streams a range through a buffer of at most 1 MiB.
    pub fn reader(&self, range: Range<u64>) -> RangeReader {
        RangeReader {
            source: self.clone(),
            buffer: Vec::new(),
            used: 0,
            next: range.start,
            end: range.end,
        }
    }

    /// Where the bytes of a range come from, followed through ropes; `None` for a range put
    /// together from several pieces.
    pub fn origin(&self, range: Range<u64>) -> Option<Origin> {
        match &self.0.body {
            Body::Rope(rope) => rope.origin(&range),
            _ => Some(Origin {
                source: Arc::as_ptr(&self.0).addr(),
                range,
            }),
        }
    }

    /// True if this is the other source.
    fn is(&self, other: &Source) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// True if this is the other source, or was put together from pieces of it.
    pub fn derives_from(&self, other: &Source) -> bool {
        self.is(other)
            || match &self.0.body {
                Body::Rope(rope) => rope.derives_from(other),
                _ => false,
            }
    }

    /// True if both hold the same bytes. Reads none where both are known to be one piece of one source.
    ///
    /// # Errors
    /// As [`RangeReader::chunk`].
    pub fn holds_the_same_as(&self, other: &Source) -> Result<bool> {
        if self.len() != other.len() {
            return Ok(false);
        }
        let whole = 0..self.len();
        let origins = [self, other].map(|source| source.origin(whole.clone()));
        if origins[0].is_some() && origins[0] == origins[1] {
            return Ok(true);
        }
        let mut readers = [self, other].map(|source| source.reader(whole.clone()));
        loop {
            let [first, second] = &mut readers;
            let (first_chunk, second_chunk) = (first.chunk()?, second.chunk()?);
            let count = first_chunk.len().min(second_chunk.len());
            if count == 0 || first_chunk[..count] != second_chunk[..count] {
                return Ok(first_chunk.len() == second_chunk.len() && count == 0);
            }
            first.consume(count);
            second.consume(count);
        }
    }

    fn ends_early(&self, offset: u64) -> Error {
        let why = "the file ends in the middle of the model";
        self.name_in(Error::protobuf(offset, why))
    }

    /// Adds the file's name to an error.
    pub(crate) fn name_in(&self, error: Error) -> Error {
        match self.path() {
            Some(path) => error.in_file(path),
            None => error,
        }
    }
}

/// Why a file cannot be read by position; `None` of a regular one.
pub(crate) fn not_regular(meta: &Metadata) -> Option<&'static str> {
    match (meta.is_file(), meta.is_dir()) {
        (true, _) => None,
        (_, true) => Some("is a folder, not a file"),
        _ => Some("is a pipe or a device; copy its content to a regular file first"),
    }
}

/// True of what standard input is connected to.
#[cfg(unix)]
fn is_standard_input(meta: &Metadata) -> bool {
    use std::os::fd::AsFd;
    use std::os::unix::fs::MetadataExt;
    let own = io::stdin().as_fd().try_clone_to_owned();
    let own = own.and_then(|input| File::from(input).metadata());
    own.is_ok_and(|own| (own.dev(), own.ino()) == (meta.dev(), meta.ino()))
}

#[cfg(not(unix))]
fn is_standard_input(_: &Metadata) -> bool {
    false
}

/// A range of a source as a stream.
#[derive(Debug)]
#[non_exhaustive]
#[doc(hidden)]
pub struct RangeReader {
    source: Source,
    buffer: Vec<u8>,
    used: usize,
    next: u64,
    end: u64,
}

impl RangeReader {
    /// The next bytes, at most 1 MiB; empty at the end of the range.
    ///
    /// # Errors
    /// As [`Source::read_exact_at`], and if [`crate::Interrupt`] is asked for.
    pub fn chunk(&mut self) -> Result<&[u8]> {
        if self.used == self.buffer.len() {
            interrupt::check()?;
            let left = self.end.saturating_sub(self.next);
            self.buffer.resize(left.min(BUFFER as u64) as usize, 0);
            self.used = 0;
            self.source.read_exact_at(&mut self.buffer, self.next)?;
            self.next += self.buffer.len() as u64;
        }
        Ok(&self.buffer[self.used..])
    }

    /// Writes all that is left.
    pub(crate) fn write_to(&mut self, out: &mut impl Write) -> Result<()> {
        loop {
            let chunk = self.chunk()?;
            if chunk.is_empty() {
                return Ok(());
            }
            out.write_all(chunk)
                .map_err(|e| Error::io("cannot write", e))?;
            let count = chunk.len();
            self.consume(count);
        }
    }

    /// Hashes all that is left.
    pub(crate) fn hash_into(&mut self, hasher: &mut blake3::Hasher) -> Result<()> {
        loop {
            let chunk = self.chunk()?;
            if chunk.is_empty() {
                return Ok(());
            }
            hasher.update(chunk);
            let count = chunk.len();
            self.consume(count);
        }
    }

    /// Takes the first `count` bytes of [`RangeReader::chunk`] as read.
    pub fn consume(&mut self, count: usize) {
        self.used = (self.used + count).min(self.buffer.len());
    }
}

impl Read for RangeReader {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let chunk = self.chunk().map_err(io::Error::other)?;
        let count = chunk.len().min(out.len());
        out[..count].copy_from_slice(&chunk[..count]);
        self.consume(count);
        Ok(count)
    }
}

#[cfg(unix)]
mod pread {
    pub(super) fn read_exact_at(
        file: &std::fs::File,
        buffer: &mut [u8],
        offset: u64,
    ) -> std::io::Result<()> {
        std::os::unix::fs::FileExt::read_exact_at(file, buffer, offset)
    }
}

#[cfg(windows)]
mod pread {
    use std::io;
    use std::os::windows::fs::FileExt;

    pub(super) fn read_exact_at(
        file: &std::fs::File,
        mut buffer: &mut [u8],
        mut offset: u64,
    ) -> io::Result<()> {
        while !buffer.is_empty() {
            let count = file.seek_read(buffer, offset)?;
            if count == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            buffer = &mut buffer[count..];
            offset += count as u64;
        }
        Ok(())
    }
}
