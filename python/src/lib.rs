//! `dropout_onnx._native`: the library for the Python package. Every function takes the plain values of
//! the package, calls the library and returns its document, without logic of its own.

mod call;
mod error;
mod looks;
mod options;
mod rewrites;

use pyo3::prelude::*;

#[pymodule]
mod _native {
    #[pymodule_export]
    use crate::looks::{audit, py_diff, py_replay, py_sample, py_show, py_verify};
    #[pymodule_export]
    use crate::rewrites::{_panic, py_fold, py_insert, py_insert_sites, py_set, py_strip};

    use super::*;

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        module.add("__version__", env!("CARGO_PKG_VERSION"))
    }
}
