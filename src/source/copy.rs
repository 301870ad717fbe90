//! Writing ranges of sources to a file.

use std::fs::File;
use std::io::{BufWriter, Seek, SeekFrom, Write};
use std::ops::Range;

use bytes::Bytes;

use super::atomic::{self, Writer};
use super::rope::{Part, Rope};
use super::{BUFFER, Body, Source};
use crate::error::{Error, Result};
use crate::interrupt;

/// The minimum size of a range of a file that the system copies, in bytes: they do not pass through this process.
const LARGE: u64 = 256 << 10;

/// How much is read at a time for smaller ranges, which follow each other closely.
const AHEAD: u64 = 64 << 10;

/// The bytes that the system copies in one step: between steps, a run can be interrupted.
#[cfg(target_os = "linux")]
const STEP: u64 = 64 << 20;

/// Writes pieces to a file, one after the other.
struct Copier<'f> {
    file: &'f File,
    out: BufWriter<Writer<'f>>,
    /// Bytes of a source from a position on.
    ahead: Option<(Source, u64, Bytes)>,
}

impl<'f> Copier<'f> {
    fn new(file: &'f File) -> Self {
        Copier {
            file,
            out: BufWriter::with_capacity(BUFFER, Writer(file)),
            ahead: None,
        }
    }

    fn bytes(&mut self, bytes: &[u8]) -> Result<()> {
        self.out.write_all(bytes).map_err(cannot)
    }

    fn flush(&mut self) -> Result<()> {
        self.out.flush().map_err(cannot)
    }

    /// A range of a source.
    fn range(&mut self, source: &Source, range: Range<u64>) -> Result<()> {
        match &source.0.body {
            Body::Rope(rope) => self.rope(rope, range),
            Body::Memory(_) | Body::Computed(_) => self.read(source, range),
            Body::Zeros => {
                self.flush()?;
                let length = i64::try_from(range.end - range.start).unwrap_or(i64::MAX);
                let end = self.file.seek(SeekFrom::Current(length));
                end.and_then(|end| self.file.set_len(end)).map_err(cannot)
            }
            Body::File(_) if range.end - range.start < LARGE => self.near(source, range),
            Body::File(from) => {
                self.flush()?;
                let copied = copy(&from.file, range.clone(), self.file)?;
                self.read(source, range.start + copied..range.end)
            }
        }
    }

    /// A range of a rope.
    fn rope(&mut self, rope: &Rope, range: Range<u64>) -> Result<()> {
        for part in rope.parts_of(&range) {
            match part {
                Part::Memory(bytes) => self.bytes(bytes)?,
                Part::Range(source, range) => self.range(source, range)?,
            }
        }
        Ok(())
    }

    /// A range that is read and written.
    fn read(&mut self, source: &Source, range: Range<u64>) -> Result<()> {
        source.reader(range).write_to(&mut self.out)
    }

    /// A small range, perhaps in what was read for another.
    fn near(&mut self, source: &Source, range: Range<u64>) -> Result<()> {
        let ahead = self.ahead.take().filter(|(of, start, bytes)| {
            let end = start + bytes.len() as u64;
            of.is(source) && *start <= range.start && range.end <= end
        });
        let (_, start, bytes) = match ahead {
            Some(ahead) => self.ahead.insert(ahead),
            None => {
                let end = (range.start + AHEAD).min(source.len()).max(range.end);
                let bytes = source.bytes(range.start..end)?;
                self.ahead.insert((source.clone(), range.start, bytes))
            }
        };
        let (from, to) = (range.start - *start, range.end - *start);
        self.out
            .write_all(&bytes[from as usize..to as usize])
            .map_err(cannot)
    }
}

impl Rope {
    /// Writes all of it to a file.
    ///
    /// # Errors
    /// A source cannot be read, or the file cannot be written.
    pub fn write_to_file(&self, file: &File) -> Result<()> {
        let mut copier = Copier::new(file);
        copier.rope(self, 0..self.len())?;
        copier.flush()
    }
}

/// Lets the system copy a range of a file to the end of another, as far as it can: the number of bytes.
#[cfg(target_os = "linux")]
fn copy(from: &File, range: Range<u64>, to: &File) -> Result<u64> {
    let mut at = range.start;
    while at < range.end {
        interrupt::check()?;
        let step = (range.end - at).min(STEP) as usize;
        // what cannot be copied so is read and written, which says why it cannot be
        let mut copied = || rustix::fs::copy_file_range(from, Some(&mut at), to, None, step);
        match atomic::may_copy().and_then(|()| copied().map_err(Into::into)) {
            Ok(0) | Err(_) => break,
            Ok(_) => {}
        }
    }
    Ok(at - range.start)
}

#[cfg(not(target_os = "linux"))]
fn copy(_: &File, _: Range<u64>, _: &File) -> Result<u64> {
    Ok(0)
}

fn cannot(error: std::io::Error) -> Error {
    Error::io("cannot write", error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_has_the_bytes_of_its_rope() {
        let folder = tempfile::tempdir().unwrap();
        let bytes: Vec<u8> = (0..3 * LARGE as u32).map(|i| (i % 251) as u8).collect();
        let path = folder.path().join("in");
        std::fs::write(&path, &bytes).unwrap();
        let source = Source::open(&path).unwrap();
        let mut inner = Rope::new();
        inner.push_range(&source, 10..LARGE + 500);
        inner.push(&b"between"[..]);
        inner.push_range(&source, 3..5);
        inner.push(&b"!"[..]);
        inner.push_range(&source, 7..9);
        inner.push_range(&source, 2 * LARGE..3 * LARGE);
        let inner = Source::from_rope(inner);
        let mut rope = Rope::new();
        rope.push_range(&inner, 1..inner.len());
        rope.push_range(&Source::zeros(3 * LARGE), 0..2 * LARGE);
        rope.push_range(&Source::from_bytes(bytes), 0..LARGE + 1);
        rope.push_range(&Source::zeros(LARGE), 0..LARGE);

        let mut expected = Vec::new();
        rope.write_to(&mut expected).unwrap();
        let out = folder.path().join("out");
        rope.write_to_file(&File::create(&out).unwrap()).unwrap();
        assert!(std::fs::read(&out).unwrap() == expected);
    }

    #[test]
    fn a_file_that_became_shorter_is_an_error() {
        let file = tempfile::NamedTempFile::new().unwrap();
        file.as_file().set_len(4 * LARGE).unwrap();
        let source = Source::open(file.path()).unwrap();
        file.as_file().set_len(2 * LARGE).unwrap();
        let mut rope = Rope::new();
        rope.push_range(&source, 0..source.len());
        let error = rope
            .write_to_file(&tempfile::tempfile().unwrap())
            .unwrap_err();
        assert!(
            error.to_string().contains("changed while it was read"),
            "{error}"
        );
    }
}
