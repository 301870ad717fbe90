//! Models that are read by ranges: objects of a store, and open files of Python.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use dropout_onnx::source::{ReadAt, Source};
use dropout_onnx::{Error, ErrorKind, Result};
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;

/// The smallest range that is asked for: parts of a graph lie close together.
const BLOCK: u64 = 128 << 10;
/// As many blocks are asked for at once, where one follows the other.
const MOST: u64 = 8;
/// Ranges of at least this size are weights: they are not kept.
const LARGE: usize = 1 << 20;
/// Blocks that are kept: 32 MiB.
const KEPT: usize = 256;

/// An object of `dropout_onnx._remote`.
#[derive(FromPyObject, Debug)]
pub struct Ranges {
    pub name: String,
    size: u64,
    /// `read(start, end)`: the bytes of a range.
    read: Py<PyAny>,
    /// `check()`: raises if the object has changed.
    check: Py<PyAny>,
}

impl Ranges {
    /// As a source; [`Checked`] belongs to it.
    pub fn source(self) -> (Source, Checked) {
        let size = self.size;
        let checked = Checked(self.check);
        let blocks = Mutex::default();
        let read = self.read;
        (
            Source::computed(size, Cached { read, size, blocks }),
            checked,
        )
    }
}

/// Whether an object is the one that was read.
pub struct Checked(Py<PyAny>);

impl Checked {
    /// Asks the store.
    pub fn check(&self) -> Result<()> {
        Python::attach(|py| self.0.call0(py).map(drop).map_err(|e| raised(py, &e)))
    }
}

#[derive(Default, Debug)]
struct Blocks {
    kept: HashMap<u64, Bytes>,
    /// The block after the last that was asked for, and how many were.
    next: u64,
    ahead: u64,
}

#[derive(Debug)]
struct Cached {
    read: Py<PyAny>,
    size: u64,
    blocks: Mutex<Blocks>,
}

impl Cached {
    /// One request.
    fn range(&self, start: u64, end: u64) -> Result<Bytes> {
        let bytes = Python::attach(|py| {
            let bytes = self
                .read
                .call1(py, (start, end))
                .map_err(|e| raised(py, &e))?;
            let bytes: PyResult<PyBackedBytes> = bytes.extract(py).map_err(PyErr::from);
            bytes.map_err(|e| raised(py, &e))
        })?;
        if bytes.len() as u64 != end - start {
            let why = format!(
                "the store returned {} bytes for a range of {}",
                bytes.len(),
                end - start
            );
            return Err(Error::new(ErrorKind::Io, why));
        }
        Ok(Bytes::from_owner(bytes))
    }

    /// A block, asked for with those that follow it if the one before it was the last.
    fn block(&self, index: u64) -> Result<Bytes> {
        let mut blocks = self.blocks.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(block) = blocks.kept.get(&index) {
            return Ok(block.clone());
        }
        blocks.ahead = match index == blocks.next {
            true => (blocks.ahead * 2).clamp(1, MOST),
            false => 1,
        };
        let (start, last) = (index * BLOCK, index + blocks.ahead);
        let bytes = self.range(start, (last * BLOCK).min(self.size))?;
        if blocks.kept.len() + MOST as usize > KEPT {
            blocks.kept.clear();
        }
        let mut at = 0;
        for each in index..last {
            let end = (at + BLOCK as usize).min(bytes.len());
            if at < end {
                blocks.kept.insert(each, bytes.slice(at..end));
            }
            at = end;
        }
        blocks.next = last;
        let block = bytes.slice(..bytes.len().min(BLOCK as usize));
        Ok(block)
    }
}

impl ReadAt for Cached {
    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> Result<()> {
        if buffer.len() >= LARGE {
            let bytes = self.range(offset, offset + buffer.len() as u64)?;
            buffer.copy_from_slice(&bytes);
            return Ok(());
        }
        let (mut at, mut rest) = (offset, buffer);
        while !rest.is_empty() {
            let block = self.block(at / BLOCK)?;
            let from = (at % BLOCK) as usize;
            let part = &block[from..block.len().min(from + rest.len())];
            let (now, later) = rest.split_at_mut(part.len());
            now.copy_from_slice(part);
            (at, rest) = (at + part.len() as u64, later);
        }
        Ok(())
    }
}

/// What the store raised.
fn raised(py: Python<'_>, error: &PyErr) -> Error {
    let what = error.value(py);
    let class = what.get_type().name().map(|name| name.to_string());
    let why = match what.to_string() {
        text if text.is_empty() => class.unwrap_or_default(),
        text => text,
    };
    Error::new(ErrorKind::Io, format!("cannot read: {why}"))
}
