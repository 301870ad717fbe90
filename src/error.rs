//! The one error of the library: what went wrong, where, and why.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// A result of this library.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What kind of thing went wrong: for callers that act on it. People read the message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[non_exhaustive]
pub enum ErrorKind {
    /// An operating system error: missing file, no permission, disk full, closed pipe.
    Io,
    /// The bytes are not a protobuf message.
    Protobuf,
    /// The message is not a usable ONNX model: no graph, undefined input, cycle, bad ratio.
    Model,
    /// The request makes no sense, or would do harm: IN equal to OUT, unknown dimension.
    Usage,
    /// The request is not supported, or cannot be expressed in the model.
    Unsupported,
    /// A rewrite was not shown to be right, so nothing was written.
    Verification,
    /// The caller asked to stop.
    Interrupted,
}

/// What went wrong, where (file, byte offset, node) and why.
#[derive(serde::Serialize, serde::Deserialize)]
pub struct Error(Box<Inner>);

#[derive(serde::Serialize, serde::Deserialize)]
struct Inner {
    kind: ErrorKind,
    file: Option<PathBuf>,
    offset: Option<u64>,
    place: Option<String>,
    why: String,
    #[serde(skip)]
    io: Option<io::Error>,
}

impl Error {
    /// An error of this kind; `why` is a sentence without a full stop.
    pub fn new(kind: ErrorKind, why: impl Into<String>) -> Self {
        Error(Box::new(Inner {
            kind,
            file: None,
            offset: None,
            place: None,
            why: why.into(),
            io: None,
        }))
    }

    /// The bytes at `offset` (counted from the start of the file) are not protobuf.
    pub fn protobuf(offset: u64, why: impl Into<String>) -> Self {
        Error::new(ErrorKind::Protobuf, why).at_offset(offset)
    }

    /// The model is not usable ONNX.
    pub fn model(why: impl Into<String>) -> Self {
        Error::new(ErrorKind::Model, why)
    }

    /// An operating system error; `doing` describes what failed: "cannot read".
    pub fn io(doing: impl fmt::Display, error: io::Error) -> Self {
        let mut e = Error::new(ErrorKind::Io, format!("{doing}: {}", describe(&error)));
        e.0.io = Some(error);
        e
    }

    /// Names the byte offset from the start of the file, unless one is named already.
    #[must_use]
    pub fn at_offset(mut self, offset: u64) -> Self {
        self.0.offset.get_or_insert(offset);
        self
    }

    /// Names the scope or node, unless one is named already.
    #[must_use]
    pub fn at(mut self, place: impl Into<String>) -> Self {
        self.0.place.get_or_insert_with(|| place.into());
        self
    }

    /// Names the file, unless one is named already.
    #[must_use]
    pub fn in_file(mut self, file: impl AsRef<Path>) -> Self {
        self.0
            .file
            .get_or_insert_with(|| file.as_ref().to_path_buf());
        self
    }

    /// What kind of thing went wrong.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// The file it is about, if it is about one.
    pub fn file(&self) -> Option<&Path> {
        self.0.file.as_deref()
    }

    /// The scope or node, if it is about one.
    pub fn place(&self) -> Option<&str> {
        self.0.place.as_deref()
    }

    /// Bytes from the start of the file, if the place is known to the byte.
    pub fn offset(&self) -> Option<u64> {
        self.0.offset
    }

    /// Why, without the place.
    pub fn why(&self) -> &str {
        &self.0.why
    }

    /// The error of the operating system, if there is one.
    pub fn io_error(&self) -> Option<&io::Error> {
        self.0.io.as_ref()
    }
}

/// Of a document that cannot be written as JSON, which no document of this library gives rise to.
impl From<serde_json::Error> for Error {
    fn from(error: serde_json::Error) -> Error {
        Error::new(ErrorKind::Unsupported, error.to_string())
    }
}

/// The system's own words without Rust's " (os error 2)".
fn describe(error: &io::Error) -> String {
    let text = error.to_string();
    match text.find(" (os error") {
        Some(end) => text[..end].to_string(),
        None => text,
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let inner = &self.0;
        if let Some(file) = &inner.file {
            write!(f, "{}: ", file.display())?;
        }
        if let Some(place) = &inner.place {
            write!(f, "{place}: ")?;
        }
        f.write_str(&inner.why)?;
        if let Some(offset) = inner.offset {
            write!(f, " (at byte {offset})")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {self}", self.0.kind)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        None // the system's words are already in `why`
    }
}
