//! Models that are read by ranges: objects of a store, and open files of Python.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use dropout_onnx::onnx::{ExternalFiles, Model};
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
    /// `beside(path)`: the ranges of a file of external data.
    beside: Option<Py<PyAny>>,
}

impl Ranges {
    /// Reads the model for `work`, and refuses it if one of its objects has changed meanwhile.
    pub fn during<T>(self, work: impl FnOnce(&Model) -> Result<T>) -> Result<T> {
        let opened = Arc::new(Beside {
            open: self
                .beside
                .as_ref()
                .map(|open| Python::attach(|py| open.clone_ref(py))),
            opened: Mutex::default(),
        });
        let check = Python::attach(|py| self.check.clone_ref(py));
        let model = Model::read(self.source()).map(|model| model.with_external(opened.clone()));
        let done = model.and_then(|model| work(&model));
        // what an object is that changed is not worth an error of its own
        let opened = opened.opened.lock().unwrap_or_else(PoisonError::into_inner);
        let checks = opened.values().map(|(_, check)| check);
        Python::attach(|py| {
            let mut checks = checks.chain([&check]);
            checks.try_for_each(|check| check.call0(py).map(drop).map_err(|e| raised(py, &e)))
        })?;
        done
    }

    fn source(self) -> Source {
        let (read, size, blocks) = (self.read, self.size, Mutex::default());
        Source::computed(size, Cached { read, size, blocks })
    }
}

/// Objects next to a model, each opened once, and what checks that it has not changed.
#[derive(Debug)]
struct Beside {
    open: Option<Py<PyAny>>,
    opened: Mutex<HashMap<PathBuf, (Source, Py<PyAny>)>>,
}

impl ExternalFiles for Beside {
    fn open(&self, path: &Path) -> Result<Source> {
        let mut opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((source, _)) = opened.get(path) {
            return Ok(source.clone());
        }
        let Some(open) = &self.open else {
            let why = "external data of an open file: pass the path of the model";
            return Err(Error::new(ErrorKind::Unsupported, why));
        };
        let (ranges, check) = Python::attach(|py| {
            let ranges: PyResult<Ranges> = open
                .call1(py, (path,))
                .and_then(|ranges| ranges.extract(py));
            let ranges = ranges.map_err(|e| raised(py, &e))?;
            let check = ranges.check.clone_ref(py);
            Ok::<_, Error>((ranges, check))
        })?;
        let source = ranges.source();
        opened.insert(path.to_path_buf(), (source.clone(), check));
        Ok(source)
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
