//! The engines of this process.

use std::path::{Path, PathBuf};

use super::backend::Engine;
use super::tract::Tract;
use super::{Mode, Unrunnable};

/// The engine of a mode. `library` is that of ONNX Runtime, as [`library`] found it.
///
/// # Errors
/// This build does not have it.
pub(super) fn of(mode: Mode, library: Option<&Path>) -> Result<Box<dyn Engine + '_>, Unrunnable> {
    match mode {
        Mode::OnnxRuntime => ort(library),
        _ => Ok(Box::new(Tract::new())),
    }
}

/// The library of ONNX Runtime, or the folder that holds it: `given`, or where else it is found.
///
/// # Errors
/// It is nowhere, or this build cannot use it.
#[cfg(feature = "ort")]
pub(super) fn library(given: Option<&Path>) -> Result<Option<PathBuf>, Unrunnable> {
    super::ort::library::find(given).map(Some)
}

#[cfg(not(feature = "ort"))]
pub(super) fn library(_: Option<&Path>) -> Result<Option<PathBuf>, Unrunnable> {
    Ok(None)
}

#[cfg(feature = "ort")]
fn ort(library: Option<&Path>) -> Result<Box<dyn Engine + '_>, Unrunnable> {
    let library = super::ort::library::loaded(library)?;
    Ok(Box::new(super::ort::Ort(library)))
}

#[cfg(not(feature = "ort"))]
fn ort(_: Option<&Path>) -> Result<Box<dyn Engine + '_>, Unrunnable> {
    let why = "this program was built without ONNX Runtime (feature `ort`)";
    Err(Unrunnable::ended(why.to_string()))
}
