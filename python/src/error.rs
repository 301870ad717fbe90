//! The library's errors as exceptions of `dropout_onnx._errors`.

use dropout_onnx::{Error, ErrorKind};
use pyo3::prelude::*;
use pyo3::types::PyDict;

/// The exception of an error.
pub fn raise(py: Python<'_>, error: &Error) -> PyErr {
    let class = match error.kind() {
        ErrorKind::Io => "FileError",
        ErrorKind::Protobuf | ErrorKind::Model => "ModelError",
        ErrorKind::Usage => "UsageError",
        ErrorKind::Unsupported => "UnsupportedError",
        ErrorKind::Verification => "VerificationError",
        _ => "DropoutOnnxError",
    };
    let file = error.file().map(|file| file.to_string_lossy());
    let offset = error.offset().map(|offset| format!("byte {offset}"));
    let place = error.place().map(String::from).or(offset);
    exception(py, class, &error.to_string(), file.as_deref(), place).unwrap_or_else(|e| e)
}

/// What must not happen, as an exception.
pub fn internal(py: Python<'_>, why: &str) -> PyErr {
    let why = format!("internal error: {why}");
    exception(py, "InternalError", &why, None, None).unwrap_or_else(|e| e)
}

fn exception(
    py: Python<'_>,
    class: &str,
    message: &str,
    file: Option<&str>,
    place: Option<String>,
) -> PyResult<PyErr> {
    let class = py.import("dropout_onnx._errors")?.getattr(class)?;
    let named = PyDict::new(py);
    named.set_item("file", file)?;
    named.set_item("place", place)?;
    Ok(PyErr::from_value(class.call((message,), Some(&named))?))
}
