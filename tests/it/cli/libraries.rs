//! Where the library of ONNX Runtime is looked for, and what is said if none can be loaded from there.

use std::path::Path;

use crate::common::cli::{Folder, Said, unwrapped};
use crate::engine::both::ort_is_here;

/// A model that is run by ONNX Runtime only, with a variable that says where its library is.
fn said(variable: &str, value: &Path) -> String {
    let folder = Folder::with("torch_mlp_training_op7", "model.onnx");
    let mut command = folder.command();
    for name in ["ORT_DYLIB_PATH", "VIRTUAL_ENV", "CONDA_PREFIX"] {
        command.env_remove(name);
    }
    let arguments = "strip model.onnx --engine ort --verify all".split(' ');
    let said = Said::new(command.args(arguments).env(variable, value));
    unwrapped(&format!("{}{}", said.text(), said.stderr))
}

#[track_caller]
fn names(variable: &str, value: &Path, why: &str) {
    let said = said(variable, value);
    assert!(said.contains(why), "{said}");
    assert!(!said.contains("equal outputs"), "{said}");
}

#[test]
fn a_missing_library_is_named() {
    let folder = Folder::new();
    folder.write("libother.so", "no library");
    names(
        "ORT_DYLIB_PATH",
        &folder.path("none.so"),
        "none.so is no file",
    );
    let why = "is a folder without the library";
    names("ORT_DYLIB_PATH", &folder.path(""), why);
    let why = "libother.so: it is not a shared library for this system";
    names("ORT_DYLIB_PATH", &folder.path("libother.so"), why);
    // the library by its name in a folder
    folder.write("libonnxruntime.so.1.0", "no library");
    let why = "libonnxruntime.so.1.0: it is not a shared library";
    names("ORT_DYLIB_PATH", &folder.path(""), why);
}

#[test]
fn a_package_that_is_too_old_is_named() {
    let folder = Folder::new();
    let package = folder.path("lib/python3.10/site-packages/onnxruntime/capi");
    std::fs::create_dir_all(&package).unwrap();
    let why = "is too old: 1.19 is the first that other programs can load";
    names("VIRTUAL_ENV", &folder.path(""), why);
}

#[test]
fn the_library_of_the_variable_is_used() {
    let library = std::env::var_os("ORT_DYLIB_PATH");
    if let Some(library) = library.filter(|_| ort_is_here()) {
        let said = said("ORT_DYLIB_PATH", Path::new(&library));
        assert!(said.contains("ONNX Runtime 1."), "{said}");
    }
}
